/// The digits of a JSON number and where its point stands.
public struct DecimalDigits {
    /// More significant digits than any amount in range has, and as many as 128 bits hold with room
    /// to round. Digits past it cannot change such an amount, because rounding half away from zero
    /// looks at one digit only.
    private static let digitsMax = 38
    /// A larger exponent decides on its own: the value is zero or out of range.
    private static let exponentMax = 10_000

    public private(set) var isNegative = false
    private var mantissa: UInt128 = 0
    private var count = 0
    /// Power of ten that the mantissa still has to be multiplied by.
    private var power = 0

    /// Nil when the text is not a JSON number: RFC 8259 section 6.
    public init?(_ text: Span<UInt8>) {
        var at = 0
        if at < text.count, text[at] == UInt8(ascii: "-") {
            isNegative = true
            at += 1
        }
        guard readWhole(text, &at) else { return nil }
        if at < text.count, text[at] == UInt8(ascii: ".") {
            at += 1
            let start = at
            while at < text.count, let digit = Self.digit(text[at]) {
                append(digit, isFraction: true)
                at += 1
            }
            guard at > start else { return nil }
        }
        if at < text.count, text[at] == UInt8(ascii: "e") || text[at] == UInt8(ascii: "E") {
            guard let exponent = Self.exponent(text, &at) else { return nil }
            power += exponent
        }
        guard at == text.count else { return nil }
    }

    private mutating func readWhole(_ text: Span<UInt8>, _ at: inout Int) -> Bool {
        guard at < text.count, let first = Self.digit(text[at]) else { return false }
        append(first, isFraction: false)
        at += 1
        // JSON forbids leading zeros.
        if first == 0 { return at == text.count || Self.digit(text[at]) == nil }
        while at < text.count, let digit = Self.digit(text[at]) {
            append(digit, isFraction: false)
            at += 1
        }
        return true
    }

    private static func exponent(_ text: Span<UInt8>, _ at: inout Int) -> Int? {
        at += 1
        var isNegative = false
        if at < text.count, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
            isNegative = text[at] == UInt8(ascii: "-")
            at += 1
        }
        let start = at
        var exponent = 0
        while at < text.count, let digit = digit(text[at]) {
            exponent = min(exponent * 10 + Int(digit), exponentMax)
            at += 1
        }
        guard at > start else { return nil }
        return isNegative ? -exponent : exponent
    }

    private mutating func append(_ digit: UInt8, isFraction: Bool) {
        if count == Self.digitsMax {
            if !isFraction { power += 1 }
            return
        }
        mantissa = mantissa * 10 + UInt128(digit)
        if mantissa != 0 { count += 1 }
        if isFraction { power -= 1 }
    }

    /// The number without its sign, times 10^`scale`, rounded half up; nil past 128 bits.
    public func magnitude(scale: Int) -> UInt128? {
        var value = mantissa
        var steps = power + scale
        if value == 0 || steps < -(Self.digitsMax + 1) { return 0 }
        while steps > 0 {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            value = product
            steps -= 1
        }
        while steps < -1 {
            value /= 10
            steps += 1
        }
        // The last division rounds: only the digit that it drops counts.
        return steps == -1 ? (value + 5) / 10 : value
    }

    @inline(__always)
    private static func digit(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        return digit < 10 ? digit : nil
    }
}
