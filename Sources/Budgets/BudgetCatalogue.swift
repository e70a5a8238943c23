public import SQLite
internal import Synchronization
internal import Usage

/// What a definition in JSON comes to: the keys are those of the configuration.
public enum BudgetReading: Sendable {
    case definition(BudgetDefinition)
    /// One text for each fault, beginning with its key.
    case faults([String])
}

/// A budget that came through the API.
public struct StoredBudget: Sendable {
    public let definition: BudgetDefinition
    /// Grows with each change.
    public let version: Int64
    /// Unix nanoseconds.
    public let created: Int64
    public let updated: Int64
}

/// All budgets: those of the configuration, and those that came through the API and are stored. A
/// name that both have is the configuration's; its stored budget waits until the name is free.
public final class BudgetCatalogue: @unchecked Sendable {
    // `state` has its lock; `pending` belongs to the writer's thread.

    private struct State {
        var configured: [BudgetDefinition]
        var stored: [StoredBudget] = []
    }

    private let state: Mutex<State>
    private let reader: @Sendable ([UInt8]) -> BudgetReading
    private let onUnreadable: @Sendable (_ name: String, _ fault: String) -> Void
    private var pending: [StoredBudget]?

    /// Of the API.
    public static let countMax = 1000

    /// - Parameter read: reads a definition in JSON.
    /// - Parameter onUnreadable: told of stored definitions that this version does not understand.
    public init(
        configured: [BudgetDefinition],
        onUnreadable: @escaping @Sendable (_ name: String, _ fault: String) -> Void = { _, _ in },
        read: @escaping @Sendable ([UInt8]) -> BudgetReading
    ) {
        state = Mutex(State(configured: configured))
        reader = read
        self.onUnreadable = onUnreadable
    }

    public func read(_ json: [UInt8]) -> BudgetReading { reader(json) }

    /// What is to be in force.
    public var definitions: [BudgetDefinition] {
        state.withLock { Self.merge($0.configured, $0.stored) }
    }

    /// The same with another configuration, which `configure` takes over.
    public func definitions(with configured: [BudgetDefinition]) -> [BudgetDefinition] {
        state.withLock { Self.merge(configured, $0.stored) }
    }

    /// Those of the configuration.
    public var configured: [BudgetDefinition] { state.withLock { $0.configured } }

    public func configure(_ configured: [BudgetDefinition]) {
        state.withLock { $0.configured = configured }
    }

    public func isConfigured(_ name: String) -> Bool {
        state.withLock { $0.configured.contains { $0.name == name } }
    }

    /// A budget of the API.
    public func stored(_ name: String) -> StoredBudget? {
        state.withLock { $0.stored.first { $0.definition.name == name } }
    }

    private static func merge(
        _ configured: [BudgetDefinition], _ stored: [StoredBudget]
    ) -> [BudgetDefinition] {
        let names = Set(configured.map(\.name))
        return configured + stored.map(\.definition).filter { !names.contains($0.name) }
    }
}

// Changes go through the writer: first the rows in its transaction, then the memory.
extension BudgetCatalogue {
    public enum Outcome: Sendable {
        /// All definitions as they will be; `stored` is the new one, nil once it is deleted.
        case changed([BudgetDefinition], stored: StoredBudget?)
        case full
    }

    /// Before the engine recovers.
    func load(from database: borrowing Database) throws(SQLiteError) {
        var stored: [StoredBudget] = []
        for row in try StoredBudgetTable.all(in: database) {
            switch reader(row.definition) {
            case .definition(let definition):
                stored.append(
                    StoredBudget(
                        definition: definition, version: row.version, created: row.created,
                        updated: row.updated))
            case .faults(let faults): onUnreadable(row.name, faults.joined(separator: "; "))
            }
        }
        state.withLock { [stored] in $0.stored = stored }
    }

    public func put(
        _ definition: BudgetDefinition, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Outcome {
        let (configured, known) = state.withLock { ($0.configured, $0.stored) }
        let before = known.first { $0.definition.name == definition.name }
        guard before != nil || known.count < Self.countMax else { return .full }
        let budget = StoredBudget(
            definition: definition, version: (before?.version ?? 0) + 1,
            created: before?.created ?? now, updated: now)
        try StoredBudgetTable.write(budget, into: database)
        var stored = known.filter { $0.definition.name != definition.name }
        stored.append(budget)
        pending = stored
        return .changed(Self.merge(configured, stored), stored: budget)
    }

    /// Limits that were set for its scopes go, too.
    public func delete(
        _ name: String, in database: borrowing Database
    ) throws(SQLiteError) -> Outcome {
        let (configured, known) = state.withLock { ($0.configured, $0.stored) }
        try StoredBudgetTable.delete(name, from: database)
        let stored = known.filter { $0.definition.name != name }
        pending = stored
        return .changed(Self.merge(configured, stored), stored: nil)
    }

    /// After the transaction.
    public func changed(isDurable: Bool) {
        defer { pending = nil }
        guard isDurable, let pending else { return }
        state.withLock { $0.stored = pending }
    }
}

enum StoredBudgetTable {
    struct Row {
        let name: String
        let version: Int64
        let definition: [UInt8]
        let created: Int64
        let updated: Int64
    }

    static func write(
        _ budget: StoredBudget, into database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare(
            "insert or replace into stored_budgets values (?, ?, ?, ?, ?)")
        try insert.bind(1, budget.definition.name)
        try insert.bind(2, budget.version)
        try insert.bind(3, text: budget.definition.json.span)
        try insert.bind(4, budget.created)
        try insert.bind(5, budget.updated)
        try insert.run()
    }

    static func delete(_ name: String, from database: borrowing Database) throws(SQLiteError) {
        for table in ["stored_budgets where name", "scope_limits where budget"] {
            var delete = try database.prepare("delete from \(table) = ?")
            try delete.bind(1, name)
            try delete.run()
        }
    }

    static func all(in database: borrowing Database) throws(SQLiteError) -> [Row] {
        var select = try database.prepare(
            """
            select name, version, definition, created_ns, updated_ns from stored_budgets
            order by created_ns, name
            """)
        var rows: [Row] = []
        while try select.step() {
            rows.append(
                Row(
                    name: select.text(0), version: select.integer(1), definition: select.bytes(2),
                    created: select.integer(3), updated: select.integer(4)))
        }
        return rows
    }
}
