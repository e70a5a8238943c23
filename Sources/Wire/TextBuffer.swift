/// Text under construction in memory of its own: for what writes millions of numbers a second.
///
/// Room is asked for once for many small pieces (`reserve`), and each piece checks it without
/// growing: an array checks its reference count, its capacity and its length at every byte.
@safe
public struct TextBuffer: ~Copyable {
    private var bytes: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// False: the memory is somebody else's, who gave all of it at once.
    private let isOwner: Bool
    public private(set) var count = 0

    public init(capacity: Int = 4096) {
        self.capacity = max(capacity, 64)
        unsafe bytes = .allocate(capacity: self.capacity)
        isOwner = true
    }

    /// Text in lent memory, which must outlive it.
    fileprivate init(
        lent memory: UnsafeMutableBufferPointer<UInt8>, at start: UnsafeMutablePointer<UInt8>
    ) {
        capacity = memory.count
        unsafe bytes = start
        isOwner = false
    }

    deinit {
        if isOwner { unsafe bytes.deallocate() }
    }

    /// Makes room for `more` bytes beyond the text.
    @inline(__always)
    public mutating func reserve(_ more: Int) {
        // Numbers are written eight digits at a time, of which some are stepped back over.
        let wanted = count + more + 8
        if wanted > capacity { grow(to: wanted) }
    }

