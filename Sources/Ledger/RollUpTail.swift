internal import SQLite
internal import Usage

/// The roll-ups of the events that are in no stored roll-up yet: made in memory, and lent to SQL as
/// the table `tail_rollups` with the columns of `rollups`. Both together count each event once.
struct RollUpTail: ~Copyable {
    /// How far the tail reaches.
    enum End: Equatable {
        /// To the last checkpoint: what the sums in memory began with at start.
        case checkpoint
        /// To the last event that is committed.
        case last
    }

    private let table: RecordTable
    private let delta: RollUpDelta

    /// Call within a read transaction that goes on over the statements that use the tail.
    init(
        _ database: borrowing Database, through end: End, since: Int64 = .min, until: Int64 = .max
    ) throws(SQLiteError) {
        var delta = RollUpDelta()
        var range = EventsRange(
            after: try Self.meta("rolled_seq", in: database), since: since, until: until)
        if end == .checkpoint { range.through = try Self.meta("applied_seq", in: database) }
        try EventsTable.read(range, from: database) { rows, _ in
            // Roll-ups keep no names of resources.
            rows.expandDetails { _ in 0 }
            for event in rows.events where range.contains(time: event.timestamp) {
                delta.add(event)
            }
            return true
        }
        let table = try RecordTable(
            name: "tail_rollups", columns: RollUpWriter.layout, in: database)
        self.delta = delta
        self.table = table
    }

    borrowing func lend<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        try table.withRecords(delta.entries.span, body)
    }

    static func meta(_ key: String, in database: borrowing Database) throws(SQLiteError) -> Int64 {
        try database.integer(
            "select cast(value as integer) from ledger_meta where key = '\(key)'") ?? 0
    }
}
