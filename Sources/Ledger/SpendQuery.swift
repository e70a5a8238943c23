public import SQLite
public import Usage

/// Spend grouped by dimensions, read from a data directory: stored sums and those of the events
/// after them, in one read transaction, so that every committed event counts once.
public struct SpendQuery: Sendable {
    public var groupBy: [Dimension]
    /// Unix nanoseconds, rounded down as `range` says.
    public var since: Int64?
    /// Exclusive, rounded down in the same way: spans that follow on one another count every event
    /// once.
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
    /// Every source is summed by ids before names are looked up, once a row of the answer.
    public func run(on database: borrowing Database) throws(SQLiteError) -> [Row] {
        try run(on: database, groupsMax: .max) ?? []
    }

    /// The same; nil when there are more groups than that, whatever `limit` says. Each takes some
    /// 80 bytes while the query runs.
    public func run(
        on database: borrowing Database, groupsMax: Int
    ) throws(SQLiteError) -> [Row]? {
        try database.reading { database throws(SQLiteError) in
            try runInTransaction(database, groupsMax)
        }
    }

    private func runInTransaction(
        _ database: borrowing Database, _ groupsMax: Int
    ) throws(SQLiteError) -> [Row]? {
        var bindings: [String] = []
        let span = try span(database)
        let sources = sources(span, &bindings).joined(separator: " union all ")
        var groups = SpendGroups(width: groupBy.count + 1)
        let tail = try tail(span, database)
        try tail.lend { () throws(SQLiteError) in
            var select = try database.prepare(sources)
            for (index, value) in bindings.enumerated() {
                try select.bind(Int32(index + 1), value)
            }
            while groups.sums.count <= groupsMax, try select.step() { groups.add(select) }
        }
        return groups.sums.count > groupsMax ? nil : try rows(groups, database)
    }

    private func rows(
        _ groups: SpendGroups, _ database: borrowing Database
    ) throws(SQLiteError) -> [Row] {
        let page = groups.sums.indices.sorted { comes(groups, $0, before: $1) }
            .dropFirst(offset).prefix(limit ?? .max)
        var rows = page.map { group in
            let sums = groups.sums[group]
            var row = Row(values: Array(repeating: "", count: groupBy.count))
            row.time = Int64(groups.key(of: group, 0)) * RollUpDelta.seconds
            row.events = sums.events
            row.unpricedEvents = sums.unpriced
            row.inputTokens = sums.input
            row.outputTokens = sums.output
            row.cost = NanoUSD(nanos: sums.cost)
            return row
        }
        for (index, dimension) in groupBy.enumerated() {
            var select = try database.prepare(Self.text(of: dimension))
            for (place, group) in page.enumerated() {
                try select.bind(1, Int64(groups.key(of: group, index + 1)))
                if try select.step() { rows[place].values[index] = select.text(0) }
                select.reset()
            }
        }
        return rows
    }

    private func comes(_ groups: SpendGroups, _ left: Int, before right: Int) -> Bool {
        if stepSeconds != nil {
            let times = (groups.key(of: left, 0), groups.key(of: right, 0))
            if times.0 != times.1 { return times.0 < times.1 }
        }
        let sums = (groups.sums[left], groups.sums[right])
        if sums.0.cost != sums.1.cost { return sums.0.cost > sums.1.cost }
        if sums.0.events != sums.1.events { return sums.0.events > sums.1.events }
        for index in 1..<groups.width {
            let ids = (groups.key(of: left, index), groups.key(of: right, index))
            if ids.0 != ids.1 { return ids.0 < ids.1 }
        }
        return false
    }

    /// The SQL of what tells the values of a dimension apart.
    static func key(of dimension: Dimension) -> String {
        switch dimension {
        case .status: "facts & 15"
        case .stage: "facts >> 4 & 15"
        default: "ifnull(\(dimension.description), 0)"
        }
    }

    /// The SQL for the text of such a key, which is bound; no row where there is none.
    private static func text(of dimension: Dimension) -> String {
        switch dimension {
        case .status, .stage: "select word from fact_words where kind = '\(dimension)' and code = ?"
        default: "select text from names where id = ?"
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