    private mutating func grow(to wanted: Int) {
        precondition(isOwner, "BUG: lent memory does not grow")
        let wider = max(wanted, capacity * 2)
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: wider)
        unsafe moved.update(from: bytes, count: count)
        unsafe bytes.deallocate()
        unsafe bytes = moved
        capacity = wider
    }

    /// Empty again; memory past `kept` bytes is given back.
    public mutating func clear(keeping kept: Int = 1 << 20) {
        count = 0
        guard isOwner, capacity > kept else { return }
        unsafe bytes.deallocate()
        capacity = kept
        unsafe bytes = .allocate(capacity: kept)
    }

    @inline(__always)
    public mutating func append(_ byte: UInt8) {
        precondition(count < capacity, "BUG: text without room")
        unsafe bytes[count] = byte
        count &+= 1
    }

    @inline(__always)
    public mutating func append(_ text: Span<UInt8>) {
        precondition(text.count <= capacity &- count, "BUG: text without room")
        let end = unsafe bytes + count
        unsafe text.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            unsafe end.update(from: start, count: source.count)
        }
        count &+= text.count
    }

    /// A line of three pieces and an amount, `name{` `labels` `} ` `0.0015`: the amount and the end
    /// of the line have up to 22 bytes.
    public mutating func appendLine(
        _ first: Span<UInt8>, _ second: Span<UInt8>, _ third: Span<UInt8>, nanos: Int64
    ) {
        append(first, second, third)
        append(nanos: nanos)
        append(UInt8(ascii: "\n"))
    }

    /// The same with a whole number.
    public mutating func appendLine(
        _ first: Span<UInt8>, _ second: Span<UInt8>, _ third: Span<UInt8>, decimal: Int64
    ) {
        append(first, second, third)
        append(decimal: decimal)
        append(UInt8(ascii: "\n"))
    }

    @inline(__always)
    private mutating func append(
        _ first: Span<UInt8>, _ second: Span<UInt8>, _ third: Span<UInt8>
    ) {
        append(short: first)
        append(short: second)
        append(short: third)
    }

    /// Text of some dozen bytes: sixteen at a time, of which the last overlap those before them,
    /// cost less than finding the best way to move it.
    @inline(__always)
    private mutating func append(short text: Span<UInt8>) {
        let length = text.count
        precondition(length <= capacity &- count, "BUG: text without room")
        unsafe text.withUnsafeBytes { source in
            guard let from = source.baseAddress else { return }
            let to = unsafe UnsafeMutableRawPointer(bytes + count)
            if length >= 16 {
                var at = 0
                while at < length &- 16 {
                    unsafe Self.move(SIMD16<UInt8>.self, from + at, to + at)
                    at &+= 16
                }
                unsafe Self.move(SIMD16<UInt8>.self, from + (length &- 16), to + (length &- 16))
            } else if length >= 8 {
                unsafe Self.move(UInt64.self, from, to)
                unsafe Self.move(UInt64.self, from + (length &- 8), to + (length &- 8))
            } else if length >= 4 {
                unsafe Self.move(UInt32.self, from, to)
                unsafe Self.move(UInt32.self, from + (length &- 4), to + (length &- 4))
            } else if length >= 2 {
                unsafe Self.move(UInt16.self, from, to)
                unsafe Self.move(UInt16.self, from + (length &- 2), to + (length &- 2))
            } else if length == 1 {
                unsafe Self.move(UInt8.self, from, to)
            }
        }
        count &+= length
    }

    @inline(__always)
    private static func move<Piece: BitwiseCopyable>(
        _ piece: Piece.Type, _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer
    ) {
        unsafe to.storeBytes(of: from.loadUnaligned(as: piece), as: piece)
    }

    /// `value / 10^9` exactly, without trailing zeros, up to 21 bytes: 1_500_000 -> `0.0015`.
    @inline(__always)
    public mutating func append(nanos value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        if rest < 1_000_000_000 {
            append(UInt8(ascii: "0"))
        } else {
            let whole = rest / 1_000_000_000
            append(magnitude: whole)
            rest &-= whole &* 1_000_000_000
        }
        guard rest > 0 else { return }
        append(UInt8(ascii: "."))
        let (first, low) = UInt32(truncatingIfNeeded: rest)
            .quotientAndRemainder(dividingBy: 100_000_000)
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: first))
        let digits = Self.digits(low)
        append(digits: digits, count: 8 &- digits.leadingZeroBitCount >> 3)
    }

    /// The same with at least two decimals, up to 23 bytes: 0.50, 100.00.
    public mutating func append(usd nanos: Int64) {
        append(nanos: nanos)
        if nanos % 1_000_000_000 == 0 {
            append(UInt8(ascii: "."))
            append(UInt8(ascii: "0"))
            append(UInt8(ascii: "0"))
        } else if nanos % 100_000_000 == 0 {
            append(UInt8(ascii: "0"))
        }
    }

    /// A signed number in base ten, up to 20 bytes.
    @inline(__always)
    public mutating func append(decimal value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(magnitude: value.magnitude)
    }

    @inline(__always)
    private mutating func append(magnitude value: UInt64) {
        if value < 10 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value))
        } else if value < 100_000_000 {
            appendUpToEight(UInt32(truncatingIfNeeded: value))
        } else {
            appendLong(value)
        }
    }

    private mutating func appendLong(_ value: UInt64) {
        let (high, low) = value.quotientAndRemainder(dividingBy: 100_000_000)
        append(magnitude: high)
        appendEight(Self.digits(UInt32(truncatingIfNeeded: low)))
    }

    @inline(__always)
    private mutating func appendUpToEight(_ value: UInt32) {
        let digits = Self.digits(value)
        // The first digit that is not zero, and at least the last one.
        let blanks = min(7, digits.trailingZeroBitCount >> 3)
        append(digits: digits &>> UInt64(blanks * 8), count: 8 &- blanks)
    }

    private mutating func appendEight(_ digits: UInt64) { append(digits: digits, count: 8) }

    @inline(__always)
    private mutating func append(digits: UInt64, count digitCount: Int) {
        precondition(count &+ 8 <= capacity, "BUG: text without room")
        unsafe UnsafeMutableRawPointer(bytes + count)
            .storeBytes(of: (digits | 0x3030_3030_3030_3030).littleEndian, as: UInt64.self)
        count &+= digitCount
    }

    /// The eight digits of a number below 10^8, the first one in the lowest byte: pairs of halves
    /// side by side, so that three multiplications do for all.
    /// https://johnnylee-sde.github.io/Fast-unsigned-integer-to-string/
    @inline(__always)
    private static func digits(_ value: UInt32) -> UInt64 {
        let halves = UInt64(value / 10_000) | UInt64(value % 10_000) &<< 32
        let hundreds = ((halves &* 10_486) &>> 20) & 0x0000_007f_0000_007f
        let pairs = hundreds | (halves &- hundreds &* 100) &<< 16
        let tens = ((pairs &* 103) &>> 10) & 0x000f_000f_000f_000f
        return tens | (pairs &- tens &* 10) &<< 8
    }

    /// A JSON string with its quotes; RFC 8259 section 7. Bytes are taken to be UTF-8.
    public mutating func append(jsonString text: Span<UInt8>) {
        reserve(text.count * 6 + 2)
        append(UInt8(ascii: "\""))
        for index in text.indices {
            let byte = text[index]
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte != 0x7f {
                append(byte)
                continue
            }
            append(UInt8(ascii: "\\"))
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                append(byte)
                continue
            }
            append(UInt8(ascii: "u"))
            append(UInt8(ascii: "0"))
            append(UInt8(ascii: "0"))
            append(hexDigit(byte >> 4))
            append(hexDigit(byte & 15))
        }
        append(UInt8(ascii: "\""))
    }

    /// A copy of the text.
    public var array: [UInt8] {
        unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    /// Lends the text.
    public func withText<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe Span(_unsafeStart: bytes, count: count))
    }
}

