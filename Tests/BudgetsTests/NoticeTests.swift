import Aggregation
import Testing
import Usage

@testable import Budgets

/// Alerts that time tells: denials that keep coming, projections past the limit.
@Suite struct NoticeTests {
    private static func enforcing(_ mode: Enforcement.Mode = .enforce) -> BudgetDefinition {
        var budget = BudgetHarness.budget(10)
        budget.thresholds = []
        budget.enforcement = Enforcement()
        budget.enforcement?.mode = mode
        return budget
    }

    private func ask(_ harness: BudgetHarness, _ count: Int, _ tenant: String = "a") {
        for _ in 0..<count {
            let (event, _) = harness.event(0, tenant: tenant)
            let request = AdmissionRequest(
                event: event, rows: EventRows(), estimate: NanoUSD(nanos: 11_000_000_000))
            _ = harness.engine.check(request, now: harness.now)
        }
    }

    /// Time passes, and the writer looks.
    private func pass(_ harness: BudgetHarness, _ seconds: Int64) throws -> [String] {
        harness.advance(seconds: seconds)
        try harness.tick()
        return harness.events()
    }

    @Test func `ten denials of one scope in five minutes are told once, until they end`() throws {
        let harness = try BudgetHarness([Self.enforcing()])
        try harness.commit([harness.event(1)])
        ask(harness, 9)
        ask(harness, 9, "never spent")
        #expect(try pass(harness, 5) == [])
        ask(harness, 1)
        #expect(try pass(harness, 5) == ["denied tenant=a 2026-11 10"])
        ask(harness, 50)
        #expect(try pass(harness, 5) == [])
        ask(harness, 1, "never spent")
        #expect(try pass(harness, 5) == ["denied tenant=never%20spent 2026-11 10"])
        // The last denials were 10 and 5 seconds ago.
        #expect(try pass(harness, 285) == [])
        #expect(try pass(harness, 5) == ["denials ended tenant=a"])
        #expect(try pass(harness, 5) == ["denials ended tenant=never%20spent"])
        // Again within the cooldown of an hour: nothing, and after it: told.
        ask(harness, 10)
        #expect(try pass(harness, 5) == [])
        _ = try pass(harness, 3300)
        ask(harness, 10)
        #expect(try pass(harness, 5) == ["denied tenant=a 2026-11 10"])
        // A new process knows of no denials, and a reload of all.
        try harness.redefine([Self.enforcing()])
        try harness.tick()
        #expect(harness.open == ["tenant=a denied"])
        try harness.restart([Self.enforcing()])
        try harness.tick()
        #expect(harness.open == [])
    }

    @Test func `denials far apart, of an observer and of what cannot be decided are not told`()
        throws
    {
        let harness = try BudgetHarness([Self.enforcing()])
        for _ in 0..<12 {
            ask(harness, 1)
            #expect(try pass(harness, 34) == [])
        }
        let observer = try BudgetHarness([Self.enforcing(.observe)])
        ask(observer, 20)
        #expect(try pass(observer, 5) == [])
    }

    @Test func `denials of ten thousand scopes are remembered, and those that are over make room`()
    {
        var log = DenialLog()
        func place(_ number: Int) -> DenialLog.Place {
            DenialLog.Place(budget: "b", values: LabelKey(NameID(number)))
        }
        for number in 0..<DenialLog.scopesMax + 5 {
            log.note(place(number), limit: .zero, now: 1000)
        }
        #expect(log.entries.count == DenialLog.scopesMax)
        log.note(place(-1 + DenialLog.scopesMax), limit: .zero, now: 2000)
        let later = 1000 + DenialLog.windowNanos
        log.note(place(70_000), limit: .zero, now: later)
        #expect(log.entries.count == 2 && log.entries[place(70_000)]?.count(now: later) == 1)
    }

    private static var projected: BudgetDefinition {
        var budget = BudgetHarness.budget(100)
        budget.thresholds = []
        budget.forecasts = true
        return budget
    }

