internal import Synchronization

/// Why events that were read could not be kept. The sender may try again.
public enum CommitFailure: Error, Equatable, Sendable {
    /// The disk is full, read-only or broken; nothing of the batch was kept.
    case storeUnwritable(message: String)
    /// The sum of all amounts would pass what 64 bits hold.
    case ledgerFull
    case stopping
}

/// What became of the events of one request. Its batches report as they commit; when the last has,
/// `completion` runs once, on the thread that reported last.
public final class Receipt: Sendable {
    public struct Outcome: Equatable, Sendable {
        public var accepted = 0
        public var duplicates = 0
        public var failure: CommitFailure?

        public init() {}

        /// One event, new and durable.
        public static let oneAccepted: Outcome = {
            var outcome = Outcome()
            outcome.accepted = 1
            return outcome
        }()
    }

    private struct State {
        var outcome = Outcome()
        /// The reader itself counts as one until it calls `close`.
        var outstanding = 1
    }

    private let state = Mutex(State())
    private let completion: @Sendable (Outcome) -> Void

    public init(_ completion: @escaping @Sendable (Outcome) -> Void) {
        self.completion = completion
    }

    public func expectBatch() {
        state.withLock { $0.outstanding += 1 }
    }

    public func settle(accepted: Int, duplicates: Int) {
        report { outcome in
            outcome.accepted += accepted
            outcome.duplicates += duplicates
        }
    }

    public func fail(_ failure: CommitFailure) {
        report { $0.failure = failure }
    }

    /// The reader has handed over everything.
    public func close() { report { _ in } }

    private func report(_ change: (inout Outcome) -> Void) {
        let finished = state.withLock { state -> Outcome? in
            change(&state.outcome)
            state.outstanding -= 1
            return state.outstanding == 0 ? state.outcome : nil
        }
        if let finished { completion(finished) }
    }
}
