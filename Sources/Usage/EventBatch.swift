internal import Wire

/// Decoded events and the text that they refer to.
public struct EventRows: Sendable {
    public var events: [CostEvent] = []
    public var text: [UInt8] = []

    public init() {}

    public mutating func append(_ bytes: Span<UInt8>) -> TextRef {
        let offset = UInt32(text.count)
        text.append(copying: bytes)
        return TextRef(offset: offset, length: UInt32(bytes.count))
    }

    public func string(_ ref: TextRef) -> String {
        String(decoding: text[ref.range], as: UTF8.self)
    }
}

/// The unit of work between rooms: filled by the thread that reads bytes, then handed to the
/// writer, then reused.
///
/// The writer commits whole batches, so several small requests share one, and a large request takes
/// several.
public final class EventBatch: @unchecked Sendable {
    // Owned by one thread at a time; the queue that hands it over orders the accesses.

    /// Enough events to make the fixed cost of a statement small, few enough to stay in the cache.
    public static let capacity = 1024

    /// Which events came with which request.
    public struct Part: Sendable {
        public let range: Range<Int>
        public let receipt: Receipt

        public init(range: Range<Int>, receipt: Receipt) {
            self.range = range
            self.receipt = receipt
        }
    }

    public var rows = EventRows()
    public var parts: [Part] = []
    /// How far a tailed file is read once this batch is committed.
    public var position: SourcePosition?
    /// What counters showed last, once this batch is committed.
    public var marks: [CounterMark] = []
    /// The next batch of the queue is committed with this one or not at all.
    public var isContinued = false
    /// Nobody else's events may come into it any more.
    public var isSealed = false

    public init() {}

    public var count: Int { rows.events.count }
    public var room: Int { Self.capacity - count }

    /// Empties the batch and keeps its memory.
    public func clear() {
        rows.events.removeAll(keepingCapacity: true)
        // A batch of unusually long texts does not keep their memory for good.
        rows.text.removeAll(keepingCapacity: rows.text.capacity <= 1 << 20)
        parts.removeAll(keepingCapacity: true)
        position = nil
        marks.removeAll()
        isContinued = false
        isSealed = false
    }
}
