import TestSupport
import Testing
import Usage

@testable import Budgets

@Suite struct BudgetEngineTests {
    @Test func `P7 crossings are told per scope, once`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget()])
        try harness.commit([harness.event(49), harness.event(30, tenant: "b")])
        #expect(harness.events() == [])
        try harness.commit([harness.event(1), harness.event(1), harness.event(70, tenant: "b")])
        #expect(
            harness.events() == [
                "crossed tenant=a 2026-11 0.5 [0.5]", "crossed tenant=b 2026-11 1 [0.5,0.75,0.9,1]",
            ])
        try harness.commit([harness.event(10), harness.event(100, tenant: "b")])
        #expect(harness.events() == [])
        #expect(harness.spent("tenant=a") == "61.00" && harness.spent("tenant=b") == "200.00")
    }

    @Test func `what was not committed counts nothing and tells nothing later`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget()])
        try harness.failToCommit([harness.event(95)])
        _ = harness.events()
        #expect(harness.spent("tenant=a") == "0.00")
        try harness.commit([harness.event(1)])
        #expect(harness.events() == [])
        try harness.commit([harness.event(94)])
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.9 [0.5,0.75,0.9]"])
    }

    @Test func `match, each and overrides choose`() throws {
        let premium = BudgetDefinition.Override(
            when: [.init(dimension: .tenant, pattern: Pattern(["premium*"]))],
            limit: NanoUSD(nanos: 400_000_000_000))
        let harness = try BudgetHarness([
            BudgetHarness.budget(
                each: [.tenant, .tag("team")], name: "teams",
                match: [.init(dimension: .feature, pattern: Pattern(["chat*", "!chat.internal"]))],
                overrides: [premium]),
            BudgetHarness.budget(50, each: [], name: "all"),
            BudgetHarness.budget(each: [.conversation], name: "talks"),
        ])
        let team = #"{"team":"x"}"#
        try harness.commit([
            harness.event(10, feature: "chat.a", tags: team, conversation: "c1"),
            harness.event(10, feature: "chat.internal", tags: team),
            harness.event(10, feature: "chat.a"), harness.event(10, feature: "search", tags: team),
            harness.event(0, feature: "chat.a", tags: team),
            harness.event(60, tenant: "premium-1", feature: "chat.a", tags: team),
        ])
        #expect(harness.spent("tenant=a,tags.team=x") == "10.00")
        #expect(harness.spent("tenant=premium-1,tags.team=x") == "60.00")
        #expect(harness.spent("all") == "100.00" && harness.spent("conversation=c1") == "10.00")
        #expect(harness.events() == ["crossed all 2026-11 1 [0.5,0.75,0.9,1]"])
        let statuses = harness.engine.statuses(countMax: .max)
        #expect(statuses.first { $0.scopeText.contains("premium") }?.limit.decimal == "400.00")
        #expect(statuses.map(\.utilizationNanos) == statuses.map(\.utilizationNanos).sorted(by: >))
        #expect(harness.engine.statuses(countMax: 1).map(\.budget.name) == ["all"])
    }

    @Test func `P8 a new period begins at zero and ends the old one's alerts`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(kind: .day)])
        try harness.commit([harness.event(80)])
        #expect(harness.events() == ["crossed tenant=a 2026-11-20 0.75 [0.5,0.75]"])
        harness.advance(seconds: 14 * 3600 - 1)
        try harness.tick()
        #expect(harness.events() == [])
        harness.advance(seconds: 1)
        try harness.tick()
        #expect(harness.events() == ["resolved tenant=a 2026-11-20 0.75 period_ended"])
        #expect(harness.spent("tenant=a") == "0.00")
        try harness.commit([harness.event(50)])
        #expect(harness.events() == ["crossed tenant=a 2026-11-21 0.5 [0.5]"])
    }

    @Test func `P8 a new period needs no tick`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(kind: .day)])
        try harness.commit([harness.event(40)])
        harness.advance(seconds: 14 * 3600 + 5)
        // The first event of the new day comes before anybody looked at the clock.
        try harness.commit([harness.event(30)])
        #expect(harness.events() == [])
        try harness.tick()
        #expect(harness.spent("tenant=a") == "30.00")
    }

    @Test func `late events count in their own period, and notify for an hour after its end`()
        throws
    {
        let harness = try BudgetHarness([BudgetHarness.budget(kind: .day)])
        try harness.commit([harness.event(40)])
        let yesterday = harness.now
        harness.advance(seconds: 14 * 3600 + 1800)
        try harness.tick()
        try harness.commit([harness.event(20, at: yesterday), harness.event(5)])
        #expect(harness.events() == ["crossed tenant=a 2026-11-20 0.5 [0.5]"])
        #expect(harness.spent("tenant=a") == "5.00")
        harness.advance(seconds: 10)
        try harness.tick()
        #expect(harness.events() == ["resolved tenant=a 2026-11-20 0.5 period_ended"])
        harness.advance(seconds: 1800)
        try harness.tick()
        try harness.commit([harness.event(40, at: yesterday)])
        #expect(harness.events() == ["recorded tenant=a 2026-11-20 1"])
        // Days later the period is read back from the store.
        try harness.checkpoint()
        harness.advance(seconds: 3 * 86_400)
        try harness.tick()
        try harness.checkpoint()
        try harness.commit([harness.event(1, at: yesterday)])
        #expect(harness.events() == [])
        try harness.checkpoint()
        #expect(
            try harness.database.integer(
                "select spent_nanousd from budget_spend where period_start = 1795132800")
                == 101_000_000_000)
    }

    @Test func `an event of the next period waits for it`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(kind: .hour)])
        harness.advance(seconds: 3595)
        try harness.commit([harness.event(90, at: harness.now + 10 * BudgetHarness.second)])
        #expect(harness.events() == [])
        #expect(harness.spent("tenant=a") == "0.00")
        harness.advance(seconds: 5)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "90.00")
        #expect(harness.events() == ["crossed tenant=a 2026-11-20T11Z 0.9 [0.5,0.75,0.9]"])
    }

    @Test func `P7 the cooldown holds across short periods`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(kind: .hour)])
        harness.advance(seconds: 3000)
        try harness.commit([harness.event(50)])
        #expect(harness.events().count == 1)
        harness.advance(seconds: 700)
        try harness.tick()
        try harness.commit([harness.event(60)])
        #expect(harness.events() == ["resolved tenant=a 2026-11-20T10Z 0.5 period_ended"])
        harness.advance(seconds: 2899)
        try harness.tick()
        #expect(harness.events() == [])
        harness.advance(seconds: 5)
        try harness.tick()
        #expect(harness.events() == ["crossed tenant=a 2026-11-20T11Z 0.5 [0.5]"])
    }

    @Test func `a runaway loop is told of within 90 seconds`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(1000, burns: true)])
        // An ordinary day before it.
        for _ in 0..<120 {
            harness.advance(seconds: 60)
            try harness.commit([harness.event(0.05)])
            try harness.tick()
        }
        #expect(harness.events() == [])
        let started = harness.now
        var told: [String] = []
        while told.isEmpty, harness.now < started + 300 * BudgetHarness.second {
            harness.advance(seconds: 1)
            try harness.commit([harness.event(0.4)])
            try harness.tick()
            told = harness.events()
        }
        #expect(told == ["burning tenant=a 2026-11"])
        #expect(harness.now - started <= 90 * BudgetHarness.second)
        // It stops, and that is told.
        for _ in 0..<90 {
            harness.advance(seconds: 60)
            try harness.tick()
        }
        #expect(harness.events() == ["burn ended tenant=a 2026-11"])
    }

    @Test func `burn: false is silent`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(1000, burns: false)])
        for _ in 0..<100 {
            harness.advance(seconds: 1)
            try harness.commit([harness.event(1)])
            try harness.tick()
        }
        #expect(harness.events() == [])
    }

    @Test func `scopes are bounded and the excess is counted`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(each: [.user])])
        for start in stride(from: 0, to: 100_500, by: 1000) {
            try harness.commit((start..<start + 1000).map { harness.event(1, user: "u\($0)") })
        }
        #expect(harness.engine.statuses(countMax: .max).count == 100_000)
        #expect(harness.engine.refusedEvents.map(\.events) == [1000])
        #expect(harness.spent("user=u5") == "1.00" && harness.spent("user=u100400") == nil)
    }
}

