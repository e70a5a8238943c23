internal import SQLite

/// Adds roll-ups to the stored ones, all in one statement; see `RecordTable`.
struct RollUpWriter: ~Copyable {
    private let pending: RecordTable
    private var upsert: Statement

    static let keys = [
        "quarter", "tenant", "user", "feature", "agent", "operation", "provider", "model", "tags",
        "facts",
    ]
    static let sums = [
        "events", "input_tokens", "plain_input_tokens", "plain_output_tokens",
        "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
        "audio_input_tokens", "audio_output_tokens", "cost_nanousd",
    ]

    /// Stored roll-ups and those of a `RollUpTail`.
    static let withTail =
        "(select \(names) from rollups union all select \(names) from tail_rollups)"

    static let names = (keys + sums + ["largest_nanousd"]).joined(separator: ", ")

    /// What a roll-up that is there already becomes.
    static let additions =
        (sums.map { "\($0) = \($0) + excluded.\($0)" }
        + ["largest_nanousd = max(largest_nanousd, excluded.largest_nanousd)"])
        .joined(separator: ", ")

    init(_ database: borrowing Database) throws(SQLiteError) {
        let pending = try RecordTable(
            name: "pending_rollups", columns: Self.layout, in: database)
        let names = Self.names
        // "where true" tells the parser that the conflict clause belongs to no join.
        let upsert = try database.prepare(
            """
            insert into rollups (\(names)) select \(names) from pending_rollups where true
            on conflict do update set \(Self.additions)
            """, isKept: true)
        self.pending = pending
        self.upsert = upsert
    }

    mutating func write(_ delta: RollUpDelta) throws(SQLiteError) {
        if delta.count > 0 { try Self.run(&upsert, pending, delta) }
    }

    // Two fields at once, one of them changing: apart from `self` the compiler sees that they
    // differ.
    private static func run(
        _ upsert: inout Statement, _ pending: borrowing RecordTable, _ delta: RollUpDelta
    ) throws(SQLiteError) {
        try pending.withRecords(delta.entries.span) { () throws(SQLiteError) in try upsert.run() }
    }

    static var layout: [RecordColumn] {
        let keyOffsets = [
            offset(\.key.quarter), offset(\.key.tenant), offset(\.key.user), offset(\.key.feature),
            offset(\.key.agent), offset(\.key.operation), offset(\.key.provider),
            offset(\.key.model), offset(\.key.tags), offset(\.key.facts),
        ]
        let sumOffsets = [
            offset(\.sums.events), offset(\.sums.input), offset(\.sums.plainInput),
            offset(\.sums.plainOutput), offset(\.sums.cachedInput), offset(\.sums.cacheWrite),
            offset(\.sums.output), offset(\.sums.reasoning), offset(\.sums.audioInput),
            offset(\.sums.audioOutput), offset(\.sums.cost), offset(\.sums.largest),
        ]
        return zip(keys, keyOffsets).map { RecordColumn($0, offset: $1, kind: .uint32) }
            + zip(sums + ["largest_nanousd"], sumOffsets).map {
                RecordColumn($0, offset: $1, kind: .int64)
            }
    }

    private static func offset<Value>(_ field: KeyPath<RollUpDelta.Entry, Value>) -> Int {
        guard let offset = MemoryLayout<RollUpDelta.Entry>.offset(of: field) else {
            preconditionFailure("BUG: a column names a field that is not stored")
        }
        return offset
    }
}
