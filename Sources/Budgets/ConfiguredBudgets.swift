public import Ledger
public import SQLite
public import Usage

/// Keeps the definitions of the configuration beside what they have counted, so that a report over
/// a data directory knows the budgets without the file that they came from.
public final class ConfiguredBudgets: CommitParticipant, @unchecked Sendable {
    // Every field belongs to the writer's thread, and before that to the thread that recovers.

    public static let tables = """
        create table configured_budgets (
            place integer primary key,
            definition text not null
        );
        """

    private let catalogue: BudgetCatalogue
    /// As the store has them; nil: unknown.
    private var stored: [BudgetDefinition]?
    private var pending: [BudgetDefinition]?
    private var nextLook: Int64 = 0
    private static let lookNanos: Int64 = 1_000_000_000

    public init(_ catalogue: BudgetCatalogue) {
        self.catalogue = catalogue
    }

    public var needsCheckpoint: Bool { stored != catalogue.configured }

    public func isDue(now: Int64) -> Bool {
        guard now >= nextLook else { return false }
        nextLook = now + Self.lookNanos
        return needsCheckpoint
    }

    public func tick(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        try write(into: database)
    }

    public func checkpoint(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        try write(into: database)
    }

    public func checkpointEnded(isDurable: Bool) {
        if isDurable { committed() } else { rolledBack() }
    }

    private func write(into database: borrowing Database) throws(SQLiteError) {
        let current = catalogue.configured
        guard stored != current else { return }
        try database.execute("delete from configured_budgets")
        var insert = try database.prepare("insert into configured_budgets values (?, ?)")
        for (place, definition) in current.enumerated() {
            try insert.bind(1, Int64(place))
            try insert.bind(2, text: definition.json.span)
            try insert.run()
        }
        pending = current
    }

    public func committed() {
        if let pending { stored = pending }
        pending = nil
    }

    public func rolledBack() { pending = nil }

    /// In the order of the file.
    ///
    /// - Parameter read: reads a definition in JSON.
    public static func read(
        from database: borrowing Database, _ read: ([UInt8]) -> BudgetReading
    ) throws(SQLiteError) -> [BudgetDefinition] {
        var select = try database.prepare(
            "select definition from configured_budgets order by place")
        var definitions: [BudgetDefinition] = []
        while try select.step() {
            if case .definition(let definition) = read(select.bytes(0)) {
                definitions.append(definition)
            }
        }
        return definitions
    }

    public func recover(from database: borrowing Database, now: Int64) {}
    public func replay(_ rows: EventRows) {}
    public func prepare(_ group: [EventBatch], in database: borrowing Database, now: Int64) {}
}
