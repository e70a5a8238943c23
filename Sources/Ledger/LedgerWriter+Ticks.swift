internal import Logging
internal import SQLite
internal import Synchronization
internal import Usage
internal import Wire

// What happens between groups.
extension LedgerWriter {
    func tick() {
        let now = shared.time.monotonicNanos
        let isDue = now - checkpointedAt >= Self.checkpointNanos
        let time = max(shared.time.unixNanos, lastReceived)
        tellOfClock()
        if !isRefused, rowsSinceCheckpoint >= Self.checkpointRows || isDue { checkpoint() }
        if !isRefused, shared.health.isRefused { probe() }
        if !isRefused { rollUp() }
        for participant in shared.participants where !isRefused && participant.isDue(now: time) {
            tick(participant, now: time)
        }
        guard !isRefused else { return }
        shared.health.begin(now: shared.time.monotonicNanos, isLong: true)
        retention.run(database.database, now: time, shared.log)
        compaction.run(database.database, now: time, shared.log)
        shared.health.end()
    }

    /// A clock further behind the last commit is told of.
    private static let clockNanosMax: Int64 = 60 * 1_000_000_000

    private func tellOfClock() {
        let behind = lastReceived - shared.time.unixNanos
        if behind > Self.clockNanosMax {
            guard clockFault.occurred("behind") else { return }
            shared.log.warn(
                "the clock was set back behind the last commit; time stands still until it has caught up",
                ("seconds", "\(behind / 1_000_000_000)"),
                ("until", RFC3339.text(unixNanos: lastReceived / 1_000_000_000 * 1_000_000_000)))
        } else if clockFault.cleared() != nil {
            shared.log.info("the clock has caught up with the last commit")
        }
    }

    private func tick(_ participant: any CommitParticipant, now: Int64) {
        let isDurable = transaction(isLong: true) { database throws(SQLiteError) in
            try participant.tick(in: database, now: now)
        }
        tellParticipants(isDurable: isDurable)
    }

    func run(_ job: EventQueue.Job) {
        if job.needsCheckpoint, !isRefused {
            checkpoint()
            rollUpAll()
        }
        guard !isRefused else { return job.completion(false) }
        let isDurable = transaction(isLong: job.needsCheckpoint, job.run)
        tellParticipants(isDurable: isDurable)
        job.completion(isDurable)
    }

    /// What one participant does can reach others: a budget's tick raises alerts.
    func tellParticipants(isDurable: Bool) {
        for participant in shared.participants {
            if isDurable { participant.committed() } else { participant.rolledBack() }
        }
    }

    /// False when it could not be committed; then nothing of it is kept.
    ///
    /// - Parameter isLong: the body may take long on a large store that is well.
    private func transaction(
        isLong: Bool = false,
        _ body: (borrowing Database) throws(SQLiteError) -> Void
    ) -> Bool {
        do throws(SQLiteError) {
            shared.health.begin(now: shared.time.monotonicNanos)
            try database.database.execute("begin immediate")
            if isLong { shared.health.begin(now: shared.time.monotonicNanos, isLong: true) }
            try body(database.database)
            if isLong { shared.health.begin(now: shared.time.monotonicNanos) }
            try database.database.execute("commit")
            shared.health.end()
            _ = transactionFault.cleared()
            return true
        } catch {
            isRefused = error.isBusy || error.isUnwritable
            if isRefused { shared.health.fail() } else { shared.health.end() }
            if !database.database.isAutocommit { try? database.database.execute("rollback") }
            if transactionFault.occurred(error.description) {
                shared.log.warn("cannot write to the store", ("cause", error.description))
            }
            return false
        }
    }

    /// Puts the state in memory beside the rows that it was made from.
    func checkpoint() {
        checkpointedAt = shared.time.monotonicNanos
        guard
            rowsSinceCheckpoint > 0 || !unsaved.isEmpty
                || shared.participants.contains(where: \.needsCheckpoint)
        else { return }
        rowsSinceCheckpoint = 0
        let checkpoint = shared.state.withLock { Checkpoint(takingFrom: &$0) }
        unsaved.append(checkpoint)
        let now = max(shared.time.unixNanos, lastReceived)
        let names = shared.names.texts(after: storedNames)
        let isDurable = transaction(isLong: true) { database throws(SQLiteError) in
            try self.database.names.write(names, after: storedNames)
            for checkpoint in unsaved { try self.database.checkpoints.write(checkpoint) }
            for participant in shared.participants {
                try participant.checkpoint(in: database, now: now)
            }
        }
        // What was not written is kept for the next time; the rows themselves are safe.
        if isDurable {
            unsaved.removeAll()
            rollUps.checkpointEnded(appliedSeq: checkpoint.appliedSeq)
            storedNames += NameID(names.count)
        }
        for participant in shared.participants {
            participant.checkpointEnded(isDurable: isDurable)
        }
    }

    /// A step when nobody waits; under load only when they are far behind, and then faster than
    /// events come.
    private func rollUp() {
        guard rollUps.lag > 0 else { return }
        if shared.queue.isEmpty {
            _ = rollUpStep()
        } else if rollUps.lag > RollUpProgress.lagMax {
            for _ in 0..<2 * Self.groupEventsMax / RollUpProgress.eventsPerStep {
                guard rollUpStep() else { return }
            }
        }
    }

    func rollUpAll() {
        while rollUps.lag > 0, rollUpStep() {}
    }

    /// False when there was nothing to do or it could not be written.
    private func rollUpStep() -> Bool {
        guard rollUps.lag > 0 else { return false }
        var reached: Int64 = 0
        let isDurable = transaction { database throws(SQLiteError) in
            reached = try rollUps.step(in: database, &self.database.rollUps, &self.database.sums)
        }
        if isDurable { rollUps.stepEnded(at: reached) }
        isRollingUp = isDurable
        return isDurable
    }

    /// With no events coming, a write of some size tells when the store can be written again: a few
    /// bytes still fit where a commit does not.
    private func probe() {
        do throws(SQLiteError) {
            try database.database.execute(
                "insert or replace into ledger_meta values ('probe', zeroblob(\(Self.probeBytes)))")
            try database.database.execute("delete from ledger_meta where key = 'probe'")
        } catch {
            isRefused = true
            return
        }
        if shared.health.recover() { tellRecovery() }
    }
}
