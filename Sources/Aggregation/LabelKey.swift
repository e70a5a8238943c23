public import Usage

/// Up to eight dimension values, in the order of a family's labels.
public struct LabelKey: Hashable, Sendable {
    public static let widthMax = 8
    public private(set) var ids = InlineArray<8, NameID>(repeating: 0)

    public init() {}

    public init(_ values: NameID...) {
        for (index, value) in values.enumerated() { ids[index] = value }
    }

    public subscript(index: Int) -> NameID {
        get { ids[index] }
        set { ids[index] = newValue }
    }

    public static func == (left: LabelKey, right: LabelKey) -> Bool {
        for index in 0..<widthMax where left.ids[index] != right.ids[index] { return false }
        return true
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    @inline(__always)
    public var hash: UInt64 {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        var index = 0
        while index < Self.widthMax {
            let pair = UInt64(ids[index]) | UInt64(ids[index &+ 1]) &<< 32
            let product = (state ^ pair).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
            state = product.high ^ product.low
            index &+= 2
        }
        return state
    }
}
