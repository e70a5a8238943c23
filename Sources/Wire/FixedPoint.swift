/// Exact decimal literals as scaled integers. No amount passes through a Double: of 200 000 six- to
/// ten-digit amounts ending in half a nano-dollar, a Double rounds about 1 700 the wrong way.
///
///     "0.2631719835"  --scale 9-->  263_171_984        (rounded once, half away from zero)
///     "1.5e-3"        --scale 9-->  1_500_000
public enum FixedPoint {
    public enum Reading: Equatable, Sendable {
        case value(Int64)
        /// Not a JSON number: RFC 8259 section 6.
        case malformed
        /// A number, but its magnitude times 10^scale exceeds Int64.
        case outOfRange
    }

    /// More significant digits than any amount in range has; digits past it cannot change the
    /// result, because rounding half away from zero looks at one digit only.
    private static let digitsMax = 36
    /// A larger exponent decides on its own: the value is zero or out of range.
    private static let exponentMax = 10_000

    /// Reads a JSON number and multiplies it by 10^scale, rounded half away from zero.
    public static func read(_ text: Span<UInt8>, scale: Int) -> Reading {
        var at = 0
        let isNegative = text.count > 0 && text[0] == UInt8(ascii: "-")
        if isNegative { at = 1 }
        var digits = Digits()
        guard readWhole(text, &at, &digits) else { return .malformed }
        if at < text.count, text[at] == UInt8(ascii: ".") {
            at += 1
            let start = at
            while at < text.count, let digit = decimalDigit(text[at]) {
                digits.append(digit, isFraction: true)
                at += 1
            }
            guard at > start else { return .malformed }
        }
        var exponent = 0
        if at < text.count, text[at] == UInt8(ascii: "e") || text[at] == UInt8(ascii: "E") {
            guard let read = readExponent(text, &at) else { return .malformed }
            exponent = read
        }
        guard at == text.count else { return .malformed }
        return digits.scaled(by: exponent + scale, isNegative: isNegative)
    }

    private static func readWhole(
        _ text: Span<UInt8>, _ at: inout Int, _ digits: inout Digits
    ) -> Bool {
        guard at < text.count, let first = decimalDigit(text[at]) else { return false }
        digits.append(first, isFraction: false)
        at += 1
        // JSON forbids leading zeros.
        if first == 0 { return at == text.count || decimalDigit(text[at]) == nil }
        while at < text.count, let digit = decimalDigit(text[at]) {
            digits.append(digit, isFraction: false)
            at += 1
        }
        return true
    }

    private static func readExponent(_ text: Span<UInt8>, _ at: inout Int) -> Int? {
        at += 1
        var isNegative = false
        if at < text.count, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
            isNegative = text[at] == UInt8(ascii: "-")
            at += 1
        }
        let start = at
        var exponent = 0
        while at < text.count, let digit = decimalDigit(text[at]) {
            exponent = min(exponent * 10 + Int(digit), exponentMax)
            at += 1
        }
        guard at > start else { return nil }
        return isNegative ? -exponent : exponent
    }

    private struct Digits {
        var mantissa: UInt128 = 0
        var count = 0
        /// Power of ten that the mantissa still has to be multiplied by.
        var power = 0

        mutating func append(_ digit: UInt8, isFraction: Bool) {
            if count == FixedPoint.digitsMax {
                if !isFraction { power += 1 }
                return
            }
            mantissa = mantissa * 10 + UInt128(digit)
            if mantissa != 0 { count += 1 }
            if isFraction { power -= 1 }
        }

        func scaled(by shift: Int, isNegative: Bool) -> Reading {
            var value = mantissa
            var steps = power + shift
            if value == 0 { return .value(0) }
            if steps < -(FixedPoint.digitsMax + 1) { return .value(0) }
            while steps > 0 {
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                if overflow || product > UInt128(Int64.max) { return .outOfRange }
                value = product
                steps -= 1
            }
            while steps < -1 {
                value /= 10
                steps += 1
            }
            // The last division rounds: only the digit that it drops counts.
            if steps == -1 { value = (value + 5) / 10 }
            guard value <= UInt128(Int64.max) else { return .outOfRange }
            let magnitude = Int64(value)
            return .value(isNegative ? -magnitude : magnitude)
        }
    }

    /// Appends `value / 10^scale` exactly, without an exponent, with trailing zeros cut down to
    /// `fractionMin` digits: (1_500_000, scale 9) -> `0.0015`.
    public static func append(
        _ value: Int64, scale: Int, fractionMin: Int = 0, to bytes: inout [UInt8]
    ) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var divisor: UInt64 = 1
        for _ in 0..<scale { divisor *= 10 }
        let (whole, rest) = value.magnitude.quotientAndRemainder(dividingBy: divisor)
        bytes.appendDecimal(whole)
        guard rest > 0 || fractionMin > 0 else { return }
        bytes.append(UInt8(ascii: "."))
        var remaining = rest
        var written = 0
        while remaining > 0 || written < fractionMin {
            divisor /= 10
            let (digit, next) = remaining.quotientAndRemainder(dividingBy: divisor)
            bytes.append(UInt8(ascii: "0") + UInt8(digit))
            remaining = next
            written += 1
        }
    }

    @inline(__always)
    private static func decimalDigit(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        return digit < 10 ? digit : nil
    }
}
