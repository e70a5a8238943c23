import TestSupport
import Testing
import Usage

@testable import Budgets

/// What a period takes over is decided once: nothing that comes late, no restart and no reload
/// changes it.
@Suite struct CarryOverTests {
    private static let day: Int64 = 86_400

    private static func budget(cap: Int64? = 500_000_000) -> BudgetDefinition {
        var budget = BudgetHarness.budget(kind: .day)
        budget.rolloverCap = cap
        return budget
    }

    private func limit(_ harness: BudgetHarness, _ tenant: String = "a") -> String? {
        let (event, _) = harness.event(0, tenant: tenant)
        let told = harness.engine.check(
            AdmissionRequest(event: event, rows: EventRows(), estimate: .zero), now: harness.now
        ).budget?.limit.decimal
        // Who asks for the list is told the same.
        if let listed = harness.engine.statuses(countMax: .max).first(where: {
            $0.scopeText == "tenant=\(tenant)"
        }) {
            #expect(listed.limit.decimal == told)
        }
        return told
    }

    private func yesterday(_ harness: BudgetHarness) -> Int64 {
        harness.now - Self.day * BudgetHarness.second
    }

    @Test(arguments: [false, true])
    func `a late event changes no limit of today, nor after a restart`(isStopped: Bool) throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        let events = [
            harness.event(1), harness.event(49, at: yesterday(harness)),
            harness.event(20, tenant: "b", at: yesterday(harness)),
        ]
        for event in events { try harness.commit([event]) }
        #expect(limit(harness) == "100.00")
        if isStopped { try harness.checkpoint() }
        for _ in 0..<2 {
            try harness.restart([Self.budget()], replaying: isStopped ? [] : events)
            #expect(limit(harness) == "100.00" && limit(harness, "b") == "100.00")
            try harness.tick()
            #expect(limit(harness) == "100.00" && limit(harness, "b") == "100.00")
        }
        try harness.checkpoint()
        try harness.redefine([Self.budget()])
        try harness.tick()
        #expect(limit(harness) == "100.00" && limit(harness, "b") == "100.00")
        // Today's rest goes on as ever; who spent nothing passes nothing on.
        harness.advance(seconds: Self.day)
        try harness.tick()
        #expect(limit(harness) == "150.00" && limit(harness, "b") == "100.00")
    }

    @Test func `nor in a period that began in a running process`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.commit([harness.event(70)])
        harness.advance(seconds: Self.day)
        try harness.tick()
        let late = [
            harness.event(20, at: yesterday(harness)),
            harness.event(20, tenant: "b", at: yesterday(harness)),
        ]
        try harness.checkpoint()
        try harness.commit(late)
        try harness.restart([Self.budget()], replaying: late)
        try harness.tick()
        #expect(limit(harness) == "130.00" && limit(harness, "b") == "100.00")
    }

    @Test func `the first answer after a start tells what is carried over, and it stands`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(70)])
        try harness.checkpoint()
        harness.advance(seconds: Self.day)
        try harness.restart([Self.budget()])
        #expect(limit(harness) == "130.00")
        // The first events after the start are late, and it crashes before it looks at the time.
        let late = [
            harness.event(30, at: yesterday(harness)),
            harness.event(30, tenant: "b", at: yesterday(harness)),
        ]
        try harness.commit(late)
        #expect(limit(harness) == "130.00" && limit(harness, "b") == "100.00")
        try harness.restart([Self.budget()], replaying: late)
        #expect(limit(harness) == "130.00" && limit(harness, "b") == "100.00")
    }

    @Test func `a decision that could not be stored is made again`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.commit([harness.event(70)])
        try harness.checkpoint()
        harness.advance(seconds: Self.day)
        try harness.restart([Self.budget()])
        try harness.failToCommit([harness.event(30, at: yesterday(harness))])
        #expect(limit(harness) == "130.00")
        try harness.restart([Self.budget()])
        #expect(limit(harness) == "130.00")
    }

    @Test func `a reload with rollover decides as a start would, and keeps what was decided`()
        throws
    {
        let harness = try BudgetHarness([Self.budget(cap: nil)])
        try harness.commit([harness.event(70)])
        try harness.checkpoint()
        harness.advance(seconds: Self.day)
        // Without rollover a start does not load the day before.
        try harness.restart([Self.budget(cap: nil)])
        try harness.tick()
        try harness.redefine([Self.budget()])
        #expect(limit(harness) == "130.00")
        try harness.commit([harness.event(20, at: yesterday(harness))])
        try harness.checkpoint()
        // Turned off and on again, and with another cap: the amount is the same.
        try harness.redefine([Self.budget(cap: nil)])
        #expect(limit(harness) == "100.00")
        try harness.redefine([Self.budget()])
        #expect(limit(harness) == "130.00")
        try harness.redefine([Self.budget(cap: 100_000_000)])
        #expect(limit(harness) == "130.00")
        try harness.restart([Self.budget()])
        #expect(limit(harness) == "130.00")
    }

    @Test func `a reset at the end of a period counts after a crash in the next one`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        let events = [harness.event(70), harness.event(90, tenant: "b")]
        try harness.commit(events)
        try harness.change { engine, database, now in
            _ = try engine.reset(budget: "b", scope: "tenant=b", in: database, now: now)
        }
        harness.advance(seconds: Self.day)
        try harness.restart([Self.budget()], replaying: events)
        #expect(limit(harness) == "130.00" && limit(harness, "b") == "150.00")
    }

    @Test func `what an older version decided stands`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.commit([harness.event(70), harness.event(1, tenant: "b")])
        harness.advance(seconds: Self.day)
        try harness.tick()
        try harness.commit([harness.event(9, tenant: "c", at: yesterday(harness))])
        try harness.checkpoint()
        // It had no row that says so.
        try harness.database.execute("delete from budget_carried where scope = ''")
        try harness.restart([Self.budget()])
        try harness.tick()
        #expect(limit(harness) == "130.00" && limit(harness, "c") == "100.00")
    }
}
