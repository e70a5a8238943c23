public import SQLite
public import Usage

/// Spend grouped by dimensions, read from a data directory: stored roll-ups and the events after
/// them, in one read transaction, so that every committed event counts once.
public struct SpendQuery: Sendable {
    public var groupBy: [Dimension]
    /// Unix nanoseconds, rounded down to the quarter hour that roll-ups are kept by.
    public var since: Int64?
    /// Exclusive.
    public var until: Int64?
    public var filters: [(dimension: Dimension, value: String)]

    public init(
        groupBy: [Dimension], since: Int64? = nil, until: Int64? = nil,
        filters: [(dimension: Dimension, value: String)] = []
    ) {
        self.groupBy = groupBy
        self.since = since
        self.until = until
        self.filters = filters
    }

    public struct Row: Equatable, Sendable {
        /// One per dimension of `groupBy`; empty where the events had none.
        public var values: [String]
        public var events: Int64 = 0
        public var unpricedEvents: Int64 = 0
        public var inputTokens: Int64 = 0
        public var outputTokens: Int64 = 0
        public var cost = NanoUSD.zero

        public init(values: [String]) { self.values = values }
    }

    /// Dimensions that roll-ups keep.
    public static let groupable: [Dimension] = [
        .tenant, .user, .feature, .agent, .operation, .provider, .model, .status, .stage,
    ]

    /// Largest cost first.
    public func run(on database: borrowing Database) throws(SQLiteError) -> [Row] {
        let names = groupBy.map { Self.text(of: $0) }
        let keys = names.isEmpty ? "" : names.joined(separator: ", ") + ", "
        let grouping =
            names.isEmpty
            ? "" : "group by " + (1...names.count).map(String.init).joined(separator: ",")
        var sql = """
            with spend as (
                select quarter, tenant, user, feature, agent, operation, provider, model, facts,
                    events, input_tokens, output_tokens, cost_nanousd
                from rollups
                union all
                select timestamp_ns / \(RollUpDelta.seconds * 1_000_000_000), tenant, user, feature,
                    agent, operation, provider, model, facts, 1, ifnull(input_tokens, 0),
                    ifnull(output_tokens, 0), ifnull(cost_nanousd, 0)
                from events
                where seq > (
                    select cast(value as integer) from ledger_meta where key = 'applied_seq')
            )
            select \(keys)sum(events), sum(iif(facts >> 8 & 15, 0, events)), sum(input_tokens),
                sum(output_tokens), sum(cost_nanousd)
            from spend where true
            """
        var bindings: [String] = []
        let unit = RollUpDelta.seconds * 1_000_000_000
        if let since { sql += " and quarter >= \(since / unit)" }
        if let until { sql += " and quarter < \((until + unit - 1) / unit)" }
        for filter in filters {
            sql += " and \(Self.text(of: filter.dimension)) = ?"
            bindings.append(filter.value)
        }
        sql += " \(grouping) order by sum(cost_nanousd) desc, sum(events) desc"
        return try read(sql, bindings, database)
    }

    private func read(
        _ sql: String, _ bindings: [String], _ database: borrowing Database
    ) throws(SQLiteError) -> [Row] {
        var select = try database.prepare(sql)
        for (index, value) in bindings.enumerated() { try select.bind(Int32(index + 1), value) }
        var rows: [Row] = []
        while try select.step() {
            let width = Int32(groupBy.count)
            var row = Row(values: (0..<width).map { select.text($0) })
            row.events = select.integer(width)
            row.unpricedEvents = select.integer(width + 1)
            row.inputTokens = select.integer(width + 2)
            row.outputTokens = select.integer(width + 3)
            row.cost = NanoUSD(nanos: select.integer(width + 4))
            // Without groups SQLite answers one row of nothing.
            if row.events > 0 { rows.append(row) }
        }
        return rows
    }

    /// The SQL for a dimension's text.
    private static func text(of dimension: Dimension) -> String {
        switch dimension {
        case .status:
            "(select word from fact_words where kind = 'status' and code = facts & 15)"
        case .stage:
            "(select word from fact_words where kind = 'stage' and code = facts >> 4 & 15)"
        default: "ifnull((select text from names where id = \(dimension.description)), '')"
        }
    }
}