@Suite struct BudgetRecoveryTests {
    @Test func `a crash between checkpoints loses no spend and tells nothing twice`() throws {
        let definitions = [BudgetHarness.budget()]
        let harness = try BudgetHarness(definitions)
        try harness.commit([harness.event(55)])
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.5 [0.5]"])
        try harness.checkpoint()
        try harness.commit([harness.event(25)])
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.75 [0.75]"])
        // The ledger applies the events after the checkpoint again.
        try harness.restart(definitions, replaying: [harness.event(25)])
        #expect(harness.spent("tenant=a") == "80.00")
        harness.advance(seconds: 10)
        try harness.tick()
        try harness.commit([harness.event(5)])
        #expect(harness.events() == [])
        try harness.commit([harness.event(5)])
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.9 [0.9]"])
    }

    @Test func `alerts and cooldowns outlive a restart over the end of a period`() throws {
        let definitions = [BudgetHarness.budget(kind: .hour)]
        let harness = try BudgetHarness(definitions)
        harness.advance(seconds: 3500)
        try harness.commit([harness.event(50)])
        try harness.checkpoint()
        _ = harness.events()
        harness.advance(seconds: 600)
        try harness.restart(definitions)
        try harness.tick()
        #expect(harness.events() == ["resolved tenant=a 2026-11-20T10Z 0.5 period_ended"])
        try harness.commit([harness.event(60)])
        #expect(harness.events() == [])
        harness.advance(seconds: 3000)
        try harness.tick()
        #expect(harness.events() == ["crossed tenant=a 2026-11-20T11Z 0.5 [0.5]"])
    }

