internal import Synchronization
public import Usage

/// Collects batches that are to be committed in one transaction or not at all; who made it submits
/// them.
public final class UnitSink: BatchSink {
    private let sink: any BatchSink
    private let collected = Mutex<[EventBatch]>([])

    /// - Parameter sink: where the batches come from, and where they are to go.
    public init(_ sink: any BatchSink) { self.sink = sink }

    public var hasRoom: Bool { sink.hasRoom }
    public var isClosed: Bool { sink.isClosed }

    public func checkout() -> EventBatch { sink.checkoutEmpty() }
    public func checkoutEmpty() -> EventBatch { sink.checkoutEmpty() }

    public func submit(_ batch: EventBatch) {
        if batch.parts.isEmpty {
            discard([batch])
        } else {
            collected.withLock { $0.append(batch) }
        }
    }

    public func submit(together batches: [EventBatch]) {
        for batch in batches { submit(batch) }
    }

    public func discard(_ batches: [EventBatch]) { sink.discard(batches) }

    public func take() -> [EventBatch] {
        collected.withLock { batches in
            defer { batches = [] }
            return batches
        }
    }
}
