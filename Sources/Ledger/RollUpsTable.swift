public import SQLite
public import Usage

/// The stored roll-ups, for rooms that count past spend.
public enum RollUpsTable {
    private static let tail = """

        union all
        select timestamp_ns / \(RollUpDelta.seconds * 1_000_000_000), tenant, user, feature, agent,
            operation, provider, model, tags, facts & 0xfff, ifnull(cost_nanousd, 0)
        from events
        where timestamp_ns >= ?1 * \(RollUpDelta.seconds * 1_000_000_000) and seq > (
            select cast(value as integer) from ledger_meta where key = 'applied_seq')
        """

    /// Calls `body` with the dimensions and the cost of every roll-up from `since` (Unix seconds,
    /// rounded down to its quarter hour) on. The event has the time of its quarter hour's start;
    /// conversation, task and request are not kept in roll-ups.
    ///
    /// - Parameter withTail: also every event that is in no roll-up yet, each by itself.
    public static func read(
        since: Int64, withTail: Bool = false, from database: borrowing Database,
        _ body: (_ event: CostEvent, _ cost: NanoUSD) -> Void
    ) throws(SQLiteError) {
        var select = try database.prepare(
            """
            select quarter, tenant, user, feature, agent, operation, provider, model, tags, facts,
                cost_nanousd
            from rollups where quarter >= ?1
            """ + (withTail ? tail : " order by quarter"))
        try select.bind(1, since / RollUpDelta.seconds)
        while try select.step() {
            body(event(select), NanoUSD(nanos: select.integer(10)))
        }
    }

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
        var select = try database.prepare(
            """
            select quarter, tenant, user, feature, agent, operation, provider, model, tags, facts,
                events, input_tokens + output_tokens, cost_nanousd, largest_nanousd
            from rollups where quarter >= ? and quarter < ? order by quarter
            """)
        try select.bind(1, since / RollUpDelta.seconds)
        try select.bind(2, until / RollUpDelta.seconds)
        while try select.step() {
            let sums = Sums(
                events: select.integer(10), tokens: select.integer(11), cost: select.integer(12),
                largest: select.integer(13))
            body(event(select), sums)
        }
    }

    private static func event(_ row: borrowing Statement) -> CostEvent {
        var event = CostEvent()
        event.timestamp = row.integer(0) * RollUpDelta.seconds * 1_000_000_000
        event.tenant = NameID(clamping: row.integer(1))
        event.user = NameID(clamping: row.integer(2))
        event.feature = NameID(clamping: row.integer(3))
        event.agent = NameID(clamping: row.integer(4))
        event.operation = NameID(clamping: row.integer(5))
        event.provider = NameID(clamping: row.integer(6))
        event.model = NameID(clamping: row.integer(7))
        event.tags = NameID(clamping: row.integer(8))
        event.facts = UInt32(clamping: row.integer(9))
        return event
    }
}
