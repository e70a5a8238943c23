internal import Aggregation
public import Ledger
public import SQLite
internal import Synchronization
public import Usage
internal import Wire

/// Writes what anomalies tell, in the transaction in which it became true.
public typealias AnomalyReport =
    @Sendable (_ events: [AnomalyEvent], _ database: borrowing Database, _ now: Int64)
    throws(SQLiteError) -> Void

/// Gathers committed spend into windows, freezes each once its lateness has passed, and lets the
/// detectors see frozen windows only.
///
///     commit -> open window -> (end + lateness) -> snapshot + detectors' states + anomalies
///                                                  in one transaction
///
/// An event that comes after its window was frozen is in the ledger and in budgets; here it is
/// counted as late for that window and changes nothing else.
public final class AnomalyEngine: CommitParticipant, @unchecked Sendable {
    // `published` has its lock; every other field belongs to the writer's thread, and before that
    // to the thread that recovers.

    public let settings: AnomalySettings
    let model: SpendModel
    let names: Names
    let time: any TimeSource
    let report: AnomalyReport
    /// False while a source still reads what was written during a downtime.
    private let isCaughtUp: @Sendable () -> Bool
    /// What was written during a downtime is read afterwards: its windows become complete.
    let readsDowntime: Bool

    var watch: Watch
    /// What a tick made, until its transaction is over.
    var pendingWatch: Watch?
    /// By begin of the window, Unix seconds.
    var open: [Int64: WindowSums] = [:]
    var reader: LabelReader
    private var group: [EventBatch] = []
    /// Unix seconds in which nothing could arrive: windows in it are not complete.
    var gap: Range<Int64> = 0..<0
    var history = HistoryProgress()
    /// No window of that width (seconds) was frozen that begins before (Unix seconds).
    var frozenSince: [Int64: Int64] = [:]
    private var seenAt: (wall: Int64, monotonic: UInt64)?
    /// Monotonic time at which the detectors' states were stored; nil: not by this process.
    var storedAt: UInt64?
    private var nextPrune: Int64 = 0
    /// When to note next that we are alive.
    private var nextSign: Int64 = 0
    private let published: Mutex<AnomalyReadings>

    /// Frozen by one tick: a start after days of downtime must not keep events waiting.
    static let windowsPerTick = 288
    /// Older windows are not caught up on.
    static let catchUpSeconds: Int64 = 35 * 86_400
    /// The wall clock went ahead of the monotonic one by more: the machine slept.
    static let jumpNanos: Int64 = 2 * 3600 * 1_000_000_000
    /// How exactly a downtime is known afterwards: well within a window's lateness.
    private static let signNanos: Int64 = 30_000_000_000
    private static let pruneNanos: Int64 = 3600 * 1_000_000_000

    public init(
        settings: AnomalySettings, names: Names, time: any TimeSource,
        readsDowntime: Bool = false, isCaughtUp: @escaping @Sendable () -> Bool = { true },
        report: @escaping AnomalyReport
    ) {
        self.settings = settings
        model = settings.model
        self.names = names
        self.time = time
        self.isCaughtUp = isCaughtUp
        self.readsDowntime = readsDowntime
        self.report = report
        watch = Watch(dimensions: settings.dimensions.count)
        reader = LabelReader(labels: settings.dimensions, names: names)
        var readings = AnomalyReadings()
        readings.windowSeconds = settings.windowSeconds
        readings.warmupSeconds = Int64(settings.spend.warmupDays * 86_400)
        published = Mutex(readings)
    }

    public var readings: AnomalyReadings { published.withLock { $0 } }

    public func replay(_ rows: EventRows) {
        history.replayed()
        add(rows)
    }

    public func prepare(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        // A tag's value becomes a name before the commit that first uses it.
        if reader.interns { intern(group) }
        try noteLate(group, in: database, now: now)
        self.group = group
    }

    public func committed() {
        history.committed()
        if let pendingWatch {
            watch = pendingWatch
            self.pendingWatch = nil
            let frozen = watch.frozenUntil
            for start in open.keys where start < frozen { open[start] = nil }
            publish()
        }
        guard !group.isEmpty else { return }
        for batch in group { add(batch.rows) }
        group = []
        publishOpen()
    }

    public func rolledBack() {
        group = []
        if pendingWatch != nil { storedAt = nil }
        pendingWatch = nil
        history.rolledBack()
    }

    public func isDue(now: Int64) -> Bool {
        noteTime(now)
        if history.isRunning || history.isDue(now: now) || now >= min(nextPrune, nextSign) {
            return true
        }
        return isFreezable(watch.frozenUntil, now: now) && isCaughtUp()
    }

    /// The window that begins there takes no more events.
    private func isFreezable(_ start: Int64, now: Int64) -> Bool {
        (start + settings.windowSeconds) * 1_000_000_000 + settings.latenessNanos <= now
    }

