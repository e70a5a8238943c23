internal import Logging
internal import SQLite
internal import SelfMetrics
internal import Synchronization
internal import Threading
internal import Usage
internal import Wire

/// The one writer: takes batches in order, commits them in groups, publishes the sums, answers the
/// senders.
///
///     queue -> [mark duplicates -> insert -> commit] -> apply to the state -> settle receipts
///                     \-- on failure: roll back both, tell the senders; nothing was acknowledged
///
/// A lone event is committed at once; while a commit runs, what arrives gathers for the next one.
final class LedgerWriter: @unchecked Sendable {
    // Every field is touched by the writer's thread only, once it has started. Not private: the
    // work between groups is in a file of its own.

    /// Events in one commit: more would not be faster, and the log would grow past its checkpoint
    /// size.
    static let groupEventsMax = 20_000
    /// Rounds of waiting for a group that still grows, each one yield of the processor.
    static let lingerRounds = 4
    /// Under this a sender that tries again late may be counted twice.
    static let windowNanosMin: Int64 = 900_000_000_000
    static let probeBytes = 1 << 20
    static let checkpointNanos: UInt64 = 10_000_000_000
    /// Rows after a checkpoint are applied again at start, at some millions a second.
    static let checkpointRows = 1_000_000

    let shared: LedgerShared
    let database: DatabaseBox
    var identities: IdentityWindow
    var storedNames: NameID
    var group: [EventBatch] = []
    var unsaved: [Checkpoint] = []
    var rollUps: RollUpProgress
    /// False after a step that could not be written: the next one waits.
    var isRollingUp = true
    /// The store has refused something since the writer last looked for work: nothing else is tried
    /// before it looks again, as each attempt can take as long as another connection's lock.
    var isRefused = false
    /// The number of the next event.
    var nextSeq: Int64
    /// Those that a start applied again count: an idle server writes its checkpoint, too.
    var rowsSinceCheckpoint: Int
    var checkpointedAt: UInt64
    var commitFault = RepeatedFault()
    var transactionFault = RepeatedFault()
    var clockFault = RepeatedFault()
    var fullFault = RepeatedFault()
    var lastReceived: Int64
    var retention: Retention
    var compaction = RollUpCompaction()
    var windowFault = RepeatedFault()

    /// Noncopyable values in one owner.
    final class DatabaseBox {
        let database: Database
        var events: EventsTable
        var checkpoints: CheckpointTable
        var rollUps: RollUpWriter
        var sums: SpendSumsWriter
        var names: NameWriter
        /// Prepared once: a lone event pays for each of them.
        var begin: Statement
        var commit: Statement

        init(_ database: consuming Database) throws(SQLiteError) {
            events = try EventsTable(database)
            checkpoints = try CheckpointTable(database)
            rollUps = try RollUpWriter(database)
            sums = try SpendSumsWriter(database)
            names = try NameWriter(database)
            begin = try database.prepare("begin immediate", isKept: true)
            commit = try database.prepare("commit", isKept: true)
            self.database = database
        }
    }

    init(
        shared: LedgerShared, database: consuming Database, identities: IdentityWindow,
        storedNames: NameID, lastReceived: Int64, retention: Retention
    ) throws(SQLiteError) {
        self.shared = shared
        rollUps = RollUpProgress(
            rolled: try RollUpTail.meta("rolled_seq", in: database),
            checkpointed: try RollUpTail.meta("applied_seq", in: database))
        let appliedSeq = shared.state.withLock { $0.appliedSeq }
        nextSeq = appliedSeq + 1
        rowsSinceCheckpoint = Int(appliedSeq - rollUps.checkpointed)
        self.database = try DatabaseBox(database)
        self.identities = identities
        self.storedNames = storedNames
        self.lastReceived = lastReceived
        self.retention = retention
        checkpointedAt = shared.time.monotonicNanos
    }

    /// The thread's body; returns when the queue is closed and empty.
    func run() {
        while true {
            shared.queue.take(
                eventsMax: Self.groupEventsMax, into: &group,
                sleepingNanos: rollUps.lag > 0 && isRollingUp ? 0 : 1_000_000_000)
            let jobs = shared.queue.takeJobs()
            isRefused = false
            if !group.isEmpty {
                linger()
                commitGroup()
            }
            for job in jobs { run(job) }
            if group.isEmpty, jobs.isEmpty, shared.queue.finish() { break }
            tick()
            // Who came meanwhile would wait for one more refusal.
            if isRefused { for job in shared.queue.takeJobs() { job.completion(false) } }
        }
        checkpoint()
        rollUpAll()
        // Readers without a writer then need no log file.
        try? database.database.execute("pragma wal_checkpoint(truncate)")
    }

    /// While more requests arrive, letting their thread run makes one commit serve them all.
    func linger() {
        var count = group.reduce(0) { $0 + $1.count }
        for _ in 0..<Self.lingerRounds where count < EventBatch.capacity {
            yieldThread()
            guard shared.queue.takeMore(eventsMax: Self.groupEventsMax, into: &group) else {
                return
            }
            count = group.reduce(0) { $0 + $1.count }
        }
    }

    func commitGroup() {
        defer {
            shared.queue.giveBack(group)
            group.removeAll(keepingCapacity: true)
        }
        let started = shared.time.monotonicNanos
        shared.health.begin(now: started)
        let now = max(shared.time.unixNanos, lastReceived)
        identities.forgetOld(now: now)
        let inserted = admit(now: now)
        do throws(CommitFailure) {
            try commit(now: now)
        } catch {
            identities.rollBack(inserted)
            tellParticipants(isDurable: false)
            fail(error)
            return
        }
        shared.health.end()
        tellParticipants(isDurable: true)
        lastReceived = now
        identities.settle(now: now)
        watchWindow(now: now)
        shared.publish(
            now: now, windowNanos: identities.windowNanos(now: now), ids: identities.count)
        shared.state.withLock { state in
            for batch in group { state.apply(batch.rows) }
        }
        shared.metrics.observe(commitNanos: shared.time.monotonicNanos - started)
        if shared.health.recover() { tellRecovery() }
        for batch in group { settle(batch) }
    }

