import Ledger
import TestSupport
import Testing
import Usage

@testable import Budgets

/// Budgets of conversations: scopes that come and go.
@Suite struct IdleScopesTests {
    private static func budget(idle: Int64 = 600, limit: Int64 = 10) -> BudgetDefinition {
        var budget = BudgetHarness.budget(limit, each: [.tenant, .conversation])
        budget.idleNanos = idle * BudgetHarness.second
        budget.enforcement = Enforcement()
        return budget
    }

    private func spend(_ harness: BudgetHarness, _ dollars: Double, _ conversation: String) throws {
        try harness.commit([harness.event(dollars, conversation: conversation)])
    }

    private func texts(_ harness: BudgetHarness) -> [String] {
        harness.engine.statuses(countMax: .max).map(\.scopeText).sorted()
    }

    @Test func `a conversation has a budget of its own`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try spend(harness, 9, "c1")
        try spend(harness, 1, "c2")
        #expect(harness.spent("tenant=a,conversation=c1") == "9.00")
        #expect(
            harness.events() == ["crossed tenant=a,conversation=c1 2026-11 0.9 [0.5,0.75,0.9]"])
        try harness.checkpoint()
        try harness.restart([Self.budget()])
        #expect(harness.spent("tenant=a,conversation=c1") == "9.00")
        try spend(harness, 1, "c1")
        #expect(harness.events() == ["crossed tenant=a,conversation=c1 2026-11 1 [1]"])
    }

    @Test func `idle conversations are forgotten, in memory and in the store; others stay`() throws
    {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try spend(harness, 9, "c1")
        try spend(harness, 2, "c2")
        try harness.checkpoint()
        harness.advance(seconds: 599)
        try spend(harness, 1, "c2")
        try harness.tick()
        #expect(texts(harness).count == 2)
        _ = harness.events()
        harness.advance(seconds: 61)
        try harness.tick()
        #expect(texts(harness) == ["tenant=a,conversation=c2"])
        #expect(harness.events() == ["resolved tenant=a,conversation=c1 2026-11 0.9 idle"])
        #expect(try harness.database.integer("select count(*) from budget_spend") == 1)
        #expect(try harness.database.integer("select count(*) from budget_thresholds") == 0)
        // The one that stays goes on counting, one that comes back begins anew.
        try spend(harness, 1, "c2")
        try spend(harness, 1, "c1")
        #expect(harness.spent("tenant=a,conversation=c2") == "4.00")
        #expect(harness.spent("tenant=a,conversation=c1") == "1.00")
        try harness.checkpoint()
        try harness.restart([Self.budget()])
        #expect(harness.spent("tenant=a,conversation=c2") == "4.00")
    }

    @Test func `names of conversations are forgotten with them and never reach the common ones`()
        throws
    {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try spend(harness, 1, "warm")
        let before = harness.names.count
        for round in 0..<5 {
            for number in 0..<100 { try spend(harness, 0.01, "c\(round)-\(number)") }
            harness.advance(seconds: 700)
            try harness.tick()
            let count = harness.engine.book.withLock { $0.tables[0].names.texts.count }
            #expect(count <= 1 && texts(harness).isEmpty, "round \(round)")
        }
        #expect(harness.names.count == before)
    }

    @Test func `a reservation keeps its conversation, and holds on the right one afterwards`()
        throws
    {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try spend(harness, 1, "gone")
        try spend(harness, 1, "held")
        func request(_ conversation: String, _ dollars: Int64) -> AdmissionRequest {
            var (event, _) = harness.event(Double(dollars))
            var rows = EventRows()
            event.conversation = rows.append(Array(conversation.utf8).span)
            return AdmissionRequest(
                event: event, rows: rows, estimate: NanoUSD(nanos: dollars * 1_000_000_000))
        }
        let end = harness.now + 3600 * BudgetHarness.second
        _ = harness.engine.hold(
            request("held", 5), id: "r", body: [], expiresAt: end, now: harness.now)
        harness.advance(seconds: 700)
        try harness.tick()
        #expect(texts(harness) == ["tenant=a,conversation=held"])
        let seen = harness.engine.check(request("held", 0), now: harness.now).budget
        #expect(seen?.reserved.decimal == "5.00" && seen?.spent.decimal == "1.00")
        #expect(harness.engine.check(request("held", 5), now: harness.now).verdict == .deny)
        #expect(harness.engine.check(request("gone", 5), now: harness.now).verdict == .allow)
        harness.engine.admission.withLock { _ = $0.remove("r") }
        #expect(
            harness.engine.check(request("held", 0), now: harness.now).budget?.reserved == .zero)
    }

    @Test func `a flood of conversations is refused, told, and has room again when it is idle`()
        throws
    {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        harness.engine.book.withLock { $0.tables[0].scopesMax = 1000 }
        try harness.commit((0..<1500).map { harness.event(0.001, conversation: "c\($0)") })
        #expect(texts(harness).count == 1000)
        #expect(harness.engine.refusedEvents[0].events == 500)
        harness.advance(seconds: 700)
        try harness.tick()
        #expect(texts(harness).isEmpty)
        try spend(harness, 1, "new")
        #expect(texts(harness) == ["tenant=a,conversation=new"])
    }

    @Test func `budgets of tenants forget nobody`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget()])
        try harness.commit([harness.event(1)])
        harness.advance(seconds: 5 * 86_400)
        try harness.tick()
        #expect(texts(harness) == ["tenant=a"])
    }
}

@Suite struct IdleDenialsTests {
    /// A denial is remembered by numbers of names that a packed or changed budget no longer has.
    @Test func `denials of conversations do not outlive the names that they were noted by`() throws
    {
        func budget(_ each: [Dimension]) -> BudgetDefinition {
            var budget = BudgetHarness.budget(10, each: each)
            budget.idleNanos = 600 * BudgetHarness.second
            budget.enforcement = Enforcement()
            return budget
        }
        let harness = try BudgetHarness([budget([.conversation])])
        try harness.tick()
        func deny(_ conversation: String) {
            var (event, _) = harness.event(0)
            var rows = EventRows()
            event.conversation = rows.append(Array(conversation.utf8).span)
            let request = AdmissionRequest(
                event: event, rows: rows, estimate: NanoUSD(nanos: 11_000_000_000))
            for _ in 0..<12 {
                #expect(harness.engine.check(request, now: harness.now).verdict == .deny)
            }
        }
        try harness.commit((0..<50).map { harness.event(0.1, conversation: "c\($0)") })
        deny("c49")
        #expect(
            harness.engine.status(of: "b", scope: ["c49"])?.scopeText == "conversation=c49")
        harness.advance(seconds: 5)
        try harness.tick()
        #expect(harness.events() == ["denied conversation=c49 2026-11 10"])
        harness.advance(seconds: 601)
        deny("new")
        try harness.tick()
        #expect(harness.engine.status(of: "b", scope: ["c49"]) == nil)
        deny("newer")
        try harness.redefine([budget([.tenant, .conversation])])
        harness.advance(seconds: 5)
        try harness.tick()
        try harness.tick()
        #expect(harness.engine.status(of: "b", scope: ["a", "newer"]) == nil)
    }
}
