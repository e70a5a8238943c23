public import SQLite
public import Usage
internal import Wire

/// The raw events as NDJSON in the fields of `POST /v1/events`, so that what comes out can go in
/// again.
public struct EventsQuery: Sendable {
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

    /// Columns of the view and how JSON shows them.
    private enum Form { case text, integer, decimal, boolean, json }
    private static let fields: [(column: String, field: String, form: Form)] = [
        ("id", "id", .text), ("timestamp_ns", "timestamp", .text), ("tenant", "tenant", .text),
        ("user", "user", .text), ("feature", "feature", .text), ("agent", "agent", .text),
        ("conversation", "conversation", .text), ("task", "task", .text),
        ("request", "request", .text), ("operation", "operation", .text),
        ("provider", "provider", .text), ("model", "model", .text),
        ("input_tokens", "input_tokens", .integer),
        ("cached_input_tokens", "cached_input_tokens", .integer),
        ("cache_write_tokens", "cache_write_tokens", .integer),
        ("output_tokens", "output_tokens", .integer),
        ("reasoning_tokens", "reasoning_tokens", .integer), ("cost_usd", "cost_usd", .decimal),
        ("cost_source", "cost_source", .text), ("status", "status", .text),
        ("stage", "stage", .text), ("duration_ms", "duration_ms", .integer),
        ("usage_complete", "usage_complete", .boolean), ("tags", "tags", .json),
    ]

    /// Calls `body` with each line, oldest arrival first; it answers false to stop.
    public func run(
        on database: borrowing Database, _ body: ([UInt8]) -> Bool
    ) throws(SQLiteError) {
        let columns = Self.fields.map {
            $0.column == "timestamp_ns" ? "e.timestamp_ns" : "r.\($0.column)"
        }
        var sql =
            "select \(columns.joined(separator: ", ")), e.detail from events e "
            + "join cost_records r on r.seq = e.seq where true"
        if let since { sql += " and e.timestamp_ns >= \(since)" }
        if let until { sql += " and e.timestamp_ns < \(until)" }
        for filter in filters { sql += " and r.\(filter.dimension.description) = ?" }
        sql += " order by e.seq"
        if let limit { sql += " limit \(limit)" }
        var select = try database.prepare(sql)
        for (index, filter) in filters.enumerated() {
            try select.bind(Int32(index + 1), filter.value)
        }
        var line: [UInt8] = []
        while try select.step() {
            line.removeAll(keepingCapacity: true)
            Self.write(select, to: &line)
            guard body(line) else { return }
        }
    }

    private static func write(_ row: borrowing Statement, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "{"))
        for (index, (_, field, form)) in fields.enumerated() {
            let column = Int32(index)
            if row.isNull(column) { continue }
            if line.count > 1 { line.append(UInt8(ascii: ",")) }
            line.appendJSONString(field)
            line.append(UInt8(ascii: ":"))
            switch form {
            case .text where field == "timestamp":
                line.appendJSONString(RFC3339.text(unixNanos: row.integer(column)))
            case .text: line.appendJSONString(row.text(column))
            case .integer: line.appendDecimal(row.integer(column))
            case .decimal: line.appendJSONString(row.text(column))
            case .boolean: line.append(row.integer(column) == 0 ? "false" as StaticString : "true")
            case .json: row.append(column, to: &line)
            }
        }
        // The members of the detail stand beside the others.
        let detail = row.bytes(Int32(fields.count))
        if detail.count > 2 {
            line.append(UInt8(ascii: ","))
            line.append(contentsOf: detail.dropFirst())
        } else {
            line.append(UInt8(ascii: "}"))
        }
        line.append(UInt8(ascii: "\n"))
    }
}
