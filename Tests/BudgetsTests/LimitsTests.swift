import Ledger
import TestSupport
import Testing
import Usage

@testable import Budgets

/// Limits of single scopes, resets, and what is carried over.
@Suite struct LimitsTests {
    private static let day: Int64 = 86_400

    private static func budget(rollover: Int64? = nil, limit: Int64 = 100) -> BudgetDefinition {
        var budget = BudgetHarness.budget(limit, kind: .day)
        budget.rolloverCap = rollover
        return budget
    }

    private func dollars(_ amount: Int64) -> NanoUSD { NanoUSD(nanos: amount * 1_000_000_000) }

    private func limit(_ harness: BudgetHarness, _ tenant: String = "a") -> String? {
        let (event, _) = harness.event(0, tenant: tenant)
        return harness.engine.check(
            AdmissionRequest(event: event, rows: EventRows(), estimate: .zero), now: harness.now
        ).budget?.limit.decimal
    }

    private func set(
        _ harness: BudgetHarness, _ limit: ScopeLimit?, _ scope: String = "tenant=a",
        budget: String = "b"
    ) throws -> ScopeChange {
        var change = ScopeChange.nothing
        try harness.change { engine, database, now in
            change = try engine.setLimit(
                limit, budget: budget, scope: scope, in: database, now: now)
        }
        return change
    }

