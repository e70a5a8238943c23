public import Usage
internal import Wire

/// US dollars in units of 1e-26: a rate, or an amount that is not yet rounded.
///
/// Published rates have up to 12 decimals, price files with the noise of binary fractions up to 24;
/// a batch half and a regional tenth add two. So sums and products of all rates seen so far are
/// exact, and an Int128 holds them up to 1.7e12 dollars.
public struct ExactUSD: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var units: Int128

    public static let scale = 26
    public static let zero = ExactUSD(units: 0)
    public static let one = ExactUSD(units: 100_000_000_000_000_000_000_000_000)
    /// Units in a nano-dollar.
    static let perNano: Int128 = 100_000_000_000_000_000

    @inlinable
    public init(units: Int128) { self.units = units }

    @inlinable
    public static func < (left: ExactUSD, right: ExactUSD) -> Bool { left.units < right.units }

    /// Nil when the sum leaves the range.
    public static func sum(_ left: ExactUSD, _ right: ExactUSD) -> ExactUSD? {
        let (units, overflow) = left.units.addingReportingOverflow(right.units)
        return overflow ? nil : ExactUSD(units: units)
    }

    /// Nil when the product leaves the range.
    public func times(_ count: UInt64) -> ExactUSD? {
        let (product, overflow) = units.multipliedReportingOverflow(by: Int128(count))
        return overflow ? nil : ExactUSD(units: product)
    }

    /// Times a decimal factor, rounded half away from zero past the 26th decimal. Nil when the
    /// product leaves the range.
    public func times(_ factor: Factor) -> ExactUSD? {
        scaled(by: Int128(factor.parts), over: Int128(Factor.one.parts))
    }

    /// `self * numerator / denominator`, rounded half away from zero; the product may be wider than
    /// 128 bits. `denominator` is above 0.
    func scaled(by numerator: Int128, over denominator: Int128) -> ExactUSD? {
        guard denominator > 0 else { return nil }
        let wide = units.magnitude.multipliedFullWidth(by: numerator.magnitude)
        let divisor = denominator.magnitude
        guard wide.high < divisor else { return nil }
        let (quotient, remainder) = divisor.dividingFullWidth(wide)
        let rounded = remainder >= divisor - remainder ? quotient &+ 1 : quotient
        guard rounded <= Int128.max.magnitude else { return nil }
        let isNegative = (units < 0) != (numerator < 0)
        return ExactUSD(units: isNegative ? -Int128(rounded) : Int128(rounded))
    }

    /// The amount of an event: rounded here and nowhere else, half away from zero. Nil past
    /// `Limits.costMax`.
    public var rounded: NanoUSD? {
        let half = units < 0 ? -Self.perNano / 2 : Self.perNano / 2
        guard units.magnitude < 1 << 120 else { return nil }
        let nanos = (units + half) / Self.perNano
        guard nanos.magnitude <= UInt128(Limits.costMax.nanos) else { return nil }
        return NanoUSD(nanos: Int64(nanos))
    }

    /// The exact decimal without an exponent or trailing zeros: `0.0000375`.
    public var decimal: String {
        var digits = String(units.magnitude)
        if digits.utf8.count <= Self.scale {
            digits = String(repeating: "0", count: Self.scale + 1 - digits.utf8.count) + digits
        }
        let whole = digits.prefix(digits.count - Self.scale)
        var fraction = digits.suffix(Self.scale)
        while fraction.last == "0" { fraction.removeLast() }
        let sign = units < 0 ? "-" : ""
        return fraction.isEmpty ? "\(sign)\(whole)" : "\(sign)\(whole).\(fraction)"
    }
}

extension ExactUSD {
    public enum Reading: Equatable, Sendable {
        case value(ExactUSD)
        case malformed
        case outOfRange
    }

    /// Reads a JSON number by its digits; digits past the 26th decimal are rounded half away from
    /// zero. `shift` moves the point: -6 reads a price per million as one per unit.
    public static func read(_ text: Span<UInt8>, shift: Int = 0) -> Reading {
        guard let digits = DecimalDigits(text) else { return .malformed }
        guard let magnitude = digits.magnitude(scale: scale + shift),
            let units = Int128(exactly: magnitude)
        else { return .outOfRange }
        return .value(ExactUSD(units: digits.isNegative ? -units : units))
    }

    public static func read(_ text: String, shift: Int = 0) -> Reading {
        read(Array(text.utf8).span, shift: shift)
    }
}

/// A decimal multiplier with six decimals: 1.1 is 1_100_000.
public struct Factor: Hashable, Sendable, BitwiseCopyable {
    public var parts: Int64
    public static let one = Factor(parts: 1_000_000)
    public static let half = Factor(parts: 500_000)

    public init(parts: Int64) { self.parts = parts }

    public static func read(_ text: Span<UInt8>) -> Factor? {
        guard case .value(let parts) = FixedPoint.read(text, scale: 6), parts >= 0 else {
            return nil
        }
        return Factor(parts: parts)
    }

    public var decimal: String {
        var bytes: [UInt8] = []
        FixedPoint.append(parts, scale: 6, to: &bytes)
        return bytes.text
    }
}
