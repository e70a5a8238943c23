import Usage

/// Bytes of the body, or of the batch's text when escapes had to be resolved.
struct SourceText: BitwiseCopyable {
    private var offset: UInt32
    /// The top bit says where: lengths stay far below it.
    private var tagged: UInt32
    private static let batchBit: UInt32 = 1 << 31

    static let none = SourceText(offset: 0, tagged: 0)

    private init(offset: UInt32, tagged: UInt32) {
        self.offset = offset
        self.tagged = tagged
    }

    init(body range: Range<Int>) {
        self.init(offset: UInt32(range.lowerBound), tagged: UInt32(range.count))
    }

    init(batch ref: TextRef) {
        self.init(offset: ref.offset, tagged: ref.length | Self.batchBit)
    }

    var isInBatch: Bool { tagged & Self.batchBit != 0 }
    var length: Int { Int(tagged & ~Self.batchBit) }
    var range: Range<Int> { Int(offset)..<Int(offset) + length }
}

/// The dimensions that are interned, in the order in which `DecodedEvent` keeps their texts.
enum NamedDimension: Int, CaseIterable {
    case tenant, user, feature, agent, operation, provider, model, tags, resource, region

    /// Values are few enough to count on a place among the names.
    var isCommon: Bool {
        switch self {
        case .tenant, .operation, .provider, .model, .region: true
        case .user, .feature, .agent, .tags, .resource: false
        }
    }
}

/// An event before its names are looked up: decoding needs no lock, interning takes one per chunk.
struct DecodedEvent: BitwiseCopyable {
    var event = CostEvent()
    var texts = InlineArray<10, SourceText>(repeating: .none)
    /// One bit per `EventField` that has occurred.
    var seen: UInt64 = 0
    /// Where it begins in the body, and its place among the events there.
    var offset: UInt32 = 0
    var index: UInt32 = 0

    func has(_ field: EventField) -> Bool { seen & (1 << UInt64(field.rawValue)) != 0 }
}