    public func tick(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        if now >= nextSign {
            nextSign = now + Self.signNanos
            try AnomalyTables.setMeta("alive_ns", String(now), in: database)
        }
        if now >= nextPrune {
            nextPrune = now + Self.pruneNanos
            try AnomalyTables.prune(database, settings: settings, now: now)
        }
        if history.isRunning || history.isDue(now: now) {
            try learnHistory(in: database, now: now)
            return
        }
        guard isFreezable(watch.frozenUntil, now: now), isCaughtUp() else { return }
        var next = watch
        var events: [AnomalyEvent] = []
        var windows = 0
        while isFreezable(next.frozenUntil, now: now), windows < Self.windowsPerTick {
            events += try freeze(next.frozenUntil, &next, in: database, now: now)
            windows += 1
        }
        try store(next, in: database, now: now)
        if !events.isEmpty { try report(events, database, now) }
        pendingWatch = next
    }

    public func checkpoint(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        try AnomalyTables.writeOpen(open, in: database)
        try AnomalyTables.setMeta("alive_ns", String(now), in: database)
    }

    public func checkpointEnded(isDurable: Bool) {
        guard isDurable else { return }
        for start in open.keys { open[start]?.isDirty = false }
        history.checkpointed()
    }
}

// From events to open windows.
extension AnomalyEngine {
    private func intern(_ group: [EventBatch]) {
        for batch in group {
            for event in batch.rows.events where !event.isSkipped { _ = reader.key(of: event) }
        }
    }

    /// Adds events to their windows; those of frozen ones are stepped over.
    private func add(_ rows: EventRows) {
        let width = settings.windowSeconds * 1_000_000_000
        let frozen = watch.frozenUntil * 1_000_000_000
        var start = Int64.min
        var sums = WindowSums()
        for event in rows.events
        where !event.isSkipped && !event.isAdjustment && event.timestamp >= frozen {
            if start == .min || event.timestamp < start || event.timestamp - start >= width {
                if start != .min { open[start / 1_000_000_000] = sums }
                start = floorDivide(event.timestamp, width) * width
                sums = open.removeValue(forKey: start / 1_000_000_000) ?? WindowSums()
            }
            sums.add(reader.key(of: event), WindowSums.Sums(event))
        }
        if start != .min { open[start / 1_000_000_000] = sums }
    }

    /// Counts events of frozen windows for those windows; older ones are history to learn from.
    private func noteLate(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let width = settings.windowSeconds * 1_000_000_000
        let frozen = watch.frozenUntil * 1_000_000_000
        var late: [Int64: WindowSums.Sums] = [:]
        for batch in group {
            for event in batch.rows.events
            where !event.isSkipped && !event.isAdjustment && event.timestamp < frozen {
                let start = floorDivide(event.timestamp, width) * width / 1_000_000_000
                late[start, default: WindowSums.Sums()].add(WindowSums.Sums(event))
            }
        }
        var hasHistory = false
        for (start, sums) in late {
            var isKnown = false
            for (width, since) in frozenSince {
                let start = floorDivide(start, width) * width
                guard start >= since, start + width <= watch.frozenUntil else { continue }
                let isHere = try AnomalyTables.addLate(
                    width: width, start: start, events: sums.events, nanos: sums.cost, in: database)
                if isHere, width == settings.windowSeconds { isKnown = true }
            }
            if !isKnown, start >= now / 1_000_000_000 - HistoryProgress.spanSeconds {
                history.arrived(now: now)
                hasHistory = true
            }
        }
        if hasHistory, history.mustMark { try markUnlearnt(true, in: database) }
    }

    static let unlearnt = "unlearnt_history"

    /// Notices that the machine slept: nothing could arrive meanwhile.
    private func noteTime(_ now: Int64) {
        let monotonic = time.monotonicNanos
        defer { seenAt = (now, monotonic) }
        guard let seenAt else { return }
        let ahead = (now - seenAt.wall) - Int64(clamping: monotonic - seenAt.monotonic)
        if ahead > Self.jumpNanos { gap = seenAt.wall / 1_000_000_000..<now / 1_000_000_000 }
    }
}

// What others see.
extension AnomalyEngine {
    func publish() {
        var readings = AnomalyReadings()
        readings.counts = watch.counts
        readings.active =
            watch.active.values.map(\.anomaly)
            .sorted { ($1.grade, $0.id) < ($0.grade, $1.id) }
            .prefix(AnomalyReadings.activeMax)
            .map {
                AnomalyReadings.Active(
                    kind: $0.kind.description, dimension: $0.dimension, value: $0.value,
                    grade: $0.grade)
            }
        let days = max(0, settings.spend.warmupDays - watch.age)
        // The sum of many small steps may miss the whole by a hair.
        readings.warmupSeconds = Int64((days * 86_400).rounded())
        readings.series = watch.series.count
        readings.frozenUntil = watch.frozenUntil
        readings.windowSeconds = settings.windowSeconds
        let new = readings
        published.withLock { $0 = new }
        publishOpen()
    }

    private func publishOpen() {
        let windows = open.sorted { $0.key < $1.key }.prefix(AnomalyReadings.openMax).map {
            AnomalyReadings.OpenWindow(
                start: $0.key, events: $0.value.total.events,
                cost: NanoUSD(nanos: $0.value.total.cost))
        }
        published.withLock { $0.open = windows }
    }
}
