internal import Glibc

/// e to the power of `value`. The one function of the C library that a detector uses, and only when
/// constants are made.
func exponential(_ value: Double) -> Double { exp(value) }

/// A double with a fixed number of decimals, rounded as C's `printf` does: the exact binary value,
/// half to even.
public enum FixedText {
    /// - Parameter decimals: from 0 to 9.
    public static func text(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        let magnitude = value.magnitude
        var scale: UInt64 = 1
        for _ in 0..<decimals { scale *= 10 }
        // Past 2^53 there are no fractions, and nothing here spends as much.
        let digits = scaled(min(magnitude, 9e15), by: scale)
        let sign = value.sign == .minus ? "-" : ""
        guard decimals > 0 else { return sign + String(digits) }
        let fraction = String(digits % UInt128(scale))
        let zeros = String(repeating: "0", count: decimals - fraction.count)
        return sign + String(digits / UInt128(scale)) + "." + zeros + fraction
    }

    /// `value` times `scale` as an integer, half to even. 53 bits times 30 fit.
    private static func scaled(_ value: Double, by scale: UInt64) -> UInt128 {
        guard value > 0 else { return 0 }
        let shift = Int(value.exponent) - 52
        let mantissa = UInt128((value.significand * 0x1p52).rounded(.towardZero))
        let product = mantissa * UInt128(scale)
        if shift >= 0 { return product << shift }
        guard -shift < 127 else { return 0 }
        let quotient = product >> -shift
        let rest = product & (UInt128(1) << -shift - 1)
        let half = UInt128(1) << (-shift - 1)
        let isUp = rest > half || (rest == half && quotient & 1 == 1)
        return isUp ? quotient + 1 : quotient
    }

    /// Without needless zeros: `6`, `0.25`.
    public static func short(_ value: Double) -> String {
        if value == value.rounded(), value.magnitude < 1e15 { return String(Int64(value)) }
        return "\(value)"
    }
}
