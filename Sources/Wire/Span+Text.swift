extension String {
    /// What is not UTF-8 shows as U+FFFD.
    public init(copying bytes: Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

extension Span<UInt8> {
    public func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] { return false }
        return true
    }
}

// Known words, compared with bytes that stay where they are.
extension Span<UInt8> {
    public func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { letters in
            for index in 0..<letters.count where unsafe letters[index] != self[index] {
                return false
            }
            return true
        }
    }

    public func hasPrefix(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        return count >= length && extracting(first: length).equals(text)
    }

    public func hasSuffix(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        return count >= length && extracting(last: length).equals(text)
    }
}

extension Span<UInt8> {
    /// The first byte at or after `start` that cannot stand in a JSON string as it is (a quote, a
    /// backslash, a control character), or the end.
    func firstJSONEscape(from start: Int) -> Int {
        var at = start
        while at &+ 8 <= count {
            let found = jsonEscapes(at)
            if found != 0 { return at &+ found.trailingZeroBitCount >> 3 }
            at &+= 8
        }
        // The rest lies in the last eight bytes, of which the first ones have been looked at.
        if at < count, count >= 8, start == 0 {
            let found = jsonEscapes(count &- 8)
            return found == 0 ? count : count &- 8 &+ found.trailingZeroBitCount >> 3
        }
        while at < count {
            let byte = self[at]
            if byte < 0x20 || byte == 0x22 || byte == 0x5c || byte == 0x7f { break }
            at &+= 1
        }
        return at
    }

    /// The high bit of each such byte among the eight at `offset`. Only the lowest bit is exact: a
    /// borrow may mark bytes above it.
    /// https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
    @inline(__always)
    private func jsonEscapes(_ offset: Int) -> UInt64 {
        let loaded = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let word = UInt64(littleEndian: loaded)
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ ones &* 0x22
        let backslash = word ^ ones &* 0x5c
        let delete = word ^ ones &* 0x7f
        let found =
            (word &- ones &* 0x20) & ~word | (quote &- ones) & ~quote
            | (backslash &- ones) & ~backslash | (delete &- ones) & ~delete
        return found & (ones &* 0x80)
    }
}

extension Span<UInt8> {
    /// An integer as Swift reads one: a sign or none, digits; nil for anything else and for what
    /// 64 bits do not hold.
    public var integer: Int? {
        guard count > 0 else { return nil }
        let isNegative = self[0] == UInt8(ascii: "-")
        var at = isNegative || self[0] == UInt8(ascii: "+") ? 1 : 0
        guard at < count else { return nil }
        // Downwards, because there is one more negative number.
        var value = 0
        while at < count {
            let digit = self[at] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, overflowed) = tens.subtractingReportingOverflow(Int(digit))
            if overflow || overflowed { return nil }
            value = next
            at &+= 1
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }
}
