internal import JSON
internal import Usage
internal import Wire

/// A batch as it is stored: one row, its events one JSON text. A row an event would cost eight
/// times as much to write, and whoever has `sqlite3` can still read it (view `events`).
///
///     [["evt_1",-1200000000,0,17,203,3,5,6,150,37,80,1234000,256], ...]
///       id      time        names...     tokens... nano-dollars, facts, then what few events have
///
/// Names are ids of the table `names`; times are nanoseconds from the batch's `received_ns`. An
/// absent name, count or text is 0 or "", an absent amount null; absent ones at the end are left
/// out.
enum StoredBatch {
    /// The columns of an event in the order of its array, as the view calls them.
    static let columns = [
        "id", "timestamp_ns", "received_ns", "tenant", "user", "feature", "provider", "model",
        "input_tokens", "cached_input_tokens", "output_tokens", "cost_nanousd", "facts",
        "cache_write_tokens", "reasoning_tokens", "duration_ms", "agent", "operation", "tags",
        "request", "conversation", "task", "detail",
    ]

    /// Values that every array has: those up to `facts`.
    private static let always = 13
    /// Bytes of an event without its texts, at most: 20 numbers of at most 20 digits, commas,
    /// brackets, quotes.
    private static let bytesMax = 512

    /// What a row tells beside the events.
    struct Bounds: Equatable {
        var count = 0
        /// Of the first event; the others are told as differences.
        var received: Int64 = 0
        var oldest = Int64.max
        var newest = Int64.min
    }

    /// Writes the events that are not skipped.
    static func write(_ rows: EventRows, to text: inout TextBuffer) -> Bounds {
        var bounds = Bounds()
        text.append(UInt8(ascii: "["))
        for index in rows.events.indices where !rows.events[index].isSkipped {
            let event = rows.events[index]
            if bounds.count == 0 { bounds.received = event.received }
            bounds.oldest = min(bounds.oldest, event.timestamp)
            bounds.newest = max(bounds.newest, event.timestamp)
            text.reserve(bytesMax)
            if bounds.count > 0 { text.append(UInt8(ascii: ",")) }
            bounds.count += 1
            write(event, rows, bounds.received, to: &text)
        }
        text.append(UInt8(ascii: "]"))
        return bounds
    }

    @inline(__always)
    private static func write(
        _ event: CostEvent, _ rows: EventRows, _ received: Int64, to text: inout TextBuffer
    ) {
        text.append(UInt8(ascii: "["))
        write(event.id, rows, to: &text)
        number(event.timestamp &- received, to: &text)
        number(event.received &- received, to: &text)
        number(Int64(event.tenant), to: &text)
        number(Int64(event.user), to: &text)
        number(Int64(event.feature), to: &text)
        number(Int64(event.provider), to: &text)
        number(Int64(event.model), to: &text)
        number(Int64(event.tokens.input), to: &text)
        number(Int64(event.tokens.cachedInput), to: &text)
        number(Int64(event.tokens.output), to: &text)
        if event.cost == CostEvent.noCost {
            for byte in ",null".utf8 { text.append(byte) }
        } else {
            number(event.cost, to: &text)
        }
        number(Int64(event.facts), to: &text)
        if hasMore(event) { writeRest(event, rows, to: &text) }
        text.append(UInt8(ascii: "]"))
    }

    @inline(__always)
    private static func hasMore(_ event: CostEvent) -> Bool {
        let numbers =
            event.tokens.cacheWrite | event.tokens.reasoning | event.durationMillis | event.agent
            | event.operation | event.tags
        let lengths =
            event.request.length | event.conversation.length | event.task.length
            | event.detail.length
        return numbers | lengths != 0
    }

    private static func writeRest(
        _ event: CostEvent, _ rows: EventRows, to text: inout TextBuffer
    ) {
        let texts = [event.request, event.conversation, event.task, event.detail]
        let hasTexts = texts.contains { !$0.isEmpty }
        let numbers = [
            event.tokens.cacheWrite, event.tokens.reasoning, event.durationMillis, event.agent,
            event.operation, event.tags,
        ]
        let count = hasTexts ? numbers.count : (numbers.lastIndex { $0 != 0 } ?? -1) + 1
        for value in numbers.prefix(count) { number(Int64(value), to: &text) }
        guard let last = texts.lastIndex(where: { !$0.isEmpty }) else { return }
        for value in texts[...last] {
            text.append(UInt8(ascii: ","))
            write(value, rows, to: &text)
        }
        text.reserve(bytesMax)
    }

    @inline(__always)
    private static func number(_ value: Int64, to text: inout TextBuffer) {
        text.append(UInt8(ascii: ","))
        text.append(decimal: value)
    }

    private static func write(_ value: TextRef, _ rows: EventRows, to text: inout TextBuffer) {
        text.append(jsonString: rows.text.span.extracting(value.range))
        text.reserve(bytesMax)
    }
}

/// Reads stored batches back; one per thread.
struct StoredBatchReader: ~Copyable {
    private var indexer = JSONIndexer()

    /// Appends the events of a row to `rows`, and answers how many. `detail` stays text: see
    /// `EventDetail`. A text that is not as `StoredBatch` writes it ends the batch early.
    ///
    /// - Parameter bytes: the row's text, to which padding is added.
    mutating func read(
        _ bytes: inout [UInt8], received: Int64, into rows: inout EventRows
    ) -> Int {
        let length = bytes.count
        JSONIndexer.pad(&bytes)
        // Two arrays of one structure: apart from it the compiler sees that they differ.
        var events = rows.events
        var text = rows.text
        rows = EventRows()
        let before = events.count
        _ = try? indexer.read(bytes.span, 0..<length) { document in
            var token = 1
            while document.kind(token) == UInt8(ascii: "[") {
                var event = CostEvent()
                guard Self.read(document, &token, received, &event, &text) else { return }
                events.append(event)
                // The comma between two events.
                token += 1
            }
        }
        let count = events.count - before
        rows.events = events
        rows.text = text
        return count
    }