    @Test func `a burn alert outlives a restart`() throws {
        let definitions = [BudgetHarness.budget(1000, burns: true)]
        let harness = try BudgetHarness(definitions)
        for _ in 0..<60 {
            harness.advance(seconds: 5)
            try harness.commit([harness.event(4)])
            try harness.tick()
        }
        #expect(harness.events().filter { $0.hasPrefix("burning") }.count == 1)
        try harness.checkpoint()
        try harness.restart(definitions)
        for _ in 0..<20 {
            harness.advance(seconds: 60)
            try harness.tick()
        }
        #expect(harness.events() == ["burn ended tenant=a 2026-11"])
    }

    /// Puts a roll-up of the current quarter hour into the ledger's table.
    private func rollUp(
        _ harness: BudgetHarness, tenant: String, dollars: Int64, feature: String = ""
    ) throws {
        let quarter = harness.now / 900 / 1_000_000_000
        try harness.database.execute(
            """
            insert into rollups values (\(quarter), \(harness.names.intern(tenant)), 0,
                \(harness.names.intern(feature)), 0, 0, 0, 0, 0, 256, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                \(dollars * 1_000_000_000), 0)
            """)
        try harness.keepSums()
    }

    @Test func `a new budget counts the stored history, and tells where it stands`() throws {
        let harness = try BudgetHarness([])
        try rollUp(harness, tenant: "a", dollars: 92)
        try rollUp(harness, tenant: "b", dollars: 10)
        try harness.redefine([BudgetHarness.budget()])
        #expect(harness.spent("tenant=a") == "92.00" && harness.spent("tenant=b") == "10.00")
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.9 [0.5,0.75,0.9]"])
        try harness.commit([harness.event(1)])
        #expect(harness.spent("tenant=a") == "93.00")
        #expect(harness.events() == [])
    }

    @Test func `a budget that is new at a start asks for a checkpoint, and is then kept`() throws {
        let harness = try BudgetHarness([])
        #expect(!harness.engine.needsCheckpoint)
        try rollUp(harness, tenant: "a", dollars: 92)
        try harness.restart([BudgetHarness.budget()])
        #expect(harness.engine.needsCheckpoint)
        harness.engine.checkpointEnded(isDurable: false)
        #expect(harness.engine.needsCheckpoint)
        try harness.checkpoint()
        #expect(!harness.engine.needsCheckpoint)
        // Were the past read again, it would be empty.
        try harness.database.execute("delete from rollups; delete from spend_sums")
        try harness.restart([BudgetHarness.budget()])
        #expect(!harness.engine.needsCheckpoint && harness.spent("tenant=a") == "92.00")
    }

