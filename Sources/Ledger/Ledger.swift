public import Logging
public import SQLite
public import SelfMetrics
internal import Synchronization
internal import Threading
public import Usage
public import Wire

/// What the writer shares with the threads that read.
final class LedgerShared: Sendable {
    let settings: LedgerSettings
    let names: Names
    let queue: EventQueue
    let state: Mutex<LedgerState>
    let time: any TimeSource
    let metrics: SelfMetrics
    let log: Logger
    let participants: [any CommitParticipant]
    let health = StoreHealth()
    private let lastReceived: Atomic<Int64>
    private let dedupWindowNanos: Atomic<Int64>
    private let dedupIDs = Atomic<Int>(0)

    init(
        settings: LedgerSettings, names: Names, state: LedgerState, time: any TimeSource,
        metrics: SelfMetrics, log: Logger, participants: [any CommitParticipant]
    ) {
        self.settings = settings
        self.names = names
        queue = EventQueue(eventsMax: settings.queueEventsMax)
        self.state = Mutex(state)
        self.time = time
        self.metrics = metrics
        self.log = log
        self.participants = participants
        dedupWindowNanos = Atomic(settings.dedupAgeNanos)
        lastReceived = Atomic(state.lastReceived)
    }

    /// The wall clock, never behind the last commit.
    var now: Int64 { max(time.unixNanos, lastReceived.load(ordering: .relaxed)) }

    func publish(now: Int64, windowNanos: Int64, ids: Int) {
        lastReceived.store(now, ordering: .relaxed)
        dedupWindowNanos.store(windowNanos, ordering: .relaxed)
        dedupIDs.store(ids, ordering: .relaxed)
    }

    var windowNanos: Int64 { dedupWindowNanos.load(ordering: .relaxed) }
    var ids: Int { dedupIDs.load(ordering: .relaxed) }
}

private struct LedgerTime: TimeSource {
    let shared: LedgerShared

    var unixNanos: Int64 { shared.now }
    var monotonicNanos: UInt64 { shared.time.monotonicNanos }
}

/// All committed events and the sums over them.
///
/// `init` recovers, `start` begins to write, `stop` commits what was accepted and ends the writer.
public final class Ledger: Sendable {
    private let shared: LedgerShared
    private let writer: LedgerWriter
    private let thread = Mutex<NamedThread?>(nil)

    /// Reads back what `database` holds. `hash` must be the one that intake computes identities
    /// with.
    public init(
        database: consuming Database, settings: LedgerSettings, retentionNanos: Int64, names: Names,
        hash: SeededHash, time: any TimeSource, metrics: SelfMetrics, log: Logger,
        participants: [any CommitParticipant] = []
    ) throws(SQLiteError) {
        var recovered = try Recovery.run(
            database, settings: settings, names: names, participants: participants,
            wallClock: time.unixNanos)
        shared = LedgerShared(
            settings: settings, names: names, state: recovered.state, time: time, metrics: metrics,
            log: log, participants: participants)
        var identities = IdentityWindow(
            countMax: settings.dedupCountMax, ageNanosMax: settings.dedupAgeNanos)
        let now = max(time.unixNanos, recovered.state.lastReceived)
        try identities.rebuild(
            from: database, names: names, hash: hash, settings: settings, now: now)
        shared.publish(
            now: recovered.state.lastReceived, windowNanos: identities.windowNanos(now: now),
            ids: identities.count)
        if recovered.mustCheckpoint {
            try Recovery.rewrite(
                database, shared.state.withLock { Checkpoint(takingAllFrom: &$0) }, names,
                storedNames: &recovered.storedNames, participants: participants, now: now)
        }
        writer = try LedgerWriter(
            shared: shared, database: database, identities: identities,
            storedNames: recovered.storedNames, lastReceived: recovered.state.lastReceived,
            retention: Retention(ageNanos: retentionNanos))
    }

    public var queue: EventQueue { shared.queue }

    public func start() {
        let writer = writer
        thread.withLock { $0 = NamedThread("ledger-writer") { writer.run() } }
    }

    /// Refuses new batches, commits those that wait, writes a checkpoint and joins the writer.
    public func stop() {
        shared.queue.close()
        thread.withLock { $0.take() }?.join()
    }

    /// False while the store refuses commits, and once one has been under way for five seconds.
    public var isWritable: Bool { shared.health.isWritable(now: shared.time.monotonicNanos) }
    public var dedupWindowNanos: Int64 { shared.windowNanos }
    public var dedupCount: Int { shared.ids }

    public var now: Int64 { shared.now }

    /// Time as the ledger counts it: a wall clock that is set back stands still until it has caught
    /// up, so that no window, period or retention runs twice.
    public var time: any TimeSource { LedgerTime(shared: shared) }

    /// Runs `job` on the writer's thread in a transaction of its own; `completion` follows there,
    /// with false when it could not be committed.
    ///
    /// - Parameter afterCheckpoint: for a job that reads roll-ups, which then hold every event.
    public func write(
        afterCheckpoint: Bool = false, _ job: @escaping StoreJob,
        completion: @escaping @Sendable (Bool) -> Void = { _ in }
    ) {
        let job = EventQueue.Job(
            run: job, needsCheckpoint: afterCheckpoint, completion: completion)
        if !shared.queue.submit(job) { completion(false) }
    }

    /// Lends the published sums. The writer waits meanwhile, so copy out and leave.
    public func withState<Result: Sendable>(
        _ body: (borrowing LedgerState) -> Result
    ) -> Result {
        shared.state.withLock { body($0) }
    }
}
