public import SQLite
public import Usage

/// The raw events, for rooms that read them beside the writer.
public enum StoredEvents {
    /// Calls `body` with every event whose time lies in the range (Unix nanoseconds, the second
    /// exclusive), in order of arrival. Its texts are not lent.
    public static func read(
        since: Int64, until: Int64, from database: borrowing Database,
        _ body: (CostEvent) -> Void
    ) throws(SQLiteError) {
        let range = EventsRange(since: since, until: until)
        try EventsTable.read(range, from: database) { rows, _ in
            for event in rows.events where range.contains(time: event.timestamp) { body(event) }
            return true
        }
    }

    /// Brings rooms to where the store stands, for somebody who only reads: what the last
    /// checkpoint kept, then every event after it. Answers the ledger's time: the wall clock, never
    /// behind the last commit.
    public static func recover(
        _ rooms: [any CommitParticipant], names: Names, from database: borrowing Database,
        wallClock: Int64
    ) throws(SQLiteError) -> Int64 {
        _ = try Recovery.loadNames(database, into: names)
        let last = try database.integer(
            "select received_ns from event_batches order by seq desc limit 1")
        let now = max(
            wallClock, last ?? 0, try RollUpTail.meta("last_received_ns", in: database))
        for room in rooms { try room.recover(from: database, now: now) }
        let applied = try RollUpTail.meta("applied_seq", in: database)
        try EventsTable.read(EventsRange(after: applied), from: database) { rows, _ in
            rows.expandDetails { names.intern($0) }
            for room in rooms { room.replay(rows) }
            return true
        }
        for room in rooms { room.recovered() }
        return now
    }

    /// The time of the oldest and of the newest event, Unix nanoseconds; nil without any.
    public static func bounds(
        in database: borrowing Database
    ) throws(SQLiteError) -> ClosedRange<Int64>? {
        guard let oldest = try database.integer("select min(oldest_ns) from event_batches"),
            let newest = try database.integer("select max(newest_ns) from event_batches"),
            try EventsTable.last(in: database) > 0
        else { return nil }
        return oldest...newest
    }
}
