public import Wire

/// An amount in integer nano-dollars (1e-9 USD), up to about 9.2 thousand million dollars.
public struct NanoUSD: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var nanos: Int64

    public static let scale = 9
    public static let zero = NanoUSD(nanos: 0)

    @inlinable
    public init(nanos: Int64) { self.nanos = nanos }

    @inlinable
    public static func < (left: NanoUSD, right: NanoUSD) -> Bool { left.nanos < right.nanos }

    /// Sums cannot overflow: the ledger refuses a batch that would take its grand total past Int64,
    /// and every other sum is over a part of the same events.
    @inlinable
    public static func + (left: NanoUSD, right: NanoUSD) -> NanoUSD {
        NanoUSD(nanos: left.nanos + right.nanos)
    }

    @inlinable
    public static func += (left: inout NanoUSD, right: NanoUSD) { left = left + right }

    @inlinable
    public static func - (left: NanoUSD, right: NanoUSD) -> NanoUSD {
        NanoUSD(nanos: left.nanos - right.nanos)
    }
}

extension NanoUSD {
    /// Reads a decimal such as `0.00123`; each amount is rounded once, half away from zero.
    public static func read(_ text: Span<UInt8>) -> FixedPoint.Reading {
        FixedPoint.read(text, scale: scale)
    }

    /// Appends the exact decimal. Prometheus gets no needless zeros, people get at least cents.
    public func append(fractionMin: Int = 0, to bytes: inout [UInt8]) {
        FixedPoint.append(nanos, scale: Self.scale, fractionMin: fractionMin, to: &bytes)
    }

    /// With exactly so many decimals, rounded half away from zero: for people, not for sums.
    public func rounded(toDecimals decimals: Int) -> String {
        var unit: Int64 = 1
        for _ in decimals..<Self.scale { unit *= 10 }
        let (quotient, rest) = nanos.quotientAndRemainder(dividingBy: unit)
        let isUp = rest.magnitude * 2 >= unit.magnitude
        let rounded = quotient + (isUp ? nanos.signum() : 0)
        var bytes: [UInt8] = []
        FixedPoint.append(rounded, scale: decimals, fractionMin: decimals, to: &bytes)
        return bytes.text
    }

    /// With at least two decimals: `100.00`, `0.042`, `0.00123`.
    public var decimal: String {
        var bytes: [UInt8] = []
        append(fractionMin: 2, to: &bytes)
        return bytes.text
    }
}
