internal import JSON
internal import SQLite
internal import Usage
internal import Wire

/// The raw events: batches go in as one row each, and come back in order of arrival.
struct EventsTable: ~Copyable {
    private var insert: Statement
    private var text = TextBuffer(capacity: 256 << 10)

    init(_ database: borrowing Database) throws(SQLiteError) {
        insert = try database.prepare(
            """
            insert into event_batches (seq, count, received_ns, oldest_ns, newest_ns, rows)
            values (?, ?, ?, ?, ?, ?)
            """, isKept: true)
    }

    /// Inserts the events that are not skipped under the numbers from `seq` on, and answers how
    /// many they are.
    mutating func insert(_ rows: EventRows, at seq: Int64) throws(SQLiteError) -> Int {
        text.clear()
        let bounds = StoredBatch.write(rows, to: &text)
        guard bounds.count > 0 else { return 0 }
        try insert.bind(1, seq)
        try insert.bind(2, Int64(bounds.count))
        try insert.bind(3, bounds.received)
        try insert.bind(4, bounds.oldest)
        try insert.bind(5, bounds.newest)
        try Self.bind(&insert, text)
        try insert.run()
        return bounds.count
    }

    // Two fields at once, one of them changing: apart from `self` the compiler sees that they
    // differ.
    private static func bind(
        _ insert: inout Statement, _ text: borrowing TextBuffer
    ) throws(SQLiteError) {
        try text.withText { (bytes) throws(SQLiteError) in try insert.bind(6, text: bytes) }
    }
}

/// Which events a reader wants.
struct EventsRange {
    /// Row numbers: after the first, up to the second.
    var after: Int64 = 0
    var through = Int64.max
    /// Times of the events, Unix nanoseconds, the second exclusive.
    var since = Int64.min
    var until = Int64.max

    func contains(time: Int64) -> Bool { time >= since && time < until }
}

extension EventsTable {
    /// Calls `body` with the events of each stored batch in order, and the number of the first of
    /// them; it answers false to stop. Batches without any event in `range` are not read; of the
    /// others all events after `range.after` come.
    ///
    /// `detail` is left as its text: see `EventDetail.expand`.
    static func read(
        _ range: EventsRange, from database: borrowing Database,
        _ body: (inout EventRows, _ first: Int64) throws(SQLiteError) -> Bool
    ) throws(SQLiteError) {
        var select = try batches(range, from: database)
        var reader = StoredBatchReader()
        var rows = EventRows()
        var text: [UInt8] = []
        while try select.step() {
            rows.events.removeAll(keepingCapacity: true)
            rows.text.removeAll(keepingCapacity: true)
            text.removeAll(keepingCapacity: true)
            select.append(3, to: &text)
            var first = select.integer(0)
            let count = Int(select.integer(1))
            guard reader.read(&text, received: select.integer(2), into: &rows) == count else {
                throw unreadable(first)
            }
            // A reader may begin within a batch.
            let known = Int(max(0, range.after + 1 - first))
            if known >= count { continue }
            rows.events.removeFirst(known)
            first += Int64(known)
            if range.through - first < Int64(rows.events.count - 1) {
                rows.events.removeLast(rows.events.count - Int(range.through - first) - 1)
            }
            guard try body(&rows, first) else { return }
        }
    }

    /// The stored batches with events in the range: seq, count, received_ns, rows.
    private static func batches(
        _ range: EventsRange, from database: borrowing Database
    ) throws(SQLiteError) -> Statement {
        var select = try database.prepare(
            """
            select seq, count, received_ns, rows from event_batches
            where seq >= ifnull((select max(seq) from event_batches where seq <= ?1 + 1), 0)
                and seq <= ?2 and newest_ns >= ?3 and oldest_ns < ?4
            order by seq
            """)
        try select.bind(1, range.after)
        try select.bind(2, range.through)
        try select.bind(3, range.since)
        try select.bind(4, range.until)
        return select
    }

    private static func unreadable(_ first: Int64) -> SQLiteError {
        .damaged("the events from row \(first) on cannot be read")
    }

    /// Calls `body` for each event after `seq` that has an id, or a call, and what tells it apart:
    /// see `StoredBatchReader.readIDs`. At the end of each batch `others` gets the rest, decoded.
    static func readIDs(
        after seq: Int64, from database: borrowing Database,
        _ body: (Span<UInt8>, _ tenant: NameID, _ received: Int64) -> Void,
        others: (EventRows) -> Void
    ) throws(SQLiteError) {
        var select = try batches(EventsRange(after: seq), from: database)
        var reader = StoredBatchReader()
        var rest = EventRows()
        var text: [UInt8] = []
        while try select.step() {
            rest.events.removeAll(keepingCapacity: true)
            rest.text.removeAll(keepingCapacity: true)
            text.removeAll(keepingCapacity: true)
            select.append(3, to: &text)
            let count = reader.readIDs(
                &text, received: select.integer(2), rest: &rest, body)
            guard count == Int(select.integer(1)) else { throw unreadable(select.integer(0)) }
            others(rest)
        }
    }

    /// Row number of the last event, 0 without any.
    static func last(in database: borrowing Database) throws(SQLiteError) -> Int64 {
        try database.integer(
            "select seq + count - 1 from event_batches order by seq desc limit 1") ?? 0
    }
}

extension EventRows {
    /// Puts the facts of the details into their fields.
    ///
    /// - Parameter intern: gives a name its id.
    mutating func expandDetails(_ intern: (String) -> NameID) {
        for index in events.indices where !events[index].detail.isEmpty {
            let text = Array(self.text[events[index].detail.range])
            guard let detail = try? JSONValue.read(text) else { continue }
            var event = events[index]
            EventDetail.read(detail, into: &event, rows: &self, intern: intern)
            events[index] = event
        }
    }
}
