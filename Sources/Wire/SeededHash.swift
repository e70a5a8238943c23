/// A seeded hash of bytes: 64 bits for tables, 128 where a collision would lose money.
///
/// The folded multiplication of wyhash (https://github.com/wangyi-fudan/wyhash): each step
/// multiplies two words into 128 bits and folds the halves together. Two lanes with different
/// constants make the wide form. The seed is random per process, so nobody can prepare colliding
/// ids.
public struct SeededHash: Sendable {
    @usableFromInline let seed: UInt64
    @usableFromInline let seedWide: UInt64

    private static let first: UInt64 = 0xa076_1d64_78bd_642f
    private static let second: UInt64 = 0xe703_7ed1_a0b4_28db
    private static let third: UInt64 = 0x8ebc_6af0_9c88_c6e3
    private static let fourth: UInt64 = 0x5899_65cc_7537_4cc3

    public init(seed: UInt64) {
        self.seed = seed
        self.seedWide = Self.fold(seed ^ Self.third, Self.fourth)
    }

    public func narrow(_ bytes: Span<UInt8>) -> UInt64 {
        let (a, b, state) = absorb(bytes, seed)
        return Self.fold(Self.second ^ UInt64(bytes.count), Self.fold(a ^ Self.second, b ^ state))
    }

    /// `domain` keeps equal bytes of different owners apart: the same id of two tenants is two ids.
    public func wide(_ bytes: Span<UInt8>, domain: UInt64) -> UInt128 {
        let (a, b, low) = absorb(bytes, seed ^ domain)
        let (_, _, high) = absorbSecond(bytes, seedWide ^ domain)
        let length = UInt64(bytes.count)
        let left = Self.fold(Self.second ^ length, Self.fold(a ^ Self.second, b ^ low))
        let right = Self.fold(Self.fourth ^ length, Self.fold(a ^ Self.fourth, b ^ high))
        return UInt128(left) << 64 | UInt128(right)
    }

    private func absorb(
        _ bytes: Span<UInt8>, _ start: UInt64
    ) -> (UInt64, UInt64, UInt64) {
        Self.absorb(bytes, start, Self.first, Self.second)
    }

    private func absorbSecond(
        _ bytes: Span<UInt8>, _ start: UInt64
    ) -> (UInt64, UInt64, UInt64) {
        Self.absorb(bytes, start, Self.third, Self.fourth)
    }

    /// The first words and the folded state of everything before the last 16 bytes.
    @inline(__always)
    private static func absorb(
        _ bytes: Span<UInt8>, _ start: UInt64, _ one: UInt64, _ two: UInt64
    ) -> (UInt64, UInt64, UInt64) {
        let count = bytes.count
        var state = start ^ fold(start ^ one, two)
        if count <= 16 {
            if count >= 8 { return (word(bytes, 0), word(bytes, count - 8), state) }
            if count >= 4 { return (half(bytes, 0), half(bytes, count - 4), state) }
            guard count > 0 else { return (0, 0, state) }
            let a =
                UInt64(bytes[0]) << 16 | UInt64(bytes[count >> 1]) << 8 | UInt64(bytes[count - 1])
            return (a, 0, state)
        }
        var at = 0
        while count - at > 16 {
            state = fold(word(bytes, at) ^ one, word(bytes, at + 8) ^ state)
            at += 16
        }
        return (word(bytes, count - 16), word(bytes, count - 8), state)
    }

    @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    // The offsets are within the span: absorb asks for the length first.
    @inline(__always)
    private static func word(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
        unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private static func half(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
        UInt64(unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
