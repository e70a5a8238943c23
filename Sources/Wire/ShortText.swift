/// A number, an amount or a moment as text of up to 32 bytes, on its way into a longer one. It
/// takes no memory of its own and is copied as a whole, not byte by byte.
public struct ShortText: BitwiseCopyable, Sendable {
    static let capacity = 32

    // The first byte is the lowest of all, so that prepending, as numbers need it, is a shift.
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private var third: UInt64 = 0
    private var fourth: UInt64 = 0
    private(set) var count = 0

    init() {}

    @inline(__always)
    mutating func prepend(_ byte: UInt8) {
        fourth = fourth &<< 8 | third &>> 56
        third = third &<< 8 | second &>> 56
        second = second &<< 8 | first &>> 56
        first = first &<< 8 | UInt64(byte)
        count &+= 1
    }

    /// All 32 bytes, of which the first `count` are the text.
    @inline(__always)
    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        precondition(count <= Self.capacity, "BUG: a short text of \(count) bytes")
        let words = (
            first.littleEndian, second.littleEndian, third.littleEndian, fourth.littleEndian
        )
        unsafe withUnsafeBytes(of: words) { unsafe body($0) }
    }
}

extension [UInt8] {
    public mutating func append(_ text: ShortText) {
        unsafe text.withBytes { unsafe append(contentsOf: $0.prefix(text.count)) }
    }
}
