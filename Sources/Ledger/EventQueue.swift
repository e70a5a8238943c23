internal import Synchronization
internal import Threading
public import Usage

/// Batches on their way to the writer, bounded in events.
///
/// A batch that waits with room left is handed out again, so that small requests share one
/// statement.
public final class EventQueue: Sendable {
    private struct State {
        var waiting: [EventBatch] = []
        /// Empty batches to use again.
        var pool: [EventBatch] = []
        var jobs: [Job] = []
        /// Events in `waiting` and in the writer's hands.
        var events = 0
        /// Threads between `hold` and `release`.
        var holds = 0
        var isWriterAsleep = false
        var isClosed = false
        /// The writer has gone.
        var isFinished = false
    }

    /// A write of another thread, and who waits for it.
    struct Job: Sendable {
        let run: StoreJob
        /// Roll-ups must hold every event before it runs.
        let needsCheckpoint: Bool
        let completion: @Sendable (Bool) -> Void
    }

    /// So many do not wait for `release`.
    static let heldMax = 64
    /// Idle batches kept; more than a full queue needs.
    private static let poolMax = 256

    private let state = Mutex(State())
    private let wake = WakeSignal()
    private let eventsMax: Int

    init(eventsMax: Int) {
        self.eventsMax = eventsMax
    }

    public var hasRoom: Bool { state.withLock { $0.events < eventsMax && !$0.isClosed } }
    /// Nobody waits for a commit or a job.
    var isEmpty: Bool { state.withLock { $0.waiting.isEmpty && $0.jobs.isEmpty } }
    var isWriterAsleep: Bool { state.withLock { $0.isWriterAsleep } }
    public var isClosed: Bool { state.withLock { $0.isClosed } }
    public var events: Int { state.withLock { $0.events } }

    public func checkout() -> EventBatch {
        state.withLock { state in
            if let last = state.waiting.last, !last.isSealed,
                last.room > EventBatch.capacity / 2
            {
                state.waiting.removeLast()
                state.events -= last.count
                return last
            }
            return state.pool.popLast() ?? EventBatch()
        }
    }

    public func submit(_ batch: EventBatch) {
        enum Step { case wake, fail, nothing }
        let step = state.withLock { state -> Step in
            guard !batch.parts.isEmpty else {
                Self.recycle(batch, &state)
                return .nothing
            }
            if state.isFinished { return .fail }
            state.waiting.append(batch)
            state.events += batch.count
            if state.holds > 0, batch.count < Self.heldMax { return .nothing }
            defer { state.isWriterAsleep = false }
            return state.isWriterAsleep ? .wake : .nothing
        }
        switch step {
        case .wake: wake.notify()
        case .fail: for part in batch.parts { part.receipt.fail(.stopping) }
        case .nothing: break
        }
    }

    /// Until `release`, which is to follow within a moment, a few events do not wake the writer:
    /// more come right behind them and share their commit.
    public func hold() { state.withLock { $0.holds += 1 } }

    public func release() {
        let mustWake = state.withLock { state in
            state.holds -= 1
            // Whoever else holds does so for events of its own.
            guard state.isWriterAsleep, !state.waiting.isEmpty else { return false }
            state.isWriterAsleep = false
            return true
        }
        if mustWake { wake.notify() }
    }

    /// An empty batch, for a caller that submits several together.
    public func checkoutEmpty() -> EventBatch {
        state.withLock { $0.pool.popLast() ?? EventBatch() }
    }

    /// Puts batches into the queue that are committed in one transaction or not at all.
    public func submit(together batches: [EventBatch]) {
        for (index, batch) in batches.enumerated() {
            batch.isSealed = true
            batch.isContinued = index + 1 < batches.count
        }
        let (isTaken, mustWake) = state.withLock { state in
            guard !state.isFinished else { return (false, false) }
            state.waiting.append(contentsOf: batches)
            state.events += batches.reduce(0) { $0 + $1.count }
            defer { state.isWriterAsleep = false }
            return (true, state.isWriterAsleep)
        }
        if mustWake { wake.notify() }
        guard !isTaken else { return }
        for batch in batches { for part in batch.parts { part.receipt.fail(.stopping) } }
    }

    /// Takes back batches that are not submitted after all.
    public func discard(_ batches: [EventBatch]) {
        state.withLock { state in for batch in batches { Self.recycle(batch, &state) } }
    }

    /// False once the writer has gone.
    func submit(_ job: Job) -> Bool {
        let (isTaken, mustWake) = state.withLock { state in
            guard !state.isFinished else { return (false, false) }
            state.jobs.append(job)
            defer { state.isWriterAsleep = false }
            return (true, state.isWriterAsleep)
        }
        if mustWake { wake.notify() }
        return isTaken
    }

    /// Writer only.
    func takeJobs() -> [Job] {
        state.withLock { state in
            defer { state.jobs.removeAll() }
            return state.jobs
        }
    }

    /// Everything that waits, up to `eventsMax` events or one batch, in order. Sleeps up to `nanos`
    /// when nothing does. Writer only.
    func take(eventsMax: Int, into group: inout [EventBatch], sleepingNanos nanos: UInt64) {
        if take(eventsMax: eventsMax, into: &group, sleeps: true) { return }
        wake.wait(nanos: nanos)
        _ = take(eventsMax: eventsMax, into: &group, sleeps: false)
    }

    /// Takes more of what has come in the meantime; true when something had.
    func takeMore(eventsMax: Int, into group: inout [EventBatch]) -> Bool {
        take(eventsMax: eventsMax, into: &group, sleeps: false)
    }

    private func take(eventsMax: Int, into group: inout [EventBatch], sleeps: Bool) -> Bool {
        var hasOther = false
        let taken = state.withLock { state -> [EventBatch] in
            var count = 0
            var events = 0
            while count < state.waiting.count {
                // Batches that belong together are taken together.
                var end = count
                var more = 0
                repeat {
                    more += state.waiting[end].count
                    end += 1
                } while state.waiting[end - 1].isContinued && end < state.waiting.count
                if count > 0, events + more > eventsMax { break }
                (count, events) = (end, events + more)
            }
            state.isWriterAsleep = sleeps && count == 0 && state.jobs.isEmpty && !state.isClosed
            hasOther = !state.jobs.isEmpty || state.isClosed
            defer { state.waiting.removeFirst(count) }
            return Array(state.waiting.prefix(count))
        }
        group.append(contentsOf: taken)
        return !taken.isEmpty || hasOther
    }

    /// The writer is done with a group.
    func giveBack(_ group: [EventBatch]) {
        let events = group.reduce(0) { $0 + $1.count }
        state.withLock { state in
            state.events -= events
            for batch in group { Self.recycle(batch, &state) }
        }
    }

    /// No more room for anybody, and no more sleep for the writer.
    func close() {
        state.withLock { $0.isClosed = true }
        wake.notify()
    }

    /// True once the queue is closed and empty; batches that come later fail.
    func finish() -> Bool {
        state.withLock { state in
            guard state.isClosed, state.waiting.isEmpty, state.jobs.isEmpty else { return false }
            state.isFinished = true
            return true
        }
    }

    private static func recycle(_ batch: EventBatch, _ state: inout State) {
        batch.clear()
        if state.pool.count < poolMax { state.pool.append(batch) }
    }
}
