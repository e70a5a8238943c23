internal import JSON
internal import Usage
internal import Wire

// The kinds of values, each with its bounds and what it says when they are not kept.
extension EventDecoder {
    /// A dimension value stays in the body until it is interned, unless it needs unescaping.
    @inline(__always)
    func name(
        _ field: EventField, _ document: borrowing JSONDocument, _ token: Int,
        _ rows: inout EventRows
    ) throws(EventFault) -> SourceText {
        guard let text = document.string(token) else {
            throw wrongType(field, document, token, "a string")
        }
        guard !text.isEscaped else {
            return SourceText(batch: try unescaped(field, document, text, &rows))
        }
        guard text.length <= Limits.textBytes else { throw tooLong(field, text.length) }
        return SourceText(body: text.offset..<text.offset &+ text.length)
    }

    /// An id moves into the batch's text, where the insert reads it.
    @inline(__always)
    func text(
        _ field: EventField, _ document: borrowing JSONDocument, _ token: Int,
        _ rows: inout EventRows
    ) throws(EventFault) -> TextRef {
        guard let text = document.string(token) else {
            throw wrongType(field, document, token, "a string")
        }
        guard !text.isEscaped else { return try unescaped(field, document, text, &rows) }
        guard text.length <= Limits.textBytes else { throw tooLong(field, text.length) }
        return document.withBytes(text.offset..<text.offset &+ text.length) { rows.append($0) }
    }

    private func unescaped(
        _ field: EventField, _ document: borrowing JSONDocument, _ text: JSONDocument.Text,
        _ rows: inout EventRows
    ) throws(EventFault) -> TextRef {
        let start = rows.text.count
        do throws(JSONFault) {
            try document.unescape(text, into: &rows.text)
        } catch {
            throw .field(field, .malformed, "cannot be read: \(error.message)")
        }
        let length = rows.text.count - start
        guard length <= Limits.textBytes else { throw tooLong(field, length) }
        return TextRef(offset: UInt32(start), length: UInt32(length))
    }

    @inline(__always)
    func count(
        _ field: EventField, _ document: borrowing JSONDocument, _ token: Int
    ) throws(EventFault) -> UInt32 {
        guard let value = document.unsignedInteger(token), value <= Limits.tokensMax else {
            throw wrongType(field, document, token, "an integer from 0 to \(Limits.tokensMax)")
        }
        return UInt32(truncatingIfNeeded: value)
    }

    /// Milliseconds; fractions, which many clocks give, are cut off.
    func duration(
        _ document: borrowing JSONDocument, _ token: Int
    ) throws(EventFault) -> UInt32 {
        guard case .value(let micros) = decimal(document, token, scale: 3), micros >= 0,
            UInt64(micros / 1000) <= Limits.durationMillisMax
        else {
            throw wrongType(
                .durationMillis, document, token,
                "a number from 0 to \(Limits.durationMillisMax)")
        }
        return UInt32(micros / 1000)
    }

    func quantity(
        _ field: EventField, _ document: borrowing JSONDocument, _ token: Int, scale: Int,
        max: Int64
    ) throws(EventFault) -> Int64 {
        let unit: Int64 = scale == 6 ? 1_000_000 : 1000
        guard case .value(let value) = decimal(document, token, scale: scale), value >= 0,
            value <= max * unit
        else { throw wrongType(field, document, token, "a number from 0 to \(max)") }
        return value
    }

    /// A number, or a string that holds one: both are read from their digits.
    @inline(__always)
    func cost(
        _ document: borrowing JSONDocument, _ token: Int
    ) throws(EventFault) -> NanoUSD {
        let expected = "a decimal amount such as 0.00123, as number or string"
        let range: Range<Int>
        if let text = document.string(token) {
            range = text.offset..<text.offset + text.length
        } else {
            range = document.literal(token)
        }
        let isZone = document.isNumber(token) || document.kind(token) == UInt8(ascii: "\"")
        guard isZone else { throw wrongType(.costUSD, document, token, expected) }
        switch document.withBytes(range, NanoUSD.read) {
        case .value(let nanos) where nanos < 0:
            throw .field(
                .costUSD, .outOfRange,
                "must not be negative; got \(excerpt(document, token)); a credit is no cost event")
        case .value(let nanos) where nanos <= Limits.costMax.nanos:
            return NanoUSD(nanos: nanos)
        case .value, .outOfRange:
            throw .field(
                .costUSD, .outOfRange,
                "must be at most \(Limits.costMax.decimal); got \(excerpt(document, token))")
        case .malformed: throw wrongType(.costUSD, document, token, expected)
        }
    }

