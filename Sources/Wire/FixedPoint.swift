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

    /// Reads a JSON number and multiplies it by 10^scale, rounded half away from zero.
    public static func read(_ text: Span<UInt8>, scale: Int) -> Reading {
        guard let digits = DecimalDigits(text) else { return .malformed }
        guard let magnitude = digits.magnitude(scale: scale), magnitude <= UInt128(Int64.max) else {
            return .outOfRange
        }
        let value = Int64(magnitude)
        return .value(digits.isNegative ? -value : value)
    }

    /// `value / 10^scale` exactly, without an exponent, with trailing zeros cut down to
    /// `fractionMin` digits: (1_500_000, scale 9) -> `0.0015`. `scale` is at most 18.
    public static func text(_ value: Int64, scale: Int, fractionMin: Int = 0) -> ShortText {
        text(value.magnitude, isNegative: value < 0, scale: scale, fractionMin: fractionMin)
    }

    static func text(
        _ magnitude: UInt64, isNegative: Bool, scale: Int, fractionMin: Int
    ) -> ShortText {
        var text = ShortText()
        var rest = magnitude
        if scale > 0 {
            let (whole, fraction) = rest.quotientAndRemainder(dividingBy: powerOfTen(scale))
            prepend(fraction, places: scale, placesMin: fractionMin, to: &text)
            rest = whole
        }
        repeat { text.prepend(digit: &rest) } while rest > 0
        if isNegative { text.prepend(UInt8(ascii: "-")) }
        return text
    }

    private static func powerOfTen(_ exponent: Int) -> UInt64 {
        var power: UInt64 = 1
        for _ in 0..<exponent { power *= 10 }
        return power
    }

    @inline(__always)
    private static func prepend(
        _ fraction: UInt64, places: Int, placesMin: Int, to text: inout ShortText
    ) {
        var (rest, places) = (fraction, places)
        if rest == 0 { places = placesMin }
        while places > placesMin, rest % 10 == 0 {
            rest /= 10
            places -= 1
        }
        guard places > 0 else { return }
        for _ in 0..<places { text.prepend(digit: &rest) }
        text.prepend(UInt8(ascii: "."))
    }

    public static func append(
        _ value: Int64, scale: Int, fractionMin: Int = 0, to bytes: inout [UInt8]
    ) {
        bytes.append(text(value, scale: scale, fractionMin: fractionMin))
    }
}

extension ShortText {
    /// The last decimal digit of `rest`, which is then gone from it.
    @inline(__always)
    fileprivate mutating func prepend(digit rest: inout UInt64) {
        let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
        prepend(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit))
        rest = quotient
    }
}