    @Test func `a raised limit ends alerts at once, and counts until its time`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(80)])
        _ = harness.events()
        let until = harness.now / BudgetHarness.second + 600
        guard
            case .done(let scope, nil, let spent) = try set(
                harness, ScopeLimit(limit: dollars(200), until: until))
        else {
            Issue.record("not done")
            return
        }
        #expect(scope == "tenant=a" && spent == dollars(80))
        #expect(harness.events() == ["resolved tenant=a 2026-11-20 0.75 limit_raised"])
        #expect(limit(harness) == "200.00")
        harness.advance(seconds: 599)
        try harness.tick()
        #expect(limit(harness) == "200.00")
        harness.advance(seconds: 1)
        // Admission needs no tick for it; the alert comes with the next one, after its cooldown.
        #expect(limit(harness) == "100.00")
        try harness.tick()
        #expect(harness.events() == [])
        harness.advance(seconds: 3000)
        try harness.tick()
        #expect(harness.events() == ["crossed tenant=a 2026-11-20 0.75 [0.5,0.75] arm 1"])
        try harness.restart([Self.budget()])
        #expect(limit(harness) == "100.00")
    }

    @Test func `a limit whose time ended while costgauge was down is not read any more`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(40)])
        let until = harness.seconds + 600
        _ = try set(harness, ScopeLimit(limit: dollars(200), until: until))
        try harness.checkpoint()
        harness.advance(seconds: 600)
        try harness.restart([Self.budget()])
        let (status, row) = (
            harness.engine.statuses(countMax: 1)[0], harness.engine.readings(countMax: 1).rows[0]
        )
        #expect(status.limit == dollars(100) && status.utilizationNanos == 400_000_000)
        #expect(row.limit == dollars(100) && row.utilizationNanos == 400_000_000)
        try harness.tick()
        #expect(harness.engine.limits(of: "b").isEmpty)
    }

    @Test func `a limit of a scope that has not spent yet counts from its first call on`() throws {
        let harness = try BudgetHarness([Self.budget()])
        _ = try set(harness, ScopeLimit(limit: dollars(7), until: nil), "tenant=new%20one")
        #expect(limit(harness, "new one") == "7.00")
        #expect(limit(harness) == "100.00")
        try harness.commit([harness.event(4, tenant: "new one")])
        #expect(harness.events() == ["crossed tenant=new%20one 2026-11-20 0.5 [0.5]"])
        try harness.checkpoint()
        try harness.restart([Self.budget(limit: 50)])
        #expect(limit(harness, "new one") == "7.00")
        #expect(limit(harness) == "50.00")
        try harness.redefine([Self.budget(limit: 60)])
        #expect(limit(harness, "new one") == "7.00")
        _ = try set(harness, nil, "tenant=new%20one")
        #expect(limit(harness, "new one") == "60.00")
        guard case .nothing = try set(harness, nil, "tenant=new%20one") else {
            Issue.record("there was a limit")
            return
        }
    }

    @Test func `a lowered limit is told at once; a lost transaction changes nothing`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(40)])
        #expect(harness.events() == [])
        try harness.losing { engine, database, now in
            _ = try engine.setLimit(
                ScopeLimit(limit: self.dollars(50), until: nil), budget: "b", scope: "tenant=a",
                in: database, now: now)
        }
        #expect(limit(harness) == "100.00")
        _ = harness.events()
        _ = try set(harness, ScopeLimit(limit: dollars(50), until: nil))
        #expect(limit(harness) == "50.00")
        #expect(harness.events() == ["crossed tenant=a 2026-11-20 0.75 [0.5,0.75]"])
    }

    @Test func `scopes and budgets that do not exist are told`() throws {
        let harness = try BudgetHarness([Self.budget()])
        for scope in ["all", "user=a", "tenant=a,user=b", "tenant=", "", "tenant"] {
            guard case .badScope(let each) = try set(harness, nil, scope) else {
                Issue.record("\(scope)")
                continue
            }
            #expect(each == [.tenant])
        }
        guard case .unknownBudget = try set(harness, nil, budget: "x") else {
            Issue.record("x is known")
            return
        }
    }

    @Test func `there is room for ten thousand limits`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.change { engine, database, now in
            for number in 0..<BudgetEngine.limitsMax {
                _ = try engine.setLimit(
                    ScopeLimit(limit: self.dollars(1), until: nil), budget: "b",
                    scope: "tenant=t\(number)", in: database, now: now)
            }
        }
        guard case .full = try set(harness, ScopeLimit(limit: dollars(1), until: nil)),
            case .done = try set(harness, ScopeLimit(limit: dollars(2), until: nil), "tenant=t7")
        else {
            Issue.record("not full")
            return
        }
    }

    @Test func `a reset begins the period anew and re-arms, whatever is replayed`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.checkpoint()
        let events = [harness.event(80), harness.event(10, tenant: "b")]
        try harness.commit(events)
        _ = harness.events()
        try harness.change { engine, database, now in
            _ = try engine.reset(budget: "b", scope: "tenant=a", in: database, now: now)
        }
        #expect(harness.spent("tenant=a") == "0.00" && harness.spent("tenant=b") == "10.00")
        #expect(harness.events() == ["resolved tenant=a 2026-11-20 0.75 reset"])
        // Nothing was checkpointed since: all of it comes from the rows again.
        try harness.restart([Self.budget()], replaying: events)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "0.00" && harness.spent("tenant=b") == "10.00")
        harness.advance(seconds: 3600)
        try harness.commit([harness.event(60)])
        #expect(harness.events() == ["crossed tenant=a 2026-11-20 0.5 [0.5] arm 1"])
        try harness.checkpoint()
        try harness.change { engine, database, now in
            _ = try engine.reset(budget: "b", scope: nil, in: database, now: now)
        }
        try harness.restart([Self.budget()])
        #expect(harness.spent("tenant=a") == "0.00" && harness.spent("tenant=b") == "0.00")
    }

    @Test func `a reset ends with its period`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.commit([harness.event(80)])
        try harness.change { engine, database, now in
            _ = try engine.reset(budget: "b", scope: nil, in: database, now: now)
        }
        harness.advance(seconds: Self.day)
        try harness.tick()
        try harness.commit([harness.event(5)])
        #expect(harness.spent("tenant=a") == "5.00")
    }

    @Test func `the unused part goes into the next period, up to the cap, and compounds`() throws {
        let harness = try BudgetHarness([Self.budget(rollover: 500_000_000)])
        try harness.tick()
        try harness.commit([harness.event(70), harness.event(10, tenant: "b")])
        harness.advance(seconds: Self.day)
        try harness.tick()
        #expect(limit(harness) == "130.00" && limit(harness, "b") == "150.00")
        #expect(limit(harness, "never") == "100.00")
        try harness.commit([harness.event(90)])
        try harness.checkpoint()
        try harness.restart([Self.budget(rollover: 500_000_000)])
        try harness.tick()
        #expect(limit(harness) == "130.00")
        harness.advance(seconds: Self.day)
        try harness.tick()
        // 130 less 90; who spent nothing passes nothing on.
        #expect(limit(harness) == "140.00" && limit(harness, "b") == "100.00")
        try harness.redefine([Self.budget()])
        #expect(limit(harness) == "100.00")
    }

    @Test func `an overspent period takes nothing from the next, and late events change nothing`()
        throws
    {
        let harness = try BudgetHarness([Self.budget(rollover: 1_000_000_000)])
        try harness.tick()
        try harness.commit([harness.event(120), harness.event(40, tenant: "b")])
        harness.advance(seconds: Self.day)
        try harness.tick()
        #expect(limit(harness) == "100.00" && limit(harness, "b") == "160.00")
        try harness.commit([
            harness.event(50, tenant: "b", at: harness.now - Self.day * BudgetHarness.second)
        ])
        #expect(limit(harness, "b") == "160.00")
    }

    @Test func `what is carried over is known after the change of period in a stopped process`()
        throws
    {
        let harness = try BudgetHarness([Self.budget(rollover: 500_000_000)])
        try harness.commit([harness.event(70)])
        try harness.checkpoint()
        harness.advance(seconds: Self.day)
        try harness.restart([Self.budget(rollover: 500_000_000)])
        try harness.tick()
        #expect(limit(harness) == "130.00")
        try harness.commit([harness.event(98)])
        // Thresholds go by the larger limit.
        #expect(harness.events().last == "crossed tenant=a 2026-11-21 0.75 [0.5,0.75]")
    }
}
