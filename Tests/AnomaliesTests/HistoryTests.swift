import SQLite
import Testing
import Usage

@testable import Anomalies

@Suite struct HistoryTests {
    private static let noon = AnomalyHarness.monday + 43_200

    /// Ten days of roll-ups by the quarter hour, as a checkpoint leaves them.
    private func rollUp(_ harness: AnomalyHarness, until end: Int64) throws {
        let tenant = harness.names.intern("acme")
        for quarter in (end - 864_000) / 900..<end / 900 {
            try harness.database.execute(
                """
                insert into rollups values (
                    \(quarter), \(tenant), 0, 0, 0, 0, 0, 0, 0, 0,
                    3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2000000000, 1000000000)
                """)
        }
    }

    private func loadPast(_ harness: AnomalyHarness) throws {
        try harness.commit([harness.event(2, at: Self.noon - 86_400)])
        try harness.checkpoint()
        try rollUp(harness, until: Self.noon)
    }

    @Test func `history that arrives is learnt half a minute later`() throws {
        let harness = try AnomalyHarness(at: Self.noon)
        try loadPast(harness)
        try harness.advance(seconds: 29)
        #expect(harness.engine.readings.warmupSeconds == 7 * 86_400)
        try harness.advance(seconds: 1)
        #expect(harness.engine.readings.warmupSeconds == 0)
    }

    @Test func `history that arrives while the one before is learnt survives a restart`() throws {
        let harness = try AnomalyHarness(at: Self.noon, isSlow: true)
        try harness.tick(atMost: 1)
        #expect(harness.engine.history.isRunning)
        try loadPast(harness)
        try harness.tick()
        #expect(!harness.engine.history.isRunning)
        #expect(harness.engine.readings.warmupSeconds == 7 * 86_400)
        try harness.restart()
        try harness.checkpoint()
        try harness.tick()
        #expect(harness.engine.readings.warmupSeconds == 0)
    }

    @Test func `a stop while the first history is learnt begins it again`() throws {
        let harness = try AnomalyHarness(at: Self.noon, isSlow: true)
        try rollUp(harness, until: Self.noon)
        try harness.tick(atMost: 1)
        #expect(harness.engine.history.isRunning)
        try harness.restart()
        try harness.checkpoint()
        try harness.tick()
        #expect(harness.engine.readings.warmupSeconds == 0)
        // Once learnt, it is not learnt again.
        try harness.restart()
        try harness.checkpoint()
        try harness.tick(atMost: 1)
        #expect(!harness.engine.history.isRunning)
        #expect(harness.engine.readings.warmupSeconds == 0)
    }

    @Test func `that history is unlearnt is written once and not with each commit of it`() throws {
        let harness = try AnomalyHarness(at: Self.noon)
        try harness.checkpoint()
        try harness.advance(seconds: 30)
        func rowsWritten(_ body: () throws -> Void) throws -> Int64 {
            let before = try harness.database.integer("select total_changes()") ?? 0
            try body()
            return try (harness.database.integer("select total_changes()") ?? 0) - before
        }
        let past = harness.event(2, at: Self.noon - 86_400)
        #expect(try rowsWritten { try harness.failToCommit([past]) } == 1)
        #expect(try rowsWritten { try harness.commit([past]) } == 1)
        #expect(try rowsWritten { try harness.commit([past]) } == 0)
        // Learnt, and more of it.
        try harness.checkpoint()
        try harness.advance(seconds: 30)
        #expect(try AnomalyTables.meta(AnomalyEngine.unlearnt, in: harness.database) == "0")
        #expect(try rowsWritten { try harness.commit([past]) } == 1)
        #expect(try AnomalyTables.meta(AnomalyEngine.unlearnt, in: harness.database) == "1")
        // A new process knows what the store says.
        try harness.restart()
        try harness.checkpoint()
        #expect(try rowsWritten { try harness.commit([past]) } == 0)
    }
}
