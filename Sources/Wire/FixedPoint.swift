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
}
