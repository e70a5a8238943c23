public import Ledger
public import SQLite
internal import Synchronization
public import Usage
internal import Wire

/// Keeps what counters showed last. A mark commits in the transaction of the events of its
/// increase: a body that is sent again counts nothing twice, and what a counter went on to count
/// while costgauge was away is not lost.
public final class CounterMarks: CommitParticipant {
    /// A counter that was not heard of for so long begins anew.
    static let ageNanosMax: Int64 = 30 * 86_400_000_000_000
    /// As many as a receiver remembers. When there are more, those heard of last stay.
    static let countMax = 2 * CounterSeries.generationMax
    private static let pruneNanos: Int64 = 3600 * 1_000_000_000

    private struct State {
        var known: [CounterMark] = []
        var lastNanos: Int64 = 0
        var seed: UInt64 = 0
        /// Of bodies without an event: they are kept with the next checkpoint.
        var unsaved: [UInt64: CounterMark] = [:]
        /// Of them, those in the checkpoint under way.
        var written: [CounterMark] = []
        var nextPrune: Int64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Names series; the same for as long as the store lives.
    var hash: SeededHash { SeededHash(seed: state.withLock { $0.seed }) }
    /// When the last mark was kept, Unix nanoseconds; 0: never.
    var lastNanos: Int64 { state.withLock { $0.lastNanos } }

    /// As they were at the start, those heard of last at the end. Once.
    func takeKnown() -> [CounterMark] {
        state.withLock { state in
            defer { state.known = [] }
            return state.known
        }
    }

    func keep(_ marks: [CounterMark]) {
        guard !marks.isEmpty else { return }
        state.withLock { state in
            for mark in marks where state.unsaved.count < Self.countMax {
                state.unsaved[mark.series] = mark
            }
        }
    }

    public func recover(from database: borrowing Database, now: Int64) throws(SQLiteError) {
        var select = try database.prepare("select seed from otlp_counter_seed")
        let seed = try select.step() ? UInt64(bitPattern: select.integer(0)) : 0
        var marks = try database.prepare(
            """
            select series, start_ns, time_ns, value, seen_ns from otlp_counters
            where seen_ns > ? order by seen_ns desc limit \(Self.countMax)
            """)
        try marks.bind(1, now - Self.ageNanosMax)
        var known: [CounterMark] = []
        var lastNanos: Int64 = 0
        while try marks.step() {
            known.append(
                CounterMark(
                    series: UInt64(bitPattern: marks.integer(0)),
                    start: UInt64(bitPattern: marks.integer(1)),
                    time: UInt64(bitPattern: marks.integer(2)), value: marks.integer(3)))
            lastNanos = max(lastNanos, marks.integer(4))
        }
        known.reverse()
        state.withLock { [known, lastNanos] state in
            state.known = known
            state.lastNanos = lastNanos
            state.seed = seed
        }
    }

    public func prepare(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for batch in group where !batch.marks.isEmpty {
            // The sender is told that the ledger refused them.
            if batch.rows.events.first?.flags.contains(.refused) == true { continue }
            try Self.write(batch.marks, in: database, now: now)
        }
    }

    private static func write(
        _ marks: [CounterMark], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        var insert = try database.prepare(
            """
            insert into otlp_counters (series, start_ns, time_ns, value, seen_ns)
            values (?, ?, ?, ?, ?)
            on conflict do update set start_ns = excluded.start_ns, time_ns = excluded.time_ns,
                value = excluded.value, seen_ns = excluded.seen_ns
                where excluded.time_ns > time_ns
            """)
        for mark in marks {
            try insert.bind(1, Int64(bitPattern: mark.series))
            try insert.bind(2, Int64(bitPattern: mark.start))
            try insert.bind(3, Int64(bitPattern: mark.time))
            try insert.bind(4, mark.value)
            try insert.bind(5, now)
            try insert.run()
        }
    }

    public var needsCheckpoint: Bool { state.withLock { !$0.unsaved.isEmpty } }

    public func checkpoint(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        let unsaved = state.withLock { state in
            state.written = Array(state.unsaved.values)
            return state.written
        }
        try Self.write(unsaved, in: database, now: now)
    }

    public func checkpointEnded(isDurable: Bool) {
        state.withLock { state in
            for mark in state.written where isDurable && state.unsaved[mark.series] == mark {
                state.unsaved[mark.series] = nil
            }
            state.written.removeAll()
        }
    }

    public func isDue(now: Int64) -> Bool { state.withLock { now >= $0.nextPrune } }

    public func tick(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        state.withLock { $0.nextPrune = now + Self.pruneNanos }
        try Self.prune(database, now: now)
    }

    static func prune(
        _ database: borrowing Database, now: Int64, countMax: Int = countMax
    ) throws(SQLiteError) {
        try database.execute("delete from otlp_counters where seen_ns <= \(now - ageNanosMax)")
        try database.execute(
            """
            delete from otlp_counters where seen_ns < coalesce(
                (select seen_ns from otlp_counters order by seen_ns desc
                    limit 1 offset \(countMax - 1)), 0)
            """)
    }

    // Marks are kept by the store alone.
    public func replay(_ rows: EventRows) {}
    public func committed() {}
    public func rolledBack() {}
}

public enum CounterSchema {
    /// What each counter of OpenTelemetry showed last; the seed is of the hash that names them.
    public static let tables = """
        create table otlp_counters (
            series integer primary key,
            start_ns integer not null, time_ns integer not null, value integer not null,
            seen_ns integer not null
        );
        create index otlp_counters_by_seen on otlp_counters (seen_ns);
        create table otlp_counter_seed (seed integer not null);
        insert into otlp_counter_seed values (random());
        """
}