    /// Warns once when ids are crowded out so fast that late repetitions are not recognised.
    func watchWindow(now: Int64) {
        let window = identities.windowNanos(now: now)
        if window >= min(Self.windowNanosMin, shared.settings.dedupAgeNanos) {
            if window >= 2 * Self.windowNanosMin { _ = windowFault.cleared() }
        } else if windowFault.occurred("short") {
            shared.log.warn(
                "repeated event ids are recognised for less than 15 minutes; raise intake.dedup_ids",
                ("seconds", "\(window / 1_000_000_000)"),
                ("dedup_ids", "\(shared.settings.dedupCountMax)"))
        }
    }

    /// Marks duplicates, and refuses the parts whose amounts no longer fit into the ledger. Answers
    /// how many ids were new.
    func admit(now: Int64) -> Int {
        var (costLeft, tokensLeft) = shared.state.withLock { state in
            (Int64.max - state.grandTotal, Int64.max - state.tokenTotal)
        }
        var inserted = 0
        for batch in group {
            for part in batch.parts {
                let new = markDuplicates(batch, part.range)
                if batch.rows.events[part.range].contains(where: { !$0.reservation.isEmpty }) {
                    admitReserved(batch, part.range, now: now)
                }
                guard fits(batch, part.range, &costLeft, &tokensLeft) else {
                    identities.rollBack(new)
                    for index in part.range { batch.rows.events[index].flags.insert(.refused) }
                    tellFull()
                    continue
                }
                inserted += new
            }
        }
        return inserted
    }

    /// When the store cannot be read it will not be written either, and the group is refused.
    func admitReserved(_ batch: EventBatch, _ range: Range<Int>, now: Int64) {
        for participant in shared.participants {
            try? participant.admit(batch, range, in: database.database, now: now)
        }
    }

    func markDuplicates(_ batch: EventBatch, _ range: Range<Int>) -> Int {
        var inserted = 0
        identities.warm(batch.rows.events[range])
        for index in range {
            let event = batch.rows.events[index]
            guard !event.id.isEmpty || event.call != 0 else { continue }
            // Mostly an id and no call: then one look-up tells and inserts.
            if event.call == 0 {
                if identities.insert(event.identity) {
                    inserted += 1
                } else {
                    batch.rows.events[index].flags.insert(.duplicate)
                }
            } else if identities.repeats(event) {
                batch.rows.events[index].flags.insert(.duplicate)
            } else {
                inserted += identities.insert(event)
            }
        }
        return inserted
    }

    /// Takes the sums of a part off what is left. Every other sum in the ledger is over a part of
    /// the same events, so this is the one check that keeps all of them within 64 bits.
    func fits(
        _ batch: EventBatch, _ range: Range<Int>, _ costLeft: inout Int64, _ tokensLeft: inout Int64
    ) -> Bool {
        var (cost, tokens) = (costLeft, tokensLeft)
        for index in range where !batch.rows.events[index].isSkipped {
            let event = batch.rows.events[index]
            // What is taken back makes no room: the counters of both directions only rise.
            cost -= abs(event.amount?.nanos ?? 0)
            tokens -= event.tokens.grandTotal
            if cost < 0 || tokens < 0 { return false }
        }
        (costLeft, tokensLeft) = (cost, tokens)
        rowsSinceCheckpoint += range.count
        return true
    }

    func tellFull() {
        if fullFault.occurred("full") {
            shared.log.error(
                "an amount was refused: the sum of all amounts would pass 9.2 thousand million dollars"
            )
        }
    }

    func commit(now: Int64) throws(CommitFailure) {
        // Labels read tags: their values become names before the commit that first uses them.
        shared.state.withLock { state in
            for batch in group { state.internLabels(of: batch.rows) }
        }
        do throws(SQLiteError) {
            try database.begin.run()
            var seq = nextSeq
            for batch in group { seq += Int64(try database.events.insert(batch.rows, at: seq)) }
            for participant in shared.participants {
                try participant.prepare(group, in: database.database, now: now)
            }
            let names = shared.names.texts(after: storedNames)
            try database.names.write(names, after: storedNames)
            try database.commit.run()
            storedNames += NameID(names.count)
            nextSeq = seq
        } catch {
            if !database.database.isAutocommit { try? database.database.execute("rollback") }
            throw .storeUnwritable(message: error.description)
        }
    }

    func settle(_ batch: EventBatch) {
        for part in batch.parts {
            if let first = part.range.first, batch.rows.events[first].flags.contains(.refused) {
                part.receipt.fail(.ledgerFull)
                continue
            }
            var duplicates = 0
            for index in part.range where batch.rows.events[index].isDuplicate { duplicates += 1 }
            part.receipt.settle(
                accepted: part.range.count - duplicates, duplicates: duplicates)
        }
    }

    func tellRecovery() {
        if let failures = commitFault.cleared() {
            shared.log.info("the store accepts events again", ("failures", "\(failures)"))
        }
    }

    func fail(_ failure: CommitFailure) {
        shared.metrics.countCommitFailure()
        if case .storeUnwritable(let message) = failure {
            isRefused = true
            shared.health.fail()
            if commitFault.occurred(message) {
                shared.log.error(
                    "cannot commit events; senders are told to try again", ("cause", message))
            }
        }
        for batch in group {
            for part in batch.parts { part.receipt.fail(failure) }
        }
    }
}
