public import SQLite
public import Usage

/// The roll-ups, for rooms that count past spend: the stored ones, and those that the writer has
/// not got round to.
public enum RollUpsTable {
    /// Seconds of a roll-up.
    public static let seconds = RollUpDelta.seconds

    /// The sums of one roll-up.
    public struct Sums: Sendable {
        public let events: Int64
        public let tokens: Int64
        /// Nano-dollars, all and of the dearest event.
        public let cost: Int64
        public let largest: Int64
    }

    /// Calls `body` with every roll-up from `since` to before `until`, Unix seconds on the quarter
    /// hour, oldest first. The event has the dimensions, and the time of the quarter hour's start.
    public static func readSums(
        since: Int64, until: Int64, from database: borrowing Database,
        _ body: (_ event: CostEvent, _ sums: Sums) -> Void
    ) throws(SQLiteError) {
        let (first, end) = (since / seconds, until / seconds)
        try database.reading { database throws(SQLiteError) in
            let nanos = seconds * 1_000_000_000
            let tail = try RollUpTail(
                database, through: .checkpoint, since: first * nanos, until: end * nanos)
            try tail.lend { () throws(SQLiteError) in
                var select = try database.prepare(
                    """
                    select quarter, tenant, user, feature, agent, operation, provider, model, tags,
                        facts, events, input_tokens + output_tokens, cost_nanousd, largest_nanousd
                    from \(RollUpWriter.withTail) where quarter >= \(first) and quarter < \(end)
                    order by quarter
                    """)
                while try select.step() {
                    let sums = Sums(
                        events: select.integer(10), tokens: select.integer(11),
                        cost: select.integer(12), largest: select.integer(13))
                    body(event(select), sums)
                }
            }
        }
    }

    /// Unix seconds of the oldest roll-up; nil without any.
    public static func oldest(in database: borrowing Database) throws(SQLiteError) -> Int64? {
        let rolled = try RollUpTail.meta("rolled_seq", in: database)
        let stored = try database.integer("select min(quarter) from rollups")
        let tail = try database.integer(
            "select min(oldest_ns) from event_batches where seq > \(rolled)")
        return [stored.map { $0 * seconds }, tail.map { floorToQuarter($0) }].compactMap { $0 }
            .min()
    }

    private static func floorToQuarter(_ unixNanos: Int64) -> Int64 {
        unixNanos / (seconds * 1_000_000_000) * seconds
    }

    private static func event(_ row: borrowing Statement) -> CostEvent {
        var event = CostEvent()
        event.timestamp = row.integer(0) * RollUpDelta.seconds * 1_000_000_000
        event.readNames(row, from: 1)
        event.facts = UInt32(clamping: row.integer(9))
        return event
    }
}
