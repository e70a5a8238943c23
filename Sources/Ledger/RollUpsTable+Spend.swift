public import SQLite
public import Usage

// Past spend for those who count it by few dimensions: only the columns that they look at are read,
// which is most of what reading millions of roll-ups costs.
extension RollUpsTable {
    /// Calls `body` with some dimensions and the cost of every roll-up from `since` (Unix seconds,
    /// rounded down to its quarter hour) on, the stored ones oldest first. The event has those
    /// dimensions alone, and the time of its quarter hour's start; conversation, task and request
    /// are not kept in roll-ups.
    ///
    /// - Parameter withTail: also the events after the last checkpoint, which a start replays.
    public static func read(
        _ dimensions: [Dimension], since: Int64, withTail: Bool = false,
        from database: borrowing Database, _ body: (_ event: CostEvent, _ cost: NanoUSD) -> Void
    ) throws(SQLiteError) {
        let first = since / seconds
        let columns = dimensions.map { column(of: $0) }
        let names = ["quarter", "cost_nanousd"] + columns.map(\.rawValue)
        try database.reading { database throws(SQLiteError) in
            let tail = try RollUpTail(
                database, through: withTail ? .last : .checkpoint,
                since: first * seconds * 1_000_000_000)
            try tail.lend { () throws(SQLiteError) in
                for table in ["rollups", "tail_rollups"] {
                    var select = try database.prepare(
                        """
                        select \(names.joined(separator: ", ")) from \(table)
                        where quarter >= \(first)
                        """)
                    var event = CostEvent()
                    while try select.step() {
                        event.timestamp = select.integer(0) * seconds * 1_000_000_000
                        for index in columns.indices {
                            event.set(columns[index], select.integer(Int32(index) + 2))
                        }
                        body(event, NanoUSD(nanos: select.integer(1)))
                    }
                }
            }
        }
    }

    /// Seconds of the spans for which `readSums` knows the spend by this dimension (nil: over
    /// everything): an hour or a day; nil when it does not.
    public static func sumsSeconds(by dimension: Dimension?) -> Int64? {
        switch dimension {
        case nil, .tenant, .user, .feature, .agent, .operation, .provider, .model:
            SpendSums.hours(of: dimension) * 3600
        default: nil
        }
    }

    /// Calls `body` with the cost of every hour or day and value of one dimension from `since`
    /// (Unix seconds, rounded down to its hour or day) on. The event has the time of that span's
    /// start, or of its quarter hour, and that value alone.
    ///
    /// - Parameter withTail: also the events after the last checkpoint, which a start replays.
    public static func readSums(
        by dimension: Dimension?, since: Int64, withTail: Bool = false,
        from database: borrowing Database, _ body: (_ event: CostEvent, _ cost: NanoUSD) -> Void
    ) throws(SQLiteError) {
        guard let width = sumsSeconds(by: dimension), let code = SpendSums.code(of: dimension)
        else { preconditionFailure("BUG: there are no sums by it") }
        let first = since / width * width
        let column = dimension.map { Self.column(of: $0) } ?? .nothing
        try database.reading { database throws(SQLiteError) in
            let tail = try RollUpTail(
                database, through: withTail ? .last : .checkpoint, since: first * 1_000_000_000)
            try tail.lend { () throws(SQLiteError) in
                var select = try database.prepare(
                    """
                    select hour * 3600, value, cost_nanousd from spend_sums
                    where dimension = \(code) and hour >= \(first / 3600)
                    union all
                    select quarter * \(seconds), \(column.rawValue), cost_nanousd
                    from tail_rollups where quarter >= \(first / seconds)
                    """)
                var event = CostEvent()
                while try select.step() {
                    event.timestamp = select.integer(0) * 1_000_000_000
                    event.set(column, select.integer(1))
                    body(event, NanoUSD(nanos: select.integer(2)))
                }
            }
        }
    }

    /// What a dimension is read from.
    fileprivate enum Column: String {
        case tenant, user, feature, agent, operation, provider, model, tags, facts
        case nothing = "0"
    }

    private static func column(of dimension: Dimension) -> Column {
        switch dimension {
        case .tenant: .tenant
        case .user: .user
        case .feature: .feature
        case .agent: .agent
        case .operation: .operation
        case .provider: .provider
        case .model: .model
        case .tag: .tags
        case .status, .stage: .facts
        case .conversation, .task, .request: .nothing
        }
    }
}

extension CostEvent {
    @inline(__always)
    fileprivate mutating func set(_ column: RollUpsTable.Column, _ value: Int64) {
        let name = NameID(truncatingIfNeeded: value)
        switch column {
        case .tenant: tenant = name
        case .user: user = name
        case .feature: feature = name
        case .agent: agent = name
        case .operation: operation = name
        case .provider: provider = name
        case .model: model = name
        case .tags: tags = name
        case .facts: facts = name
        case .nothing: break
        }
    }
}
