public import SQLite
public import Usage

extension RollUpsTable {
    /// True when `readHourly` knows the sums by this dimension; nil: over everything.
    public static func hasHourly(_ dimension: Dimension?) -> Bool {
        switch dimension {
        case nil, .tenant, .feature, .operation, .provider, .model:
            SpendSums.hours(of: dimension) == 1
        default: false
        }
    }

    /// Calls `body` with the cost of every hour and value of one dimension from `since` (Unix
    /// seconds, rounded down to its hour) on, the events after the last checkpoint included. The
    /// event has the time of the hour's start, or of its quarter, and that value alone.
    public static func readHourly(
        by dimension: Dimension?, since: Int64, from database: borrowing Database,
        _ body: (_ event: CostEvent, _ cost: NanoUSD) -> Void
    ) throws(SQLiteError) {
        precondition(hasHourly(dimension), "BUG: there are no hourly sums by it")
        let first = since / 3600
        let code = SpendSums.code(of: dimension) ?? 0
        let key = dimension.map { SpendQuery.key(of: $0) } ?? "0"
        try database.reading { database throws(SQLiteError) in
            let tail = try RollUpTail(
                database, through: .last, since: first * 3600 * 1_000_000_000)
            try tail.lend { () throws(SQLiteError) in
                var select = try database.prepare(
                    """
                    select hour * 3600, value, cost_nanousd from spend_sums
                    where dimension = \(code) and hour >= ?1
                    union all
                    select quarter * \(seconds), \(key), cost_nanousd from tail_rollups
                    where quarter >= ?1 * \(3600 / seconds)
                    """)
                try select.bind(1, first)
                while try select.step() {
                    var event = CostEvent()
                    event.timestamp = select.integer(0) * 1_000_000_000
                    let value = NameID(clamping: select.integer(1))
                    switch dimension {
                    case .tenant: event.tenant = value
                    case .feature: event.feature = value
                    case .operation: event.operation = value
                    case .provider: event.provider = value
                    case .model: event.model = value
                    default: break
                    }
                    body(event, NanoUSD(nanos: select.integer(2)))
                }
            }
        }
    }
}
