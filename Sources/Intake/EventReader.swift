internal import JSON
internal import Usage
internal import Wire

/// Turns the bytes of one body into batches. One per thread that reads; its memory is reused.
///
///     body -> slice (about 1 MiB, ends at a line) -> index -> decode -> intern -> price -> sink
///
/// The fast path takes a slice as one text. When its text is broken anywhere, the rest of the slice
/// is read line by line, so that each bad line is named and the good ones beside it are kept.
struct EventReader: ~Copyable {
    private var indexer = JSONIndexer()
    private var decoder = EventDecoder()
    private var decoded: [DecodedEvent] = []
    /// Index memory grows with the text; slices bound it. An array is one text and is not sliced.
    static let sliceBytes = 1 << 20

    init() {}

    /// `body` holds `length` bytes and the indexer's padding.
    mutating func read(
        _ body: Span<UInt8>, length: Int, into session: inout ReadSession
    ) {
        decoder.unknown.forget()
        // A byte order mark, which some editors put in front of UTF-8.
        let hasMark = length >= 3 && body[0] == 0xef && body[1] == 0xbb && body[2] == 0xbf
        let first = firstNonBlank(body, from: hasMark ? 3 : 0, to: length)
        guard first < length else {
            // Blank lines are nothing to tell about.
            if session.isLines { return session.finish(unknownFields: []) }
            session.reject(text: JSONFault(offset: 0, message: "the body is empty"), body)
            session.finish(unknownFields: [])
            return
        }
        if body[first] == UInt8(ascii: "["), !session.isLines {
            readText(body, first..<length, into: &session)
        } else {
            var start = first
            while start < length, !session.isFull {
                let end = sliceEnd(body, from: start, to: length)
                readText(body, start..<end, into: &session)
                start = end
            }
        }
        session.finish(unknownFields: decoder.unknown.names)
    }

