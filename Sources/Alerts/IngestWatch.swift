public import Ledger
public import SQLite
public import SelfMetrics
internal import Synchronization
public import Usage

/// Tells when events stop coming from where they used to come from: over HTTP, OTLP, LiteLLM or
/// from tailed files.
///
/// A source is known once it has sent events over more than a day. It has stalled when it is silent
/// for longer than `after` and for longer than twice its longest silence of the last two weeks, so
/// that nights and weekends are no news. Time in which costgauge was down is no silence.
public final class IngestWatch: CommitParticipant, @unchecked Sendable {
    // `after` has its lock; the rest belongs to the writer's thread.

    static let knownNanos: Int64 = 86_400_000_000_000
    static let gapDays = 14
    /// After so long a silence the source counts as gone, and its alert ends.
    static let goneNanos: Int64 = 7 * 86_400_000_000_000
    private static let tickNanos: Int64 = 10_000_000_000
    /// Shorter ones say nothing.
    private static let gapNanosMin: Int64 = 60_000_000_000
    private static let saveNanos: Int64 = 60_000_000_000
    private static let dayNanos: Int64 = 86_400_000_000_000
    private static let watched: [SelfMetrics.Source] = [.http, .otlp, .litellm, .jsonl]

    private struct Source {
        /// Unix nanoseconds.
        var first: Int64
        var last: Int64
        /// Days since 1970 of `gaps[0]`.
        var day: Int64
        /// The longest silence of each day, youngest first.
        var gaps: [Int64] = [0]
        var savedLast: Int64 = 0
        /// Key of the alert that tells of it.
        var alert: String?
    }

    private let after: Mutex<Int64>
    private let metrics: SelfMetrics
    private let recorder: AlertRecorder
    private var sources: [String: Source] = [:]
    private var counts: [String: Int] = [:]
    private var started: Int64 = 0
    private var nextTick: Int64 = 0
    /// As before the transaction.
    private var durable: [String: Source] = [:]

    /// - Parameter afterNanos: the shortest silence that is told; 0: none is.
    public init(afterNanos: Int64, metrics: SelfMetrics, recorder: AlertRecorder) {
        after = Mutex(afterNanos)
        self.metrics = metrics
        self.recorder = recorder
    }

    public func configure(afterNanos: Int64) { after.withLock { $0 = afterNanos } }

    public func recover(from database: borrowing Database, now: Int64) throws(SQLiteError) {
        started = now
        var select = try database.prepare(
            "select source, first_ns, last_ns, day, gaps from ingest_sources")
        while try select.step() {
            var source = Source(
                first: select.integer(1), last: select.integer(2), day: select.integer(3))
            source.gaps = select.text(4).split(separator: " ").compactMap { Int64($0) }
            source.savedLast = source.last
            sources[select.text(0)] = source
        }
        for key in try AlertTable.firingKeys(of: .ingestStalled, in: database) {
            let parts = key.split(separator: "/")
            if parts.count == 3 { sources[String(parts[1])]?.alert = key }
        }
        durable = sources
    }

    public func isDue(now: Int64) -> Bool { now >= nextTick }

    public func tick(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        nextTick = now + Self.tickNanos
        let events = metrics.snapshot.events
        for name in Self.watched {
            var count = 0
            for (key, number) in events
            where key.source == name && (key.outcome == .accepted || key.outcome == .duplicate) {
                count += number
            }
            if count > counts[name.rawValue, default: 0] {
                counts[name.rawValue] = count
                try heard(name.rawValue, in: database, now: now)
            } else {
                try check(name.rawValue, in: database, now: now)
            }
        }
    }

    private func heard(
        _ name: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        var source = sources[name] ?? Source(first: now, last: now, day: now / Self.dayNanos)
        let today = now / Self.dayNanos
        for _ in source.day..<max(source.day, min(today, source.day + Int64(Self.gapDays))) {
            source.gaps.insert(0, at: 0)
        }
        source.day = max(source.day, today)
        source.gaps = Array(source.gaps.prefix(Self.gapDays))
        let gap = now - max(source.last, started)
        let isLongest = gap >= Self.gapNanosMin && gap > (source.gaps.first ?? 0)
        if isLongest { source.gaps[0] = gap }
        source.last = now
        if let key = source.alert {
            try recorder.resolve(key, "events come again", in: database, now: now)
            source.alert = nil
        }
        if isLongest || now - source.savedLast >= Self.saveNanos {
            source.savedLast = now
            try save(name, source, in: database)
        }
        sources[name] = source
    }

    private func check(
        _ name: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        guard let source = sources[name] else { return }
        let after = after.withLock { $0 }
        let silence = now - max(source.last, started)
        if let key = source.alert {
            guard after == 0 || silence >= Self.goneNanos else { return }
            try recorder.resolve(
                key, after == 0 ? "it is no longer watched" : "the source counts as gone",
                in: database, now: now)
            try forget(name, in: database)
            sources[name] = nil
            return
        }
        guard after > 0, source.last - source.first >= Self.knownNanos,
            silence >= max(after, 2 * (source.gaps.max() ?? 0))
        else { return }
        let key = "ingest_stalled/\(name)/\(source.last / 1_000_000_000)"
        sources[name]?.alert = key
        try recorder.raise(
            Alert(
                id: recorder.newID("alr_"), dedupKey: key, kind: .ingestStalled, severity: .warning,
                title: "no events over \(name) for \(Self.words(silence))",
                summary: "its longest silence of the last two weeks was "
                    + "\(Self.words(source.gaps.max() ?? 0)); budgets see no spend of it",
                startsAt: now, details: [Alert.Detail("source", name)]),
            in: database, now: now)
    }

    private static func words(_ nanos: Int64) -> String {
        let minutes = nanos / 60_000_000_000
        return minutes < 120 ? "\(minutes) minutes" : "\(minutes / 60) hours"
    }

    private func save(
        _ name: String, _ source: Source, in database: borrowing Database
    ) throws(SQLiteError) {
        var statement = try database.prepare(
            """
            insert or replace into ingest_sources (source, first_ns, last_ns, day, gaps)
            values (?, ?, ?, ?, ?)
            """)
        try statement.bind(1, name)
        try statement.bind(2, source.first)
        try statement.bind(3, source.last)
        try statement.bind(4, source.day)
        try statement.bind(5, source.gaps.map { "\($0)" }.joined(separator: " "))
        try statement.run()
    }

    private func forget(_ name: String, in database: borrowing Database) throws(SQLiteError) {
        var statement = try database.prepare("delete from ingest_sources where source = ?")
        try statement.bind(1, name)
        try statement.run()
    }

    public func committed() { durable = sources }
    public func rolledBack() { sources = durable }
    public func replay(_ rows: EventRows) {}
    public func prepare(_ group: [EventBatch], in database: borrowing Database, now: Int64) {}
    public func checkpoint(in database: borrowing Database, now: Int64) {}
    public func checkpointEnded(isDurable: Bool) {}
}
