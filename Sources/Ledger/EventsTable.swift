internal import JSON
internal import SQLite
internal import Usage

/// The raw events: batches go in through a virtual table that reads them in place, and come back in
/// order of arrival.
struct EventsTable: ~Copyable {
    private let pending: RecordTable
    private var insert: Statement

    static let columns = [
        "id", "request", "conversation", "task", "timestamp_ns", "received_ns", "tenant", "user",
        "feature", "agent", "operation", "provider", "model", "tags", "input_tokens",
        "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
        "cost_nanousd", "facts", "duration_ms", "detail",
    ]

    init(_ database: borrowing Database) throws(SQLiteError) {
        let pending = try RecordTable(
            name: "pending_events", columns: Self.layout,
            filter: RecordFilter(
                offset: Self.offset(\.flags), mask: CostEvent.Flags.skipped.rawValue),
            in: database)
        let names = Self.columns.joined(separator: ", ")
        let insert = try database.prepare(
            "insert into events (\(names)) select \(names) from pending_events", isKept: true)
        self.pending = pending
        self.insert = insert
    }

    /// Inserts the events that are no duplicates.
    mutating func insert(_ rows: EventRows) throws(SQLiteError) {
        try Self.run(&insert, pending, rows)
    }

    // Two fields at once, one of them changing: apart from `self` the compiler sees that they
    // differ.
    private static func run(
        _ insert: inout Statement, _ pending: borrowing RecordTable, _ rows: EventRows
    ) throws(SQLiteError) {
        try pending.withRecords(rows.events.span, text: rows.text.span) { () throws(SQLiteError) in
            try insert.run()
        }
    }

    private static var layout: [RecordColumn] {
        let kinds: [(Int, RecordColumn.Kind)] = [
            (offset(\.id), .text), (offset(\.request), .text), (offset(\.conversation), .text),
            (offset(\.task), .text), (offset(\.timestamp), .int64), (offset(\.received), .int64),
            (offset(\.tenant), .nonZeroUInt32), (offset(\.user), .nonZeroUInt32),
            (offset(\.feature), .nonZeroUInt32), (offset(\.agent), .nonZeroUInt32),
            (offset(\.operation), .nonZeroUInt32), (offset(\.provider), .nonZeroUInt32),
            (offset(\.model), .nonZeroUInt32), (offset(\.tags), .nonZeroUInt32),
            (offset(\.tokens.input), .nonZeroUInt32),
            (offset(\.tokens.cachedInput), .nonZeroUInt32),
            (offset(\.tokens.cacheWrite), .nonZeroUInt32),
            (offset(\.tokens.output), .nonZeroUInt32),
            (offset(\.tokens.reasoning), .nonZeroUInt32), (offset(\.cost), .optionalInt64),
            (offset(\.facts), .uint32), (offset(\.durationMillis), .nonZeroUInt32),
            (offset(\.detail), .text),
        ]
        return zip(columns, kinds).map { RecordColumn($0, offset: $1.0, kind: $1.1) }
    }

    private static func offset<Value>(_ field: KeyPath<CostEvent, Value>) -> Int {
        guard let offset = MemoryLayout<CostEvent>.offset(of: field) else {
            preconditionFailure("BUG: a column names a field that is not stored")
        }
        return offset
    }
}

extension EventsTable {
    /// Calls `body` with the events after row `seq` in chunks of a batch, in order.
    static func read(
        after seq: Int64, from database: borrowing Database, names: Names,
        _ body: (inout EventRows) -> Void
    ) throws(SQLiteError) {
        var select = try database.prepare(
            "select seq, \(columns.joined(separator: ", ")) from events where seq > ? order by seq")
        try select.bind(1, seq)
        var rows = EventRows()
        while try select.step() {
            rows.events.append(event(select, names, &rows))
            if rows.events.count == EventBatch.capacity {
                body(&rows)
                rows.events.removeAll(keepingCapacity: true)
                rows.text.removeAll(keepingCapacity: true)
            }
        }
        if !rows.events.isEmpty { body(&rows) }
    }

    static func event(
        _ row: borrowing Statement, _ names: Names, _ rows: inout EventRows
    ) -> CostEvent {
        var event = CostEvent()
        event.id = text(row, 1, &rows)
        event.request = text(row, 2, &rows)
        event.conversation = text(row, 3, &rows)
        event.task = text(row, 4, &rows)
        event.timestamp = row.integer(5)
        event.received = row.integer(6)
        event.tenant = UInt32(clamping: row.integer(7))
        event.user = UInt32(clamping: row.integer(8))
        event.feature = UInt32(clamping: row.integer(9))
        event.agent = UInt32(clamping: row.integer(10))
        event.operation = UInt32(clamping: row.integer(11))
        event.provider = UInt32(clamping: row.integer(12))
        event.model = UInt32(clamping: row.integer(13))
        event.tags = UInt32(clamping: row.integer(14))
        event.tokens.input = UInt32(clamping: row.integer(15))
        event.tokens.cachedInput = UInt32(clamping: row.integer(16))
        event.tokens.cacheWrite = UInt32(clamping: row.integer(17))
        event.tokens.output = UInt32(clamping: row.integer(18))
        event.tokens.reasoning = UInt32(clamping: row.integer(19))
        if !row.isNull(20) { event.cost = row.integer(20) }
        event.facts = UInt32(clamping: row.integer(21))
        event.durationMillis = UInt32(clamping: row.integer(22))
        if !row.isNull(23), let detail = try? JSONValue.read(row.bytes(23)) {
            EventDetail.read(detail, into: &event, rows: &rows) { names.intern($0) }
        }
        return event
    }

    private static func text(
        _ row: borrowing Statement, _ column: Int32, _ rows: inout EventRows
    ) -> TextRef {
        let offset = UInt32(rows.text.count)
        return TextRef(offset: offset, length: UInt32(row.append(column, to: &rows.text)))
    }
}
