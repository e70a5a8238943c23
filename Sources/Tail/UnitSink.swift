internal import Intake
internal import Ledger
internal import Synchronization
internal import Usage

/// Collects the batches of one piece of a file, which commit together.
final class UnitSink: BatchSink {
    private let queue: EventQueue
    private let collected = Mutex<[EventBatch]>([])

    init(_ queue: EventQueue) { self.queue = queue }

    var hasRoom: Bool { queue.hasRoom }
    var isClosed: Bool { queue.isClosed }

    func checkout() -> EventBatch { queue.checkoutEmpty() }

    func submit(_ batch: EventBatch) {
        if batch.parts.isEmpty {
            queue.discard([batch])
        } else {
            collected.withLock { $0.append(batch) }
        }
    }

    func take() -> [EventBatch] {
        collected.withLock { batches in
            defer { batches = [] }
            return batches
        }
    }
}
