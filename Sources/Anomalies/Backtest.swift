internal import Aggregation
internal import Ledger
public import SQLite
internal import Synchronization
public import Usage
internal import Wire

/// What would have been told of stored history with given settings: the engine itself runs over it,
/// on a store in memory. Raw events give the windows as they were; where they are deleted already,
/// quarter hours of the roll-ups take their place.
public struct Backtest: Sendable {
    public struct Result: Sendable {
        /// Unix seconds: where telling began, and where history ends.
        public let since: Int64
        public let until: Int64
        public let windows: Int
        public let series: Int
        /// Read from roll-ups, so that windows are quarter hours at least.
        public let isCoarse: Bool
        public let warmupSeconds: Int64
        /// In order of time.
        public let events: [AnomalyEvent]
        /// Not told: shadows of others.
        public let explained: Int
    }

    public var settings: AnomalySettings
    /// Unix seconds; the detectors learn from what is before.
    public var since: Int64
    /// Unix seconds: the end of history.
    public var until: Int64

    public init(settings: AnomalySettings, since: Int64, until: Int64) {
        self.settings = settings
        self.since = since
        self.until = until
    }

    /// `names` must hold the names of `database`.
    public func run(
        on database: borrowing Database, names: Names
    ) throws(SQLiteError) -> Result {
        var settings = settings
        let learnFrom = since - HistoryProgress.spanSeconds
        let oldestEvent = try StoredEvents.bounds(in: database)?.lowerBound
        let oldestSum = try RollUpsTable.oldest(in: database) ?? .max
        let oldest = max(
            learnFrom,
            min(
                oldestEvent.map { $0 / 1_000_000_000 } ?? until,
                oldestSum == .max ? until : oldestSum))
        // Events are kept for a while only; a day of them may come late.
        let isCoarse =
            oldestSum != .max
            && (oldestEvent ?? .max) / 1_000_000_000 > oldestSum + 86_400
            && (oldestEvent ?? .max) / 1_000_000_000 > learnFrom + 86_400
        if isCoarse { settings.windowSeconds = max(settings.windowSeconds, RollUpsTable.seconds) }
        let width = settings.windowSeconds
        let clock = BacktestClock(seconds: floorDivide(oldest, 3600) * 3600)
        let told = Mutex<[AnomalyEvent]>([])
        let begin = since
        let engine = AnomalyEngine(settings: settings, names: names, time: clock) {
            events, _, now in
            guard now / 1_000_000_000 >= begin else { return }
            told.withLock { $0 += events }
        }
        let store = try Database(path: ":memory:", mode: .readWrite)
        try store.execute(LedgerSchema.tables + AnomalySchema.version4)
        try engine.recover(from: store, now: clock.unixNanos)
        engine.gap = 0..<0
        engine.history = HistoryProgress()
        try feed(engine, isCoarse: isCoarse, from: oldest, clock, database, store)
        try pass(engine, clock, until: until + width, store)
        let explained = try store.integer(
            "select count(*) from anomalies where silence = 'explained' and start >= \(since)")
        return Result(
            since: since, until: until,
            windows: Int(max(0, (until - max(since, oldest)) / width)),
            series: engine.watch.series.count, isCoarse: isCoarse,
            warmupSeconds: engine.readings.warmupSeconds, events: told.withLock { $0 },
            explained: Int(explained ?? 0))
    }

    /// Puts history into windows, in order of time, and freezes each when the next has begun.
    private func feed(
        _ engine: AnomalyEngine, isCoarse: Bool, from: Int64, _ clock: BacktestClock,
        _ database: borrowing Database, _ store: borrowing Database
    ) throws(SQLiteError) {
        let width = engine.settings.windowSeconds
        var windows: [Int64: WindowSums] = [:]
        func add(_ event: CostEvent, _ sums: WindowSums.Sums) {
            let start = floorDivide(event.timestamp / 1_000_000_000, width) * width
            windows[start, default: WindowSums()].add(engine.reader.key(of: event), sums)
        }
        if isCoarse {
            try RollUpsTable.readSums(since: from, until: until, from: database) { event, row in
                var sums = WindowSums.Sums()
                sums.events = row.events
                sums.cost = max(0, row.cost)
                sums.largest = max(0, row.largest)
                sums.tokens = row.tokens
                add(event, sums)
            }
        } else {
            try StoredEvents.read(
                since: from * 1_000_000_000, until: until * 1_000_000_000, from: database
            ) { event in
                add(event, WindowSums.Sums(event))
            }
        }
        for start in windows.keys.sorted() {
            try pass(engine, clock, until: start, store)
            engine.open[start] = windows.removeValue(forKey: start)
        }
    }

    /// Lets time pass until every window before `start` is frozen.
    private func pass(
        _ engine: AnomalyEngine, _ clock: BacktestClock, until start: Int64,
        _ store: borrowing Database
    ) throws(SQLiteError) {
        let lateness = engine.settings.latenessNanos
        while engine.watch.frozenUntil + engine.settings.windowSeconds <= start {
            let end = engine.watch.frozenUntil + engine.settings.windowSeconds
            clock.set(end * 1_000_000_000 + lateness)
            guard engine.isDue(now: clock.unixNanos) else { return }
            try store.execute("begin")
            try engine.tick(in: store, now: clock.unixNanos)
            try store.execute("commit")
            engine.committed()
        }
    }
}

/// The wall clock of history; no real time passes.
final class BacktestClock: TimeSource {
    private let nanos: Mutex<Int64>

    init(seconds: Int64) { nanos = Mutex(seconds * 1_000_000_000) }

    func set(_ value: Int64) { nanos.withLock { $0 = value } }

    var unixNanos: Int64 { nanos.withLock { $0 } }
    var monotonicNanos: UInt64 { 0 }
}