    @Test func `what was spent while there were no budgets counts when one comes back`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget()])
        try rollUp(harness, tenant: "a", dollars: 80)
        try harness.commit([harness.event(80)])
        try harness.checkpoint()
        try harness.restart([])
        harness.advance(seconds: 900)
        try rollUp(harness, tenant: "a", dollars: 7)
        try harness.checkpoint()
        try harness.restart([BudgetHarness.budget()])
        #expect(harness.spent("tenant=a") == "87.00")
    }

    @Test
    func `a budget that counts differently is filled again and stays silent about what it told`()
        throws
    {
        let harness = try BudgetHarness([BudgetHarness.budget()])
        try harness.commit([harness.event(80)])
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.75 [0.5,0.75]"])
        try rollUp(harness, tenant: "a", dollars: 80, feature: "chat")
        try harness.checkpoint()
        let narrower = BudgetHarness.budget(
            match: [.init(dimension: .feature, pattern: Pattern(["chat"]))])
        try harness.redefine([narrower])
        #expect(harness.spent("tenant=a") == "80.00")
        #expect(harness.events() == [])
        try harness.commit([harness.event(12, feature: "chat")])
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.9 [0.9]"])
        // The same over a restart instead of a reload.
        try harness.checkpoint()
        try harness.restart([BudgetHarness.budget()])
        #expect(harness.spent("tenant=a") == "80.00")
        harness.advance(seconds: 10)
        try harness.tick()
        #expect(harness.events() == [])
    }

    @Test func `P7 limits and thresholds of a reload act at once`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(100)])
        try harness.commit([harness.event(80)])
        _ = harness.events()
        try harness.redefine([BudgetHarness.budget(200)])
        #expect(harness.events() == ["resolved tenant=a 2026-11 0.75 limit_raised"])
        try harness.redefine([BudgetHarness.budget(150)])
        harness.advance(seconds: 3601)
        try harness.tick()
        #expect(harness.events() == ["crossed tenant=a 2026-11 0.5 [0.5] arm 1"])
        var fewer = BudgetHarness.budget(150)
        fewer.thresholds = [BudgetDefinition.Threshold(ratioNanos: 530_000_000)]
        try harness.redefine([fewer])
        #expect(
            harness.events() == [
                "resolved tenant=a 2026-11 0.5 threshold_removed arm 1",
                "crossed tenant=a 2026-11 0.53 [0.53]",
            ])
        try harness.redefine([])
        #expect(harness.events() == ["resolved tenant=a 2026-11 0.53 budget_removed"])
        #expect(harness.engine.statuses(countMax: .max) == [])
    }

    @Test func `a redefinition that is not committed changes nothing`() throws {
        let harness = try BudgetHarness([BudgetHarness.budget(100)])
        try harness.commit([harness.event(80)])
        try harness.database.execute("begin")
        try harness.engine.redefine([], in: harness.database, now: harness.now)
        try harness.database.execute("rollback")
        harness.engine.redefined(isDurable: false)
        #expect(harness.spent("tenant=a") == "80.00")
    }

    @Test func `what nobody configures any more is dropped after thirty days`() throws {
        let harness = try BudgetHarness([
            BudgetHarness.budget(name: "old"), BudgetHarness.budget(name: "new"),
        ])
        try harness.commit([harness.event(80)])
        try harness.tick()
        try harness.checkpoint()
        try harness.restart([BudgetHarness.budget(name: "new")])
        func count() throws -> Int64? {
            try harness.database.integer("select count(distinct budget) from budget_spend")
        }
        for _ in 0..<29 {
            harness.advance(seconds: 86_400)
            try harness.tick()
            try harness.checkpoint()
        }
        #expect(try count() == 2)
        for _ in 0..<3 {
            harness.advance(seconds: 86_400)
            try harness.tick()
            try harness.checkpoint()
        }
        #expect(try count() == 1)
    }
}