extension [UInt8] {
    /// Writes behind the text, in place: `body` may append up to `most` bytes.
    public mutating func append(atMost most: Int, _ body: (inout TextBuffer) -> Void) {
        // Eight more, as in `reserve`.
        append(addingCapacity: most + 8) { output in
            unsafe output.withUnsafeMutableBufferPointer { memory, count in
                guard let start = memory.baseAddress else { return }
                var text = unsafe TextBuffer(lent: memory, at: start)
                body(&text)
                count = text.count
            }
        }
    }
}

// Pieces that make their own room: `reserve` once, then the bytes.
extension TextBuffer {
    public mutating func append(copying text: Span<UInt8>) {
        reserve(text.count)
        append(text)
    }

    public mutating func append(_ text: StaticString) {
        let length = text.utf8CodeUnitCount
        reserve(length)
        unsafe (bytes + count).update(from: text.utf8Start, count: length)
        count &+= length
    }

    public mutating func append(_ text: ShortText) {
        reserve(ShortText.capacity)
        unsafe Self.copy(text, to: bytes + count)
        count &+= text.count
    }

    /// The bytes of punctuation.
    public mutating func append(sign byte: UInt8) {
        reserve(1)
        append(byte)
    }

    /// `"key":`, behind a comma if it is not the first one. Nothing in it is escaped.
    public mutating func append(jsonKey key: StaticString, isFirst: Bool) {
        let length = key.utf8CodeUnitCount
        reserve(length + 4)
        unsafe bytes[count] = UInt8(ascii: ",")
        let start = unsafe bytes + (isFirst ? count : count &+ 1)
        unsafe start[0] = UInt8(ascii: "\"")
        unsafe (start + 1).update(from: key.utf8Start, count: length)
        unsafe start[length &+ 1] = UInt8(ascii: "\"")
        unsafe start[length &+ 2] = UInt8(ascii: ":")
        count &+= length &+ (isFirst ? 3 : 4)
    }

    /// An amount in quotes, with at least two decimals.
    public mutating func append(jsonUSD nanos: Int64) {
        reserve(32)
        append(UInt8(ascii: "\""))
        append(usd: nanos)
        append(UInt8(ascii: "\""))
    }

    /// In quotes.
    public mutating func append(jsonString text: ShortText) {
        reserve(ShortText.capacity + 2)
        let start = unsafe bytes + count
        unsafe start[0] = UInt8(ascii: "\"")
        unsafe Self.copy(text, to: start + 1)
        unsafe start[text.count &+ 1] = UInt8(ascii: "\"")
        count &+= text.count &+ 2
    }

    /// As arrays of bytes write it; that of a span is for what the store keeps.
    public mutating func append(jsonString text: String) {
        let span = text.utf8Span.span
        guard span.firstJSONEscape(from: 0) == span.count else {
            var escaped: [UInt8] = []
            escaped.appendJSONString(text)
            return append(copying: escaped.span)
        }
        reserve(span.count + 2)
        let start = unsafe bytes + count
        unsafe start[0] = UInt8(ascii: "\"")
        unsafe Self.copy(span, to: start + 1)
        unsafe start[span.count &+ 1] = UInt8(ascii: "\"")
        count &+= span.count &+ 2
    }

    /// Copies more than the text has: what is behind it is overwritten by what follows.
    @inline(__always)
    private static func copy(_ text: ShortText, to place: UnsafeMutablePointer<UInt8>) {
        unsafe text.withBytes { part in
            unsafe UnsafeMutableRawBufferPointer(start: place, count: ShortText.capacity)
                .copyMemory(from: part)
        }
    }

    @inline(__always)
    private static func copy(_ text: Span<UInt8>, to place: UnsafeMutablePointer<UInt8>) {
        unsafe text.withUnsafeBufferPointer { part in
            guard let start = part.baseAddress else { return }
            unsafe place.update(from: start, count: part.count)
        }
    }
}
