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
            var event = CostEvent()
            event.timestamp = select.integer(0) * RollUpDelta.seconds * 1_000_000_000
            event.tenant = NameID(clamping: select.integer(1))
            event.user = NameID(clamping: select.integer(2))
            event.feature = NameID(clamping: select.integer(3))
            event.agent = NameID(clamping: select.integer(4))
            event.operation = NameID(clamping: select.integer(5))
            event.provider = NameID(clamping: select.integer(6))
            event.model = NameID(clamping: select.integer(7))
            event.tags = NameID(clamping: select.integer(8))
            event.facts = UInt32(clamping: select.integer(9))
            body(event, NanoUSD(nanos: select.integer(10)))
        }
    }
}
