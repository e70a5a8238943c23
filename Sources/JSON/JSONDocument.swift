/// A place in a JSON text where it stops making sense.
public struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// Bytes from the start of the text.
    public let offset: Int
    public let message: String

    public var description: String { "byte \(offset): \(message)" }

    public init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }
}

/// The bytes of a text and the offsets of its tokens, lent by `JSONIndexer.read`.
///
/// Tokens are named by their number. Every method checks its token, so that any bytes whatever give
/// an answer or a fault, never a read outside the text.
@safe
public struct JSONDocument: ~Copyable {
    /// A string between its quotes, as bytes of the text.
    public struct Text: BitwiseCopyable, Sendable {
        public let offset: Int
        public let length: Int
        /// A backslash occurs, so the bytes are not yet the text.
        public let isEscaped: Bool

        @usableFromInline
        init(offset: Int, length: Int, isEscaped: Bool) {
            self.offset = offset
            self.length = length
            self.isEscaped = isEscaped
        }
    }

    @usableFromInline let bytes: UnsafePointer<UInt8>
    public let length: Int
    @usableFromInline let tokens: UnsafePointer<UInt32>
    public let tokenCount: Int
    /// Most texts hold no backslash at all; then no string needs a second look.
    public let hasBackslash: Bool

    init(
        bytes: UnsafePointer<UInt8>, length: Int, tokens: UnsafePointer<UInt32>, tokenCount: Int
    ) {
        unsafe self.bytes = bytes
        self.length = length
        unsafe self.tokens = tokens
        self.tokenCount = tokenCount
        hasBackslash = unsafe Self.hasBackslash(bytes, length)
    }

    /// Eight bytes at a time. One in the seven bytes behind the text counts too; all that it costs
    /// is the second look.
    /// https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
    private static func hasBackslash(_ bytes: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let start = unsafe UnsafeRawPointer(bytes)
        var found: UInt64 = 0
        for offset in stride(from: 0, to: length, by: 8) {
            let word = unsafe start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let differences = word ^ (ones &* 0x5c)
            found |= (differences &- ones) & ~differences & (ones &* 0x80)
        }
        return found != 0
    }

    /// The byte at which a token begins, or 0 past the last one: no token begins with it.
    @inlinable
    @inline(__always)
    public func kind(_ token: Int) -> UInt8 {
        guard token < tokenCount else { return 0 }
        return unsafe bytes[Int(tokens[token])]
    }

    @inlinable
    @inline(__always)
    public func offset(_ token: Int) -> Int {
        token < tokenCount ? Int(unsafe tokens[token]) : length
    }

    @inlinable
    @inline(__always)
    public func byte(_ offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < length, "BUG: byte \(offset) of \(length)")
        return unsafe bytes[offset]
    }

    /// Eight bytes, little-endian; reaches at most into the padding.
    @usableFromInline
    @inline(__always)
    func word(_ offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= length, "BUG: word \(offset) of \(length)")
        return unsafe UnsafeRawPointer(bytes)
            .loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    /// The string that begins at a token, or nil when the token is none.
    @inlinable
    @inline(__always)
    public func string(_ token: Int) -> Text? {
        guard kind(token) == UInt8(ascii: "\"") else { return nil }
        let start = offset(token) &+ 1
        // Between the closing quote and the next token there is only white space.
        var end = offset(token &+ 1) &- 1
        while end >= start, unsafe bytes[end] != UInt8(ascii: "\"") { end &-= 1 }
        guard end >= start else { return nil }
        let isEscaped = hasBackslash && contains(UInt8(ascii: "\\"), in: start..<end)
        return Text(offset: start, length: end &- start, isEscaped: isEscaped)
    }

    /// The literal of a number, `true`, `false` or `null`: up to the white space before the next
    /// token.
    @inlinable
    @inline(__always)
    public func literal(_ token: Int) -> Range<Int> {
        let start = offset(token)
        var end = offset(token &+ 1)
        while end > start, unsafe isBlank(bytes[end &- 1]) { end &-= 1 }
        return start..<end
    }

    @inlinable
    public func isNumber(_ token: Int) -> Bool {
        let first = kind(token)
        return first == UInt8(ascii: "-") || (first &- UInt8(ascii: "0")) < 10
    }

    @usableFromInline
    func contains(_ byte: UInt8, in range: Range<Int>) -> Bool {
        let part = unsafe UnsafeBufferPointer(start: bytes + range.lowerBound, count: range.count)
        return unsafe part.contains(byte)
    }

    /// Lends the bytes of a range of the text.
    @inlinable
    @inline(__always)
    public func withBytes<Result>(
        _ range: Range<Int>, _ body: (Span<UInt8>) -> Result
    ) -> Result {
        precondition(range.upperBound <= length, "BUG: bytes \(range) of \(length)")
        return unsafe body(Span(_unsafeStart: bytes + range.lowerBound, count: range.count))
    }
}

@inlinable
@inline(__always)
func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
}
