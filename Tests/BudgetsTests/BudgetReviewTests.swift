import SQLite
import TestSupport
import Testing
import Usage

@testable import Budgets

/// What a start and a reload with other definitions do to what was told before.
@Suite struct BudgetReviewTests {
    @Test func `a limit raised while costgauge was down ends alerts and arms again`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(10)])
        try harness.commit([harness.event(10)])
        try harness.checkpoint()
        #expect(harness.events().count == 1)
        try harness.restart([BudgetHarness.budget(100)])
        try harness.tick()
        #expect(harness.events() == ["resolved tenant=a 2026-11 1 at_start"])
        harness.advance(seconds: 3601)
        try harness.commit([harness.event(85)])
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.9 [0.5,0.75,0.9] arm 1"])
    }

    @Test func `a limit lowered while costgauge was down is told at once`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(100)])
        try harness.commit([harness.event(10)])
        try harness.checkpoint()
        try harness.restart([BudgetHarness.budget(10)])
        #expect(harness.events() == [])
        try harness.tick()
        #expect(harness.events() == ["crossed tenant=a 2026-11 1 [0.5,0.75,0.9,1]"])
    }

    @Test func `what holds is told after a start and a reload, and only that`() throws {
        let definitions = [BudgetHarness.budget(100), BudgetHarness.budget(50, name: "other")]
        let harness = try BudgetHarness(definitions)
        try harness.commit([harness.event(60)])
        try harness.tick()
        try harness.checkpoint()
        try harness.restart(definitions)
        try harness.tick()
        #expect(harness.open == ["tenant=a 0.5", "tenant=a 1"])
        try harness.redefine([definitions[0]])
        try harness.tick()
        #expect(harness.open == ["tenant=a 0.5"])
        // The next month begins while it is down.
        harness.advance(seconds: 15 * 86_400)
        try harness.restart([definitions[0]])
        try harness.tick()
        #expect(harness.open == [])
    }

    @Test func `a crash right after the end of a period tells its crossing once`() throws {
        let definitions = [BudgetHarness.budget(kind: .hour)]
        let harness = try BudgetHarness(definitions)
        try harness.tick()
        try harness.checkpoint()
        harness.advance(seconds: 3500)
        let event = harness.event(50)
        try harness.commit([event])
        #expect(harness.events() == ["crossed tenant=a 2026-11-20T10Z 0.5 [0.5]"])
        harness.advance(seconds: 200)
        try harness.restart(definitions, replaying: [event])
        try harness.tick()
        #expect(harness.events() == ["resolved tenant=a 2026-11-20T10Z 0.5 period_ended"])
        harness.advance(seconds: 3200)
        try harness.commit([harness.event(1, at: event.0.timestamp)])
        #expect(harness.events() == [])
    }

    @Test func `a budget that a reload brings back was reset as it would be after a start`() throws
    {
        let (budget, other) = (BudgetHarness.budget(100), BudgetHarness.budget(50, name: "other"))
        let harness = try BudgetHarness([budget])
        try harness.commit([harness.event(70)])
        try harness.change { engine, database, now in
            _ = try engine.reset(budget: "b", scope: nil, in: database, now: now)
        }
        let quarter = harness.now / 900 / 1_000_000_000
        try harness.database.execute(
            """
            insert into rollups values (\(quarter), \(harness.names.intern("a")), 0,
                0, 0, 0, 0, 0, 0, 256, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 70000000000, 0)
            """)
        try harness.keepSums()
        try harness.redefine([other])
        try harness.redefine([budget])
        #expect(harness.spent("tenant=a") == "0.00")
        try harness.commit([harness.event(3)])
        try harness.checkpoint()
        try harness.restart([budget])
        #expect(harness.spent("tenant=a") == "3.00")
    }

    @Test func `one call is no pace, two minutes of calls are`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(100, burns: true)])
        try harness.commit([harness.event(3)])
        for _ in 0..<30 {
            harness.advance(seconds: 5)
            try harness.tick()
        }
        #expect(harness.events() == [])
        try harness.commit([harness.event(3)])
        harness.advance(seconds: 5)
        try harness.tick()
        #expect(harness.events() == ["burning tenant=a 2026-11"])
        // Turned off while it fires.
        try harness.redefine([BudgetHarness.budget(100, burns: false)])
        try harness.tick()
        #expect(harness.events() == ["burn ended tenant=a 2026-11 turned_off"])
    }
}
