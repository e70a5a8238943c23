/// A key of up to 24 bytes as three words and its length: equal words mean equal keys.
public struct KeyWords: Equatable, BitwiseCopyable, Sendable {
    public let first: UInt64
    public let middle: UInt64
    public let last: UInt64
    /// Longer keys all have the length 25, which no field has.
    public let length: UInt64

    public static let lengthMax = 24

    public init(first: UInt64, middle: UInt64, last: UInt64, length: UInt64) {
        self.first = first
        self.middle = middle
        self.last = last
        self.length = length
    }

    @inlinable
    public static func == (left: KeyWords, right: KeyWords) -> Bool {
        left.first == right.first && left.middle == right.middle && left.last == right.last
            && left.length == right.length
    }

    /// The words of a known key.
    public init(_ key: [UInt8]) {
        func word(_ start: Int, _ count: Int) -> UInt64 {
            var value: UInt64 = 0
            for index in (0..<count).reversed() { value = value << 8 | UInt64(key[start + index]) }
            return value
        }
        let count = key.count
        first = word(0, min(count, 8))
        middle = count > 16 ? word(8, 8) : 0
        last = count > 8 ? word(count - 8, 8) : 0
        length = UInt64(min(count, Self.lengthMax + 1))
    }
}

/// Finds known keys by their bytes without building a string.
///
/// A perfect hash: the first eight bytes, the last eight and the length of a key, mixed and
/// multiplied by a number found at start so that all keys fall into slots of their own. One probe,
/// three compares.
public struct KeyTable: Sendable {
    @usableFromInline
    struct Slot: BitwiseCopyable, Sendable {
        @usableFromInline var words = KeyWords(first: 0, middle: 0, last: 0, length: 0)
        /// Place among the keys.
        @usableFromInline var index: UInt8?

        init() {}

        init(words: KeyWords, index: UInt8) {
            self.words = words
            self.index = index
        }
    }

    @usableFromInline var slots: [Slot]
    @usableFromInline let multiplier: UInt64

    /// - Parameter keys: distinct, each of up to 24 bytes, few enough for 256 slots: some dozens.
    public init(_ keys: [String]) {
        let keys = keys.map { KeyWords(Array($0.utf8)) }
        // An odd multiplier from a fixed sequence; about a hundred are tried.
        var candidate: UInt64 = 0x9e37_79b9_7f4a_7c15
        while Set(keys.map { Self.slot($0, candidate) }).count < keys.count {
            candidate = candidate &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_406
        }
        multiplier = candidate
        slots = Array(repeating: Slot(), count: 256)
        for (index, words) in keys.enumerated() {
            slots[Self.slot(words, candidate)] = Slot(words: words, index: UInt8(index))
        }
    }

    @inlinable
    @inline(__always)
    public func index(of words: KeyWords) -> UInt8? {
        let slot = slots[Self.slot(words, multiplier)]
        return slot.words == words ? slot.index : nil
    }

    @inlinable
    @inline(__always)
    static func slot(_ words: KeyWords, _ multiplier: UInt64) -> Int {
        let mixed = (words.first ^ (words.last &<< 1) ^ words.length) &* multiplier
        return Int(truncatingIfNeeded: mixed &>> 56)
    }
}

extension JSONDocument {
    /// The words of a key. Reads up to 8 bytes past it, which the padding allows.
    @inline(__always)
    public func words(_ text: Text) -> KeyWords {
        let count = text.length
        guard count <= KeyWords.lengthMax else {
            return KeyWords(first: 0, middle: 0, last: 0, length: UInt64(KeyWords.lengthMax + 1))
        }
        let mask = count >= 8 ? ~0 : (1 &<< UInt64(truncatingIfNeeded: count &* 8)) &- 1
        return KeyWords(
            first: word(text.offset) & mask,
            middle: count > 16 ? word(text.offset &+ 8) : 0,
            last: count > 8 ? word(text.offset &+ count &- 8) : 0,
            length: UInt64(truncatingIfNeeded: count))
    }
}