    /// Calls `body` with the id, the tenant and the arrival of every event that has an id, no
    /// escapes in it and nothing behind its facts, and appends the others to `rest`: what tells
    /// most events apart is read at a quarter of the price. Answers the count of all.
    ///
    ///     [ "id" , time , received , tenant ... , facts ]
    ///     0 1    2 3    4 5        6 7            25    26      tokens of such an event
    mutating func readIDs(
        _ bytes: inout [UInt8], received: Int64, rest: inout EventRows,
        _ body: (Span<UInt8>, _ tenant: NameID, _ received: Int64) -> Void
    ) -> Int {
        let length = bytes.count
        JSONIndexer.pad(&bytes)
        var events = rest.events
        var text = rest.text
        rest = EventRows()
        var count = 0
        _ = try? indexer.read(bytes.span, 0..<length) { document in
            var token = 1
            while document.kind(token) == UInt8(ascii: "[") {
                if document.kind(token + 26) == UInt8(ascii: "]"),
                    let id = document.string(token + 1), id.length == 0
                {
                    // Nothing tells it apart.
                    token += 28
                } else if document.kind(token + 26) == UInt8(ascii: "]"),
                    let id = document.string(token + 1), !id.isEscaped,
                    let tenant = document.unsignedInteger(token + 7),
                    let later = document.unsignedInteger(token + 5)
                {
                    document.withBytes(id.offset..<id.offset + id.length) {
                        body($0, NameID(clamping: tenant), received &+ Int64(clamping: later))
                    }
                    token += 28
                } else {
                    var event = CostEvent()
                    guard Self.read(document, &token, received, &event, &text) else { return }
                    events.append(event)
                    token += 1
                }
                count += 1
            }
        }
        rest.events = events
        rest.text = text
        return count
    }

    /// Steps from value to value: `[`, value, `,`, value ... `]`.
    private struct Walk: ~Copyable {
        var token: Int
        var isGood = true

        @inline(__always)
        mutating func hasMore(_ document: borrowing JSONDocument) -> Bool {
            document.kind(token) == UInt8(ascii: ",")
        }

        @inline(__always)
        mutating func integer(_ document: borrowing JSONDocument) -> Int64 {
            token &+= 1
            defer { token &+= 1 }
            if document.kind(token) == UInt8(ascii: "-") {
                let range = document.literal(token)
                let read = document.withBytes(range) { FixedPoint.read($0, scale: 0) }
                guard case .value(let value) = read else {
                    isGood = false
                    return 0
                }
                return value
            }
            guard let value = document.unsignedInteger(token).flatMap(Int64.init(exactly:)) else {
                isGood = false
                return 0
            }
            return value
        }

        @inline(__always)
        mutating func word(_ document: borrowing JSONDocument) -> UInt32 {
            UInt32(truncatingIfNeeded: integer(document))
        }

        @inline(__always)
        mutating func text(
            _ document: borrowing JSONDocument, into text: inout [UInt8]
        ) -> TextRef {
            token &+= 1
            defer { token &+= 1 }
            guard let string = document.string(token) else {
                isGood = false
                return .none
            }
            guard string.length > 0 else { return .none }
            let offset = UInt32(text.count)
            if string.isEscaped {
                do throws(JSONFault) {
                    try document.unescape(string, into: &text)
                } catch { isGood = false }
            } else {
                document.withBytes(string.offset..<string.offset + string.length) {
                    text.append(copying: $0)
                }
            }
            return TextRef(offset: offset, length: UInt32(text.count) - offset)
        }
    }

    /// `token` stands at the event's bracket, afterwards behind the closing one.
    private static func read(
        _ document: borrowing JSONDocument, _ token: inout Int, _ received: Int64,
        _ event: inout CostEvent, _ text: inout [UInt8]
    ) -> Bool {
        var walk = Walk(token: token)
        event.id = walk.text(document, into: &text)
        event.timestamp = received &+ walk.integer(document)
        event.received = received &+ walk.integer(document)
        event.tenant = walk.word(document)
        event.user = walk.word(document)
        event.feature = walk.word(document)
        event.provider = walk.word(document)
        event.model = walk.word(document)
        event.tokens.input = walk.word(document)
        event.tokens.cachedInput = walk.word(document)
        event.tokens.output = walk.word(document)
        if document.kind(walk.token + 1) == UInt8(ascii: "n") {
            walk.token += 2
        } else {
            event.cost = walk.integer(document)
        }
        event.facts = walk.word(document)
        if walk.hasMore(document) { event.tokens.cacheWrite = walk.word(document) }
        if walk.hasMore(document) { event.tokens.reasoning = walk.word(document) }
        if walk.hasMore(document) { event.durationMillis = walk.word(document) }
        if walk.hasMore(document) { event.agent = walk.word(document) }
        if walk.hasMore(document) { event.operation = walk.word(document) }
        if walk.hasMore(document) { event.tags = walk.word(document) }
        if walk.hasMore(document) { event.request = walk.text(document, into: &text) }
        if walk.hasMore(document) { event.conversation = walk.text(document, into: &text) }
        if walk.hasMore(document) { event.task = walk.text(document, into: &text) }
        if walk.hasMore(document) { event.detail = walk.text(document, into: &text) }
        guard walk.isGood, document.kind(walk.token) == UInt8(ascii: "]") else { return false }
        token = walk.token + 1
        return true
    }
}
