internal import SQLite
internal import Usage

/// Brings the stored roll-ups up to the last checkpoint, some batches at a time, when the writer
/// has nothing else to do. Queries add what is missing themselves: see `RollUpTail`.
struct RollUpProgress {
    /// Events in one step: a few milliseconds, which a request may have to wait.
    static let eventsPerStep = 4096
    /// From so many events behind on, steps come between commits also under load: what a query
    /// adds itself stays bounded.
    static let lagMax: Int64 = 1_000_000

    /// The last event that is in the stored roll-ups, and the last that may be.
    private(set) var rolled: Int64
    private(set) var checkpointed: Int64
    /// Memory of the last step, to use again.
    private var delta = RollUpDelta()

    init(rolled: Int64, checkpointed: Int64) {
        self.rolled = rolled
        self.checkpointed = checkpointed
    }

    var lag: Int64 { checkpointed - rolled }

    mutating func checkpointEnded(appliedSeq: Int64) { checkpointed = appliedSeq }

    /// One step in the caller's transaction; answers how far it goes, for `stepEnded`.
    mutating func step(
        in database: borrowing Database, _ writer: inout RollUpWriter,
        _ sums: inout SpendSumsWriter
    ) throws(SQLiteError) -> Int64 {
        var delta = RollUpDelta()
        swap(&delta, &self.delta)
        delta.clear()
        var reached = rolled
        let start = rolled
        let range = EventsRange(after: rolled, through: checkpointed)
        try EventsTable.read(range, from: database) { rows, first in
            rows.expandDetails { _ in 0 }
            for event in rows.events { delta.add(event) }
            reached = first + Int64(rows.events.count) - 1
            return reached - start < Int64(Self.eventsPerStep)
        }
        // Events that retention took, if any, are behind.
        if reached == start { reached = checkpointed }
        delta.sort()
        try writer.write(delta)
        try sums.write(delta)
        try database.execute(
            "insert or replace into ledger_meta values ('rolled_seq', '\(reached)')")
        self.delta = delta
        return reached
    }

    mutating func stepEnded(at seq: Int64) { rolled = seq }
}
