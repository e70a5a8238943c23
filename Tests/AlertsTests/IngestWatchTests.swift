import SQLite
import SelfMetrics
import Testing
import Usage

@testable import Alerts

private let second: Int64 = 1_000_000_000
private let hour = 3600 * second
private let day = 24 * hour

/// A watch over counters that the test moves, driven as the writer drives it.
private final class WatchHarness {
    let database: Database
    let metrics = SelfMetrics(rejectReasons: [])
    let recorder: AlertRecorder
    private(set) var watch: IngestWatch
    private(set) var now = 100 * day

    init(after: Int64 = hour) throws {
        database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(
            AlertSchema.version3 + AlertSchema.delivery + SilenceSchema.tables)
        recorder = AlertRecorder(
            router: AlertRouter(receivers: []), retentionNanos: 0,
            random: { UInt64.random(in: 0 ... .max) }, onDeliveries: {})
        watch = IngestWatch(afterNanos: after, metrics: metrics, recorder: recorder)
        try watch.recover(from: database, now: now)
    }

    /// A new process: its counters begin at 0, which the test's own do not show.
    func restart(after nanos: Int64) throws {
        now += nanos
        watch = IngestWatch(
            afterNanos: hour, metrics: SelfMetrics(rejectReasons: []), recorder: recorder)
        try watch.recover(from: database, now: now)
    }

    func pass(_ nanos: Int64, events: Bool) throws {
        let end = now + nanos
        while now < end {
            now += min(600 * second, end - now)
            if events { metrics.count(accepted: 1, duplicates: 0, failed: 0, from: .http) }
            guard watch.isDue(now: now) else { continue }
            try database.execute("begin")
            try watch.tick(in: database, now: now)
            try database.execute("commit")
            watch.committed()
        }
    }

    func firing() throws -> [String] {
        try AlertTable.firingKeys(of: .ingestStalled, in: database)
    }
}

@Suite struct IngestWatchTests {
    @Test func `a source that falls silent is told, and when it is back`() throws {
        let harness = try WatchHarness()
        try harness.pass(2 * day, events: true)
        try harness.pass(hour - 600 * second, events: false)
        #expect(try harness.firing() == [])
        try harness.pass(1200 * second, events: false)
        let last = (102 * day) / second
        #expect(try harness.firing() == ["ingest_stalled/http/\(last)"])
        try harness.pass(3 * hour, events: false)
        #expect(try harness.firing().count == 1)
        try harness.pass(600 * second, events: true)
        #expect(try harness.firing() == [])
        let alert = try #require(
            try AlertTable.list(
                status: .resolved, kind: .ingestStalled, before: nil, limit: 1, in: harness.database
            ).first)
        #expect(alert.field("source") == "http" && alert.resolution == "events come again")
        #expect(alert.title == "no events over http for 60 minutes")
    }

    @Test func `a source that was never there, or for less than a day, is not missed`() throws {
        let harness = try WatchHarness()
        try harness.pass(3 * day, events: false)
        try harness.pass(20 * hour, events: true)
        try harness.pass(3 * day, events: false)
        #expect(try harness.firing() == [])
    }

    @Test func `nights are known after the first`() throws {
        let harness = try WatchHarness()
        try harness.pass(2 * day, events: true)
        try harness.pass(10 * hour, events: false)
        #expect(try harness.firing().count == 1)
        for _ in 0..<3 {
            try harness.pass(14 * hour, events: true)
            try harness.pass(10 * hour, events: false)
            #expect(try harness.firing() == [])
        }
        // Longer than twice the usual night.
        try harness.pass(11 * hour, events: false)
        #expect(try harness.firing().count == 1)
    }

    @Test func `it is remembered over a restart, and downtime is no silence`() throws {
        let harness = try WatchHarness()
        try harness.pass(2 * day, events: true)
        try harness.restart(after: 5 * hour)
        try harness.pass(hour - 600 * second, events: false)
        #expect(try harness.firing() == [])
        try harness.pass(1200 * second, events: false)
        #expect(try harness.firing().count == 1)
        try harness.restart(after: hour)
        try harness.pass(2 * hour, events: false)
        #expect(try harness.firing().count == 1)
        // A week of silence: the source counts as gone.
        try harness.pass(8 * day, events: false)
        #expect(try harness.firing() == [])
        #expect(try harness.database.integer("select count(*) from ingest_sources") == 0)
    }

    @Test func `0s watches nothing and ends what fires`() throws {
        let harness = try WatchHarness(after: 0)
        try harness.pass(2 * day, events: true)
        try harness.pass(2 * day, events: false)
        #expect(try harness.firing() == [])
        harness.watch.configure(afterNanos: hour)
        try harness.pass(1200 * second, events: false)
        #expect(try harness.firing().count == 1)
        harness.watch.configure(afterNanos: 0)
        try harness.pass(1200 * second, events: false)
        #expect(try harness.firing() == [])
    }
}