    @Test func `a projection past the limit is told once a period, unless it falls back`() throws {
        // The 20th, ten in the morning: a little over 19 of 30 days.
        let harness = try BudgetHarness([Self.projected, BudgetHarness.budget(1, name: "quiet")])
        try harness.commit([harness.event(60)])
        _ = try pass(harness, 0)
        try harness.commit([harness.event(8)])
        #expect(try pass(harness, 595) == [])
        #expect(try pass(harness, 5) == ["forecast tenant=a 2026-11 105.03"])
        try harness.commit([harness.event(2)])
        #expect(try pass(harness, 600) == [])
        // Under 95 of 100: over. A little more is no news yet, and none within the cooldown.
        try harness.commit([harness.event(-10)])
        #expect(try pass(harness, 600) == ["forecast ended tenant=a 2026-11"])
        try harness.commit([harness.event(10)])
        #expect(try pass(harness, 600) == [])
        let again = try pass(harness, 2400)
        #expect(again.count == 1 && again[0].hasPrefix("forecast tenant=a"))
        // After a start it is found again, and so is not told as over.
        try harness.checkpoint()
        try harness.restart([Self.projected])
        try harness.tick()
        #expect(harness.open == ["tenant=a forecast"])
        // Turned off: over.
        try harness.redefine([BudgetHarness.budget(100)])
        try harness.tick()
        #expect(harness.events().contains("forecast ended tenant=a 2026-11 turned_off"))
        #expect(!harness.open.contains("tenant=a forecast"))
    }

    @Test func `what is open of a budget that goes, or denies no more, ends for that reason`()
        throws
    {
        var projected = Self.projected
        projected.name = "projected"
        let harness = try BudgetHarness([Self.enforcing(), projected])
        try harness.commit([harness.event(70, tenant: "b")])
        ask(harness, 10)
        let told = try pass(harness, 0)
        #expect(told == ["denied tenant=a 2026-11 10", "forecast tenant=b 2026-11 108.15"])
        try harness.redefine([Self.enforcing(.observe)])
        #expect(try pass(harness, 0) == ["forecast ended tenant=b 2026-11 budget_removed"])
        #expect(try pass(harness, 300) == ["denials ended tenant=a turned_off"])
    }

    @Test func `the first tenth of a period tells no projection, and its end ends one`() throws {
        let harness = try BudgetHarness([Self.projected])
        // Midnight of the 1st of December is ten and a half days on.
        harness.advance(seconds: 10 * 86_400 + 14 * 3600)
        try harness.tick()
        try harness.commit([harness.event(20)])
        harness.advance(seconds: 3 * 86_400 + 2 * 3600)
        try harness.tick()
        #expect(harness.events() == [])
        let told = try pass(harness, 3600)
        #expect(told.count == 1 && told[0].hasPrefix("forecast tenant=a 2026-12"), "\(told)")
        // Past the limit the thresholds tell; the projection stays true.
        try harness.commit([harness.event(100)])
        #expect(try pass(harness, 600) == [])
        harness.advance(seconds: 28 * 86_400)
        try harness.tick()
        #expect(harness.events() == ["forecast ended tenant=a 2026-12"])
    }

    @Test func `an explanation names what keeps a call out of a budget`() {
        let budget = BudgetHarness.budget(
            5, each: [.tenant, .user],
            match: [.init(dimension: .operation, pattern: Pattern(["!compute"]))],
            overrides: [
                .init(
                    when: [.init(dimension: .tenant, pattern: Pattern(["big*"]))],
                    limit: NanoUSD(nanos: 7_000_000_000))
            ])
        let inside = BudgetExplanation(budget, values: [.tenant: "big1", .user: "u"])
        #expect(inside.obstacles == [] && inside.limit.decimal == "7.00" && inside.override == 0)
        #expect(inside.scopeText == "tenant=big1,user=u")
        let outside = BudgetExplanation(budget, values: [.tenant: "a", .operation: "compute"])
        #expect(
            outside.obstacles == [
                "operation \"compute\" does not match !compute",
                "user is missing, and each names it",
            ])
        #expect(outside.limit.decimal == "5.00" && outside.override == nil)
    }
}
