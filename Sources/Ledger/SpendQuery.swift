public import SQLite
public import Usage

/// Spend grouped by dimensions, read from a data directory: stored sums and those of the events
/// after them, in one read transaction, so that every committed event counts once.
public struct SpendQuery: Sendable {
    public var groupBy: [Dimension]
    /// Unix nanoseconds, rounded down to the quarter hour that roll-ups are kept by.
    public var since: Int64?
    /// Exclusive.
    public var until: Int64?
    public var filters: [(dimension: Dimension, value: String)]
    /// Also by spans of so many seconds, a multiple of `stepUnit`, counted from 1970 in UTC.
    public var stepSeconds: Int64?
    /// Rows passed over and rows answered; nil: all.
    public var offset = 0
    public var limit: Int?

    /// The quarter hours that roll-ups are kept by.
    public static let stepUnit = RollUpDelta.seconds

    public init(
        groupBy: [Dimension], since: Int64? = nil, until: Int64? = nil,
        filters: [(dimension: Dimension, value: String)] = [], stepSeconds: Int64? = nil
    ) {
        self.groupBy = groupBy
        self.since = since
        self.until = until
        self.filters = filters
        self.stepSeconds = stepSeconds
    }

    public struct Row: Equatable, Sendable {
        /// One per dimension of `groupBy`; empty where the events had none.
        public var values: [String]
        /// Unix seconds at which the row's span begins; 0 without steps.
        public var time: Int64 = 0
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

    /// Largest cost first; with steps, the earliest first.
    ///
    /// Both sources are summed by ids before names are looked up, once a row of the answer.
    public func run(on database: borrowing Database) throws(SQLiteError) -> [Row] {
        try database.reading { database throws(SQLiteError) in try runInTransaction(database) }
    }

    private func runInTransaction(
        _ database: borrowing Database
    ) throws(SQLiteError) -> [Row] {
        var bindings: [String] = []
        let sources = sources(&bindings)
        let texts = groupBy.enumerated().map { Self.text(of: $1, key: "k\($0)") }
        let order = stepSeconds == nil ? "" : "span, "
        let keys = groupBy.indices.map { "k\($0)" }
        let names = ["span"] + keys + ["events", "unpriced", "input", "output", "cost"]
        let groups = (["span"] + keys).joined(separator: ", ")
        let sql = """
            with spend (\(names.joined(separator: ", "))) as (
                \(sources.joined(separator: " union all "))
            )
            select \((["span"] + texts).joined(separator: ", ")), sum(events), sum(unpriced),
                sum(input), sum(output), sum(cost)
            from spend group by \(groups)
            order by \(order)sum(cost) desc, sum(events) desc\(keys.map { ", \($0)" }.joined())
            limit \(limit ?? -1) offset \(offset)
            """
        var rows: [Row] = []
        let tail = try tail(database)
        try tail.lend { () throws(SQLiteError) in rows = try read(sql, bindings, database) }
        return rows
    }

    private func read(
        _ sql: String, _ bindings: [String], _ database: borrowing Database
    ) throws(SQLiteError) -> [Row] {
        var select = try database.prepare(sql)
        for (index, value) in bindings.enumerated() { try select.bind(Int32(index + 1), value) }
        var rows: [Row] = []
        while try select.step() {
            let width = Int32(groupBy.count) + 1
            var row = Row(values: (1..<width).map { select.text($0) })
            row.time = select.integer(0)
            row.events = select.integer(width)
            row.unpricedEvents = select.integer(width + 1)
            row.inputTokens = select.integer(width + 2)
            row.outputTokens = select.integer(width + 3)
            row.cost = NanoUSD(nanos: select.integer(width + 4))
            rows.append(row)
        }
        return rows
    }

    /// The SQL of what tells the values of a dimension apart.
    static func key(of dimension: Dimension) -> String {
        switch dimension {
        case .status: "facts & 15"
        case .stage: "facts >> 4 & 15"
        default: "ifnull(\(dimension.description), 0)"
        }
    }

    /// The SQL for the text of such a key.
    static func text(of dimension: Dimension, key: String) -> String {
        switch dimension {
        case .status, .stage:
            "(select word from fact_words where kind = '\(dimension)' and code = \(key))"
        default: "ifnull((select text from names where id = \(key)), '')"
        }
    }

    /// True of events whose value is the bound one; the name is looked for once, not for each row.
    static func condition(on dimension: Dimension, key: String) -> String {
        switch dimension {
        case .status, .stage:
            "\(key) = (select code from fact_words where kind = '\(dimension)' "
                + "and word = ?)"
        default:
            "\(key) = ifnull((select id from names where text = ?), -1)"
        }
    }
}
