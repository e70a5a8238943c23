internal import SQLite
internal import Usage

extension EventsTable {
    /// What the ledger holds of one event.
    struct Priced {
        let seq: Int64
        /// With its adjustments; nil: it never had an amount.
        let nanos: Int64?
        let times: Int64
    }

    /// Calls `body` with the events whose amounts are not the sender's own, in chunks, their
    /// amounts taken away; it answers false to stop.
    static func readForPricing(
        since: Int64, until: Int64, from database: borrowing Database, names: Names,
        _ body: (inout EventRows, [Priced]) throws(SQLiteError) -> Bool
    ) throws(SQLiteError) {
        let source = Int64(CostSource.reported.rawValue)
        let names_ = columns.map { "e.\($0)" }.joined(separator: ", ")
        var select = try database.prepare(
            """
            select e.seq, \(names_), a.nanos, ifnull(a.times, 0) from events e
            left join adjustments a on a.event = e.seq
            where e.timestamp_ns >= ?1 and e.timestamp_ns < ?2 and e.facts >> 17 & 1 = 0
                and e.facts >> 8 & 15 <> ?3 order by e.seq
            """)
        try select.bind(1, since)
        try select.bind(2, until)
        try select.bind(3, source)
        var rows = EventRows()
        var priced: [Priced] = []
        while try select.step() {
            var event = Self.event(select, names, &rows)
            let extra = Int32(columns.count + 1)
            let own = event.amount?.nanos
            let adjusted = select.isNull(extra) ? nil : select.integer(extra)
            priced.append(
                Priced(
                    seq: select.integer(0),
                    nanos: own == nil && adjusted == nil ? nil : (own ?? 0) + (adjusted ?? 0),
                    times: select.integer(extra + 1)))
            event.amount = nil
            event.costSource = .unpriced
            rows.events.append(event)
            guard rows.events.count == EventBatch.capacity else { continue }
            guard try body(&rows, priced) else { return }
            rows = EventRows()
            priced.removeAll(keepingCapacity: true)
        }
        if !rows.events.isEmpty { _ = try body(&rows, priced) }
    }
}