    /// Behind the last newline within reach, or behind the first one after it when a line is
    /// longer.
    private func sliceEnd(_ body: Span<UInt8>, from start: Int, to length: Int) -> Int {
        var end = start + Self.sliceBytes
        guard end < length else { return length }
        while end > start, body[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        if end > start { return end }
        end = start + Self.sliceBytes
        while end < length, body[end - 1] != UInt8(ascii: "\n") { end += 1 }
        return end
    }

    private mutating func readText(
        _ body: Span<UInt8>, _ range: Range<Int>, into session: inout ReadSession
    ) {
        let fault: TextFault?
        do throws(JSONTextFault) {
            fault = try indexer.read(body, range) { document in
                Self.readValues(document, body, range, &decoder, &decoded, &session)
            }
        } catch {
            if error == .empty { return }
            fault = TextFault(
                objectStart: range.lowerBound,
                fault: JSONFault(offset: range.lowerBound, message: error.description))
        }
        guard let fault else { return }
        let isArray =
            !session.isLines
            && body[firstNonBlank(body, from: range.lowerBound, to: range.upperBound)]
                == UInt8(ascii: "[")
        if session.isLines
            || !isArray && hasLines(body, from: fault.objectStart, to: range.upperBound)
        {
            readLines(body, fault.objectStart..<range.upperBound, into: &session)
        } else {
            session.reject(text: fault.fault, body)
        }
    }

    /// Broken text: where it shows, and where the event began that it belongs to. Both in the body.
    private struct TextFault {
        let objectStart: Int
        let fault: JSONFault
    }

    /// True when the rest looks like one event a line: some line has an event from brace to brace,
    /// which no line of an event that is written over several lines has.
    private func hasLines(_ body: Span<UInt8>, from start: Int, to end: Int) -> Bool {
        var lineStart = start
        while lineStart < end {
            var lineEnd = lineStart
            while lineEnd < end, body[lineEnd] != UInt8(ascii: "\n") { lineEnd += 1 }
            var last = lineEnd - 1
            while last > lineStart,
                body[last] == UInt8(ascii: " ") || body[last] == UInt8(ascii: "\r")
            {
                last -= 1
            }
            if last > lineStart, body[lineStart] == UInt8(ascii: "{"),
                body[last] == UInt8(ascii: "}")
            {
                return true
            }
            lineStart = lineEnd + 1
        }
        return false
    }

    private mutating func readLines(
        _ body: Span<UInt8>, _ range: Range<Int>, into session: inout ReadSession
    ) {
        var start = range.lowerBound
        // The event may begin in the middle of its line; what stands before it was read.
        while start < range.upperBound, !session.isFull {
            var end = start
            while end < range.upperBound, body[end] != UInt8(ascii: "\n") { end += 1 }
            readLine(body, start..<end, into: &session)
            start = end + 1
        }
    }

    private mutating func readLine(
        _ body: Span<UInt8>, _ range: Range<Int>, into session: inout ReadSession
    ) {
        guard firstNonBlank(body, from: range.lowerBound, to: range.upperBound) < range.upperBound
        else { return }
        let fault: TextFault?
        do throws(JSONTextFault) {
            fault = try indexer.read(body, range) { document in
                Self.readValues(document, body, range, &decoder, &decoded, &session)
            }
        } catch {
            fault = TextFault(
                objectStart: range.lowerBound,
                fault: JSONFault(offset: range.lowerBound, message: error.description))
        }
        if let fault { session.reject(text: fault.fault, body) }
    }

    /// Reads the events of a text, one after the other or as an array. Answers the fault that ended
    /// it.
    private static func readValues(
        _ document: borrowing JSONDocument, _ body: Span<UInt8>, _ range: Range<Int>,
        _ decoder: inout EventDecoder, _ decoded: inout [DecodedEvent],
        _ session: inout ReadSession
    ) -> TextFault? {
        decoded.removeAll(keepingCapacity: true)
        defer { session.take(&decoded, document, body) }
        var token = 0
        let isArray = document.kind(0) == UInt8(ascii: "[") && !session.isLines
        if isArray {
            token = 1
            if document.kind(1) == UInt8(ascii: "]") { return trailing(document, 2, range) }
        }
        while isArray || token < document.tokenCount {
            if session.needsRoom(decoded.count) { session.take(&decoded, document, body) }
            if session.isFull { return nil }
            let start = token
            if let fault = readEvent(document, body, range, &token, &decoder, &decoded, &session) {
                return TextFault(
                    objectStart: range.lowerBound + document.offset(start), fault: fault)
            }
            guard isArray else { continue }
            let kind = document.kind(token)
            token += 1
            if kind == UInt8(ascii: "]") { return trailing(document, token, range) }
            guard kind == UInt8(ascii: ",") else {
                return TextFault(
                    objectStart: range.lowerBound + document.offset(start),
                    fault: JSONFault(
                        offset: range.lowerBound + document.offset(token - 1),
                        message: "a comma or the end of the array is expected"))
            }
        }
        return nil
    }

    /// Text behind the closing bracket of an array.
    private static func trailing(
        _ document: borrowing JSONDocument, _ token: Int, _ range: Range<Int>
    ) -> TextFault? {
        guard token < document.tokenCount else { return nil }
        let offset = range.lowerBound + document.offset(token)
        return TextFault(
            objectStart: offset, fault: JSONFault(offset: offset, message: "text after the array"))
    }

    /// Reads one event, or steps over it with a rejection. Answers a fault of the text from which
    /// there is no way on.
    @inline(__always)
    private static func readEvent(
        _ document: borrowing JSONDocument, _ body: Span<UInt8>, _ range: Range<Int>,
        _ token: inout Int, _ decoder: inout EventDecoder, _ decoded: inout [DecodedEvent],
        _ session: inout ReadSession
    ) -> JSONFault? {
        let start = token
        session.beginEvent()
        var event = DecodedEvent()
        event.offset = UInt32(truncatingIfNeeded: range.lowerBound &+ document.offset(token))
        event.index = session.currentIndex
        let textMark = session.rows.text.count
        do throws(EventFault) {
            guard document.kind(token) == UInt8(ascii: "{") else {
                throw .field("", .wrongType, "an event is an object in braces")
            }
            try decoder.decode(document, &token, into: &event, &session.rows)
            try session.check(&event)
            if session.owner != nil { try session.checkOwner(event, document) }
            decoded.append(event)
            return nil
        } catch {
            session.rows.text.removeLast(session.rows.text.count - textMark)
            return stepOver(error, document, body, range, start, &token, &session)
        }
    }

    /// The event at `start` is not taken. A fault of a field leaves its text whole; a fault of the
    /// text is told as such, and in an array the brackets show where the next event begins.
    private static func stepOver(
        _ fault: EventFault, _ document: borrowing JSONDocument, _ body: Span<UInt8>,
        _ range: Range<Int>, _ start: Int, _ token: inout Int, _ session: inout ReadSession
    ) -> JSONFault? {
        var textFault: JSONFault
        switch fault {
        case .field(let field, let reason, let message):
            do throws(JSONFault) {
                token = try document.skip(start)
                session.reject(
                    field: field, reason, message,
                    at: range.lowerBound + document.offset(start), body)
                return nil
            } catch { textFault = error }
        case .text(let fault): textFault = fault
        }
        session.retractEvent()
        textFault = JSONFault(
            offset: range.lowerBound + textFault.offset, message: textFault.message)
        let isArray = document.kind(0) == UInt8(ascii: "[") && !session.isLines
        guard isArray, let next = document.stepOver(start), endsElement(document.kind(next)) else {
            return textFault
        }
        token = next
        session.reject(text: textFault, body)
        return nil
    }

    private static func endsElement(_ kind: UInt8) -> Bool {
        kind == UInt8(ascii: ",") || kind == UInt8(ascii: "]")
    }
}

func firstNonBlank(_ body: Span<UInt8>, from start: Int, to end: Int) -> Int {
    var at = start
    while at < end,
        body[at] == UInt8(ascii: " ") || body[at] == UInt8(ascii: "\n")
            || body[at] == UInt8(ascii: "\r") || body[at] == UInt8(ascii: "\t")
    {
        at += 1
    }
    return at
}
