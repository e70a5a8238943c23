import Testing

@testable import Anomalies

@Suite struct SnapshotTests {
    @Test func `P13 a window is frozen once its lateness has passed, not a second before`() throws {
        let harness = try AnomalyHarness()
        try harness.commit([harness.event(0.10), harness.event(0.20)])
        try harness.advance(seconds: 389)
        #expect(try harness.snapshots() == [])
        #expect(harness.engine.readings.open.map(\.events) == [2])
        // Late for the window's end, in time for its lateness.
        try harness.commit([harness.event(0.30, at: AnomalyHarness.monday + 299)])
        try harness.advance(seconds: 1)
        #expect(try harness.snapshots() == ["0 complete 3 0.60 late 0 0.00"])
        #expect(harness.engine.readings.open == [])
    }

    @Test func `P13 an event of a frozen window is told as late and changes no sum in it`() throws {
        let harness = try AnomalyHarness()
        try harness.commit([harness.event(1)])
        try harness.advance(seconds: 390)
        try harness.commit([
            harness.event(5, at: AnomalyHarness.monday + 10), harness.event(2),
        ])
        #expect(try harness.snapshots() == ["0 complete 1 1.00 late 1 5.00"])
        try harness.advance(seconds: 300)
        #expect(
            try harness.snapshots() == [
                "0 complete 1 1.00 late 1 5.00", "5 complete 1 2.00 late 0 0.00",
            ])
        let rows = try harness.database.integer(
            "select sum(cost_nanousd) from snapshots where dimension = 'tenant' and width = 300")
        #expect(rows == 3_000_000_000)
    }

    @Test func `hours and days are made of their windows, with late events counted in all`() throws
    {
        let harness = try AnomalyHarness()
        try harness.windows(289) { _ in [harness.event(0.01)] }
        #expect(try harness.snapshots(width: 3600).count == 24)
        #expect(try harness.snapshots(width: 3600)[0] == "0 complete 12 0.12 late 0 0.00")
        #expect(try harness.snapshots(width: 86_400) == ["0 complete 288 2.88 late 0 0.00"])
        try harness.commit([harness.event(7, at: AnomalyHarness.monday + 60)])
        #expect(try harness.snapshots()[0] == "0 complete 1 0.01 late 1 7.00")
        #expect(try harness.snapshots(width: 3600)[0] == "0 complete 12 0.12 late 1 7.00")
        #expect(
            try harness.snapshots(width: 86_400) == ["0 complete 288 2.88 late 1 7.00"])
        // After a restart just the same.
        try harness.restart()
        try harness.commit([harness.event(5, at: AnomalyHarness.monday + 3600)])
        #expect(try harness.snapshots(width: 3600)[1] == "60 complete 12 0.12 late 1 5.00")
        #expect(
            try harness.snapshots(width: 86_400) == ["0 complete 288 2.88 late 2 12.00"])
    }

    @Test func `what was not committed is in no window`() throws {
        let harness = try AnomalyHarness()
        try harness.failToCommit([harness.event(9)])
        try harness.commit([harness.event(1)])
        harness.time.advance(seconds: 390)
        try harness.tick(isDurable: false)
        #expect(try harness.snapshots() == [])
        try harness.tick()
        #expect(try harness.snapshots() == ["0 complete 1 1.00 late 0 0.00"])
    }

    @Test func `a crash between checkpoints loses nothing of an open window`() throws {
        let harness = try AnomalyHarness()
        try harness.commit([harness.event(1, user: "u")])
        try harness.checkpoint()
        try harness.commit([harness.event(2, user: "u")])
        try harness.restart()
        try harness.advance(seconds: 390)
        #expect(try harness.snapshots() == ["0 complete 2 3.00 late 0 0.00"])
        // Frozen after the checkpoint: what is replayed is in it already.
        try harness.restart()
        try harness.advance(seconds: 300)
        #expect(
            try harness.snapshots() == [
                "0 complete 2 3.00 late 0 0.00", "5 complete 0 0.00 late 0 0.00",
            ])
    }

    @Test func `windows of a downtime are frozen without their complete mark`() throws {
        let harness = try AnomalyHarness()
        try harness.windows(2) { _ in [harness.event(1)] }
        try harness.checkpoint()
        try harness.restart(after: 1000)
        try harness.tick()
        try harness.windows(3) { _ in [harness.event(1)] }
        let marks = try harness.snapshots().map { $0.contains(" complete") }
        #expect(marks == [true, true, false, false, false, false, true, true])
        #expect((harness.engine.watch.series[0].spend.age * 288).rounded() == 4)
    }

    @Test func `a downtime that is read from files afterwards leaves complete windows`() throws {
        let harness = try AnomalyHarness()
        try harness.windows(2) { _ in [harness.event(1)] }
        try harness.checkpoint()
        harness.isCaughtUp = false
        try harness.restart(after: 1000, readsDowntime: true)
        try harness.tick()
        // The tail reads what was written meanwhile.
        try harness.commit([harness.event(5, at: AnomalyHarness.monday + 950)])
        harness.isCaughtUp = true
        try harness.tick()
        #expect(
            try harness.snapshots() == [
                "0 complete 1 1.00 late 0 0.00", "5 complete 1 1.00 late 0 0.00",
                "10 complete 0 0.00 late 0 0.00", "15 complete 1 5.00 late 0 0.00",
                "20 complete 0 0.00 late 0 0.00",
            ])
    }

    @Test func `a quick restart costs no window`() throws {
        let harness = try AnomalyHarness()
        try harness.windows(2) { _ in [harness.event(1)] }
        try harness.checkpoint()
        try harness.restart(after: 90)
        try harness.windows(2) { _ in [harness.event(1)] }
        #expect(try harness.snapshots().allSatisfy { $0.contains(" complete") })
    }

    @Test func `nothing is frozen while a source still catches up`() throws {
        let harness = try AnomalyHarness()
        harness.isCaughtUp = false
        try harness.commit([harness.event(1)])
        try harness.advance(seconds: 7200)
        #expect(try harness.snapshots() == [])
        try harness.commit([harness.event(2, at: AnomalyHarness.monday + 5)])
        harness.isCaughtUp = true
        try harness.tick()
        #expect(try harness.snapshots()[0] == "0 complete 2 3.00 late 0 0.00")
        #expect(try harness.snapshots().count == 23)
    }

    @Test func `a clock that is set ahead leaves windows without their mark`() throws {
        let harness = try AnomalyHarness()
        try harness.windows(2) { _ in [harness.event(1)] }
        harness.time.step(seconds: 3 * 3600)
        try harness.tick()
        #expect(try harness.snapshots().filter { $0.contains(" complete") }.count == 2)
        #expect(try harness.snapshots().filter { $0.contains("incomplete") }.count > 30)
    }

    @Test func `one tick freezes a bounded number of windows`() throws {
        let harness = try AnomalyHarness()
        try harness.commit([harness.event(1)])
        harness.time.advance(seconds: 300 * 300)
        #expect(harness.engine.isDue(now: harness.now))
        try harness.database.execute("begin")
        try harness.engine.tick(in: harness.database, now: harness.now)
        try harness.database.execute("commit")
        harness.engine.committed()
        #expect(try harness.snapshots().count == AnomalyEngine.windowsPerTick)
        try harness.tick()
        #expect(try harness.snapshots().count == 299)
    }

    @Test func `a window of very many value sets folds the finer ones and keeps its sum`() throws {
        let harness = try AnomalyHarness()
        let count = WindowSums.setsMax + 500
        for start in stride(from: 0, to: count, by: 1000) {
            try harness.commit(
                (start..<min(count, start + 1000)).map {
                    harness.event(0.001, user: "u\($0)", feature: "f")
                })
        }
        try harness.advance(seconds: 390)
        func sum(_ dimension: String) throws -> Int64? {
            try harness.database.integer(
                "select sum(cost_nanousd) from snapshots where dimension = '\(dimension)'")
        }
        for dimension in ["tenant", "user", "feature"] {
            #expect(try sum(dimension) == Int64(count) * 1_000_000)
        }
        // As many users as may have series, and one for the rest.
        #expect(
            try harness.database.integer(
                "select count(*) from snapshots where dimension = 'user'") == 1001)
    }

    @Test func `old windows are deleted, hours and days later`() throws {
        var settings = AnomalySettings()
        settings.snapshotNanos = 86_400_000_000_000
        let harness = try AnomalyHarness(settings)
        try harness.windows(288 * 6) { _ in [harness.event(0.01)] }
        #expect(try (280...305).contains(harness.snapshots().count))
        #expect(try (115...140).contains(harness.snapshots(width: 3600).count))
        #expect(try harness.snapshots(width: 86_400).count == 5)
    }
}