    /// RFC 3339, or a Unix time whose size tells seconds, milliseconds, microseconds or
    /// nanoseconds.
    @inline(__always)
    func timestamp(
        _ document: borrowing JSONDocument, _ token: Int
    ) throws(EventFault) -> Int64 {
        if let text = document.string(token) {
            let range = text.offset..<text.offset &+ text.length
            if let nanos = document.withBytes(range, RFC3339.read) { return nanos }
        } else if document.isNumber(token) {
            for scale in [9, 6, 3, 0] {
                if case .value(let nanos) = decimal(document, token, scale: scale) {
                    guard nanos >= 0 else { break }
                    return nanos
                }
            }
        }
        throw wrongType(
            .timestamp, document, token,
            "RFC 3339 with a zone, such as 2026-11-20T10:00:00Z, or Unix seconds, ms, us or ns, "
                + "from 1970 on")
    }

    func word<Word: Vocabulary>(
        _ field: EventField, _ document: borrowing JSONDocument, _ token: Int
    ) throws(EventFault) -> Word {
        guard let text = document.string(token) else {
            throw wrongType(field, document, token, "a string")
        }
        for candidate in Word.allCases {
            let range = text.offset..<text.offset + text.length
            if document.withBytes(range, { $0.equals(candidate.word) }) { return candidate }
        }
        throw .field(
            field, .unknownValue,
            "must be one of \(Word.words.joined(separator: ", ")); got \(excerpt(document, token))")
    }

    /// Words of providers that name no priced tier mean the standard one.
    func tier(
        _ document: borrowing JSONDocument, _ token: Int
    ) throws(EventFault) -> ServiceTier {
        guard let text = document.string(token) else {
            throw wrongType(.serviceTier, document, token, "a string")
        }
        guard text.length <= Limits.textBytes else { throw tooLong(.serviceTier, text.length) }
        return document.withBytes(text.offset..<text.offset &+ text.length) { bytes in
            var copy: [UInt8] = []
            copy.append(copying: bytes)
            return ServiceTier(spelling: copy.text)
        }
    }

    private func decimal(
        _ document: borrowing JSONDocument, _ token: Int, scale: Int
    ) -> FixedPoint.Reading {
        guard document.isNumber(token) else { return .malformed }
        return document.withBytes(document.literal(token)) { FixedPoint.read($0, scale: scale) }
    }

    func wrongType(
        _ field: EventField, _ document: borrowing JSONDocument, _ token: Int, _ expected: String
    ) -> EventFault {
        .field(field, .wrongType, "must be \(expected); got \(excerpt(document, token))")
    }

    private func tooLong(_ field: EventField, _ length: Int) -> EventFault {
        .field(field, .tooLong, "has \(length) bytes; at most \(Limits.textBytes)")
    }

    /// The first bytes of a value, as a message shows them.
    func excerpt(_ document: borrowing JSONDocument, _ token: Int) -> String {
        switch document.kind(token) {
        case 0: return "nothing"
        case UInt8(ascii: "{"): return "an object"
        case UInt8(ascii: "["): return "an array"
        default: break
        }
        let range = document.literal(token)
        return document.withBytes(range.prefix(40)) { bytes in
            var copy: [UInt8] = []
            copy.append(copying: bytes)
            return copy.text + (range.count > 40 ? "..." : "")
        }
    }
}

extension Span<UInt8> {
    func equals(_ text: String) -> Bool {
        guard count == text.utf8.count else { return false }
        var at = 0
        for byte in text.utf8 {
            if self[at] != byte { return false }
            at += 1
        }
        return true
    }
}
