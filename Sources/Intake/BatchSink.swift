public import Usage

/// Where decoded batches go. The ledger's queue is one; tests bring their own.
public protocol BatchSink: AnyObject, Sendable {
    /// False when the queue is full: the sender is to come back later.
    var hasRoom: Bool { get }

    /// Nothing is taken any more: the process is stopping.
    var isClosed: Bool { get }

    /// An empty batch, or one with room that waits for its commit. It belongs to the caller until
    /// it is given back by `submit`.
    func checkout() -> EventBatch

    func submit(_ batch: EventBatch)

    /// An empty batch, for a caller that submits several together.
    func checkoutEmpty() -> EventBatch

    /// They are committed in one transaction or not at all.
    func submit(together batches: [EventBatch])

    /// Takes back batches that are not submitted after all.
    func discard(_ batches: [EventBatch])
}

/// Prices the events of `rows[range]`; called once per batch on the thread that read it.
public typealias PriceEvents = @Sendable (_ rows: inout EventRows, _ range: Range<Int>) -> Void
