import SQLite
import TestSupport
import Testing
import Usage

@testable import Budgets

@Suite struct ConfiguredBudgetsTests {
    private static let second: Int64 = 1_000_000_000

    private static func read(
        _ database: borrowing Database, _ known: [BudgetDefinition]
    ) throws -> [String] {
        try ConfiguredBudgets.read(from: database) { json in
            known.first { $0.json == json }.map { .definition($0) } ?? .faults(["unknown"])
        }.map(\.name)
    }

    private static func tick(
        _ kept: ConfiguredBudgets, _ database: borrowing Database, at now: Int64,
        isDurable: Bool = true
    ) throws -> Bool {
        guard kept.isDue(now: now) else { return false }
        try database.execute("begin")
        try kept.tick(in: database, now: now)
        try database.execute(isDurable ? "commit" : "rollback")
        if isDurable { kept.committed() } else { kept.rolledBack() }
        return true
    }

    @Test func `definitions are stored in order, when they have changed, at most once a second`()
        throws
    {
        let budgets = ["b", "a", "c"].map { BudgetHarness.budget(name: $0) }
        let catalogue = BudgetCatalogue(configured: budgets) { _ in .faults([]) }
        let kept = ConfiguredBudgets(catalogue)
        let database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(ConfiguredBudgets.tables)
        // What is lost is written again.
        let isLost = try Self.tick(kept, database, at: 0, isDurable: false)
        #expect(isLost)
        #expect(try Self.read(database, budgets) == [])
        #expect(try !Self.tick(kept, database, at: Self.second - 1))
        #expect(try Self.tick(kept, database, at: Self.second))
        #expect(try Self.read(database, budgets) == ["b", "a", "c"])
        #expect(try !Self.tick(kept, database, at: 9 * Self.second))
        #expect(!kept.needsCheckpoint)
        catalogue.configure([budgets[2]])
        #expect(kept.needsCheckpoint)
        try kept.checkpoint(in: database, now: 10 * Self.second)
        kept.checkpointEnded(isDurable: true)
        #expect(try Self.read(database, budgets) == ["c"])
        #expect(!kept.needsCheckpoint)
    }

    @Test func `who only reads settles a rolling budget to the bucket, without a tick`() throws {
        var budget = BudgetHarness.budget(10)
        budget.period.rollingSeconds = 60
        let harness = try BudgetHarness([budget])
        try harness.tick()
        try harness.commit([harness.event(12)])
        try harness.checkpoint()
        // Of the last seconds, as a crash leaves them.
        let event = harness.event(5)
        harness.advance(seconds: 60)
        try harness.restart([budget], replaying: [event])
        #expect(harness.spent("tenant=a") == "17.00")
        #expect(harness.engine.statuses(countMax: 1)[0].period.end == harness.seconds)
        harness.advance(seconds: 1)
        try harness.restart([budget], replaying: [event])
        #expect(harness.spent("tenant=a") == "0.00")
    }
}
