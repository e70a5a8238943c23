internal import JSON
public import SQLite
public import Usage
internal import Wire

/// The raw events as NDJSON in the fields of `POST /v1/events`, so that what comes out can go in
/// again. An event shows what it costs after its adjustments, which are no events themselves.
public struct EventsQuery: Sendable {
    /// Unix nanoseconds of the events' own time, the second exclusive.
    public var since: Int64?
    public var until: Int64?
    public var filters: [(dimension: Dimension, value: String)]
    public var limit: Int?

    public init(
        since: Int64? = nil, until: Int64? = nil,
        filters: [(dimension: Dimension, value: String)] = [], limit: Int? = nil
    ) {
        self.since = since
        self.until = until
        self.filters = filters
        self.limit = limit
    }

    /// Calls `body` with each line, oldest arrival first; it answers false to stop.
    public func run(
        on database: borrowing Database, _ body: ([UInt8]) -> Bool
    ) throws(SQLiteError) {
        var left = limit ?? .max
        guard left > 0 else { return }
        let range = EventsRange(since: since ?? .min, until: until ?? .max)
        try database.reading { database throws(SQLiteError) in
            var texts = try EventTexts(database)
            var line: [UInt8] = []
            try EventsTable.read(range, from: database) { rows, first throws(SQLiteError) in
                for (offset, stored) in rows.events.enumerated()
                where range.contains(time: stored.timestamp) && !stored.isAdjustment {
                    try texts.take(stored, of: rows, seq: first + Int64(offset))
                    guard matches(texts) else { continue }
                    line.removeAll(keepingCapacity: true)
                    texts.write(to: &line)
                    left -= 1
                    guard body(line), left > 0 else { return false }
                }
                return true
            }
        }
    }

    private func matches(_ texts: borrowing EventTexts) -> Bool {
        for filter in filters where texts.value(of: filter.dimension) != filter.value {
            return false
        }
        return true
    }
}

/// One stored event with its names looked up.
private struct EventTexts: ~Copyable {
    private var name: Statement
    private var adjusted: Statement
    /// Texts of names by id; they are few beside the events.
    private var known: [NameID: String] = [:]
    private static let knownMax = 200_000

    private var event = CostEvent()
    private var texts: [(field: String, text: String)] = []
    private var tags = ""
    private var detail = ""

    init(_ database: borrowing Database) throws(SQLiteError) {
        let name = try database.prepare("select text from names where id = ?")
        let adjusted = try database.prepare(
            "select nanos, facts from adjustments where event = ?")
        self.name = name
        self.adjusted = adjusted
    }

    mutating func take(_ stored: CostEvent, of rows: EventRows, seq: Int64) throws(SQLiteError) {
        event = stored
        adjusted.reset()
        try adjusted.bind(1, seq)
        if try adjusted.step() {
            event.cost = (event.amount?.nanos ?? 0) + adjusted.integer(0)
            // Where the amount comes from is told by the last adjustment.
            event.costSource =
                CostSource(rawValue: UInt8(adjusted.integer(1) >> 8 & 15)) ?? event.costSource
        }
        detail = rows.string(event.detail)
        // Values that found no room among the names.
        let folded =
            detail.isEmpty ? nil : (try? JSONValue.read(Array(detail.utf8)))?["folded"]
        let names: [(String, NameID)] = [
            ("tenant", event.tenant), ("user", event.user), ("feature", event.feature),
            ("agent", event.agent), ("operation", event.operation),
            ("provider", event.provider), ("model", event.model),
        ]
        texts.removeAll(keepingCapacity: true)
        for (field, id) in names {
            var text = try text(of: id)
            if let folded = folded?[field]?.string { text = folded }
            texts.append((field, text))
        }
        texts.append(("conversation", rows.string(event.conversation)))
        texts.append(("task", rows.string(event.task)))
        texts.append(("request", rows.string(event.request)))
        texts.append(("id", rows.string(event.id)))
        tags = try text(of: event.tags)
        if let folded = folded?["tags"]?.string { tags = folded }
    }

    private mutating func text(of id: NameID) throws(SQLiteError) -> String {
        if id == 0 { return "" }
        if let text = known[id] { return text }
        name.reset()
        try name.bind(1, Int64(id))
        let text = try name.step() ? name.text(0) : ""
        if known.count >= Self.knownMax { known.removeAll(keepingCapacity: true) }
        known[id] = text
        return text
    }

    func value(of dimension: Dimension) -> String {
        switch dimension {
        case .status: event.status.word
        case .stage: event.stage.word
        default: text(dimension.description)
        }
    }

    private func text(_ field: String) -> String {
        texts.first { $0.field == field }?.text ?? ""
    }

    func write(to line: inout [UInt8]) {
        func add(_ field: String, _ value: (inout [UInt8]) -> Void) {
            line.append(UInt8(ascii: line.isEmpty ? "{" : ","))
            line.appendJSONString(field)
            line.append(UInt8(ascii: ":"))
            value(&line)
        }
        func add(text field: String) {
            let text = text(field)
            if !text.isEmpty { add(field) { $0.appendJSONString(text) } }
        }
        func add(_ field: String, count: UInt32) {
            add(field) { $0.appendDecimal(UInt64(count)) }
        }
        add(text: "id")
        add("timestamp") { $0.appendJSONString(RFC3339.text(unixNanos: event.timestamp)) }
        for field in ["tenant", "user", "feature", "agent", "conversation", "task", "request"] {
            add(text: field)
        }
        for field in ["operation", "provider", "model"] { add(text: field) }
        add("input_tokens", count: event.tokens.input)
        add("cached_input_tokens", count: event.tokens.cachedInput)
        add("cache_write_tokens", count: event.tokens.cacheWrite)
        add("output_tokens", count: event.tokens.output)
        add("reasoning_tokens", count: event.tokens.reasoning)
        if let amount = event.amount {
            add("cost_usd") { line in
                line.append(UInt8(ascii: "\""))
                FixedPoint.append(amount.nanos, scale: 9, fractionMin: 9, to: &line)
                line.append(UInt8(ascii: "\""))
            }
        }
        add("cost_source") { $0.appendJSONString(event.costSource.word) }
        add("status") { $0.appendJSONString(event.status.word) }
        add("stage") { $0.appendJSONString(event.stage.word) }
        if event.durationMillis > 0 { add("duration_ms", count: event.durationMillis) }
        let isComplete = event.isComplete
        add("usage_complete") { $0.append(isComplete ? "true" as StaticString : "false") }
        if !tags.isEmpty { add("tags") { $0.append(tags) } }
        // The members of the detail stand beside the others.
        if detail.utf8.count > 2 {
            line.append(UInt8(ascii: ","))
            line.append(contentsOf: detail.utf8.dropFirst())
        } else {
            line.append(UInt8(ascii: "}"))
        }
        line.append(UInt8(ascii: "\n"))
    }
}
