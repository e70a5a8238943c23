internal import Budgets
internal import Configuration
internal import Ledger
internal import Logging
internal import SQLite
internal import Usage
internal import Wire

/// The budgets of a data directory as of now: what a server would show that starts in it.
struct StoredBudgets {
    private let engine: BudgetEngine
    /// Unix nanoseconds.
    private let now: Int64
    /// As many as are asked of a server.
    private static let countMax = 1000
    private static let forecastsMax = 100

    /// - Parameter database: in a transaction, when a server writes to it.
    init(_ database: borrowing Database, time: any TimeSource) throws(SQLiteError) {
        let log = Logger(level: .error, format: .logfmt, time: time)
        let names = Names(hash: SeededHash(seed: 0))
        let catalogue = BudgetCatalogue(
            configured: try ConfiguredBudgets.read(from: database) { Configuration.budget($0) },
            onUnreadable: { name, fault in
                log.error("a stored budget is not understood", ("budget", name), ("fault", fault))
            }, read: { Configuration.budget($0) })
        engine = BudgetEngine(
            definitions: catalogue.definitions, catalogue: catalogue, names: names,
            now: time.unixNanos, log: log
        ) { _, _, _ in }
        now = try StoredEvents.recover(
            [engine], names: names, from: database, wallClock: time.unixNanos)
    }

    func read(_ database: borrowing Database) throws(SQLiteError) -> [Report.Budget] {
        let ahead = try engine.forecasts(countMax: Self.forecastsMax, now: now, in: database)
        return engine.statuses(countMax: Self.countMax).map { status in
            let projection = ahead.first {
                $0.status.budget.name == status.budget.name
                    && $0.status.scopeText == status.scopeText
            }?.projection
            return Report.Budget(
                name: status.budget.name,
                scope: status.scope.map(\.value).joined(separator: "/"), limit: status.limit,
                spent: status.spent, periodEnd: status.period.end,
                forecast: projection?.projected, breachAt: projection?.breachAt)
        }
    }
}
