// Text is built as bytes: pages, bodies and log lines are arrays of UInt8 that a caller reuses.

extension [UInt8] {
    @inlinable
    public mutating func append(_ text: String) {
        append(contentsOf: text.utf8)
    }

    @inlinable
    public mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }

    public mutating func append(copying span: Span<UInt8>) {
        unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// The number in base ten, without allocation.
    public mutating func appendDecimal(_ value: UInt64) {
        append(FixedPoint.text(value, isNegative: false, scale: 0, fractionMin: 0))
    }

    public mutating func appendDecimal(_ value: Int64) {
        append(FixedPoint.text(value, scale: 0))
    }

    /// A JSON string with its quotes; RFC 8259 section 7. Bytes are taken to be UTF-8.
    public mutating func appendJSONString(_ text: Span<UInt8>) {
        append(UInt8(ascii: "\""))
        // What needs no escape is copied run by run.
        var start = 0
        while true {
            let end = text.firstJSONEscape(from: start)
            append(copying: text.extracting(start..<end))
            guard end < text.count else { break }
            start = end + 1
            let byte = text[end]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case UInt8(ascii: "\n"): append("\\n" as StaticString)
            case UInt8(ascii: "\r"): append("\\r" as StaticString)
            case UInt8(ascii: "\t"): append("\\t" as StaticString)
            default:
                append("\\u00" as StaticString)
                append(hexDigit(byte >> 4))
                append(hexDigit(byte & 15))
            }
        }
        append(UInt8(ascii: "\""))
    }

    public mutating func appendJSONString(_ text: String) {
        appendJSONString(text.utf8Span.span)
    }

    public mutating func append(littleEndian value: UInt64, bytes: Int) {
        for shift in 0..<bytes { append(UInt8(truncatingIfNeeded: value >> UInt64(shift * 8))) }
    }

    public func littleEndian(at start: Int, bytes: Int) -> UInt64 {
        (0..<bytes).reduce(0) { $0 | UInt64(self[start + $1]) << UInt64($1 * 8) }
    }

    /// The bytes as text; what is not UTF-8 shows as U+FFFD.
    public var text: String { String(decoding: self, as: UTF8.self) }
}

@inline(__always)
func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
