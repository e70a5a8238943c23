internal import Aggregation
public import SQLite
internal import Synchronization
public import Usage

/// Tells of a pause by hand, or of the release of any pause, in the transaction that makes it so.
public typealias PauseReport =
    @Sendable (
        _ pause: ScopePause, _ isReleased: Bool, _ database: borrowing Database, _ now: Int64
    ) throws(SQLiteError) -> Void

// Dimension values whose calls are all denied: by hand, or by a budget whose spend went on past its
// limit and grace.
extension BudgetEngine {
    public enum PauseOutcome: Sendable { case done, unchanged, full }

    /// Stores a pause; it is in force once `pausesChanged` follows the commit.
    public func pause(
        _ pause: ScopePause, in database: borrowing Database
    ) throws(SQLiteError) -> PauseOutcome {
        let (isKnown, hasRoom) = admission.withLock { state in
            let known = state.pauses[pause.dimension]
            let count = state.pauses.values.reduce(0) { $0 + $1.count }
            return (
                known?.values.contains { $0.value == pause.value } ?? false,
                count < AdmissionState.pausesMax
                    && (known != nil || state.pauses.count < AdmissionState.pausedDimensionsMax)
            )
        }
        if isKnown { return .unchanged }
        guard hasRoom else { return .full }
        try PauseTable.insert(pause, into: database)
        // A pause by a budget is told by that budget.
        if pause.budget == nil { try tellPause(pause, false, database, pause.since) }
        return .done
    }

    /// False when nothing was paused.
    public func unpause(
        _ dimension: Dimension, _ value: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Bool {
        guard try PauseTable.delete(dimension, value, from: database) else { return false }
        let pause = ScopePause(
            dimension: dimension, value: value, reason: "", budget: nil, since: now)
        try tellPause(pause, true, database, now)
        return true
    }

    /// Takes the stored pauses over.
    public func loadPauses(from database: borrowing Database) throws(SQLiteError) {
        var pauses: [Dimension: [NameID: ScopePause]] = [:]
        for pause in try PauseTable.all(in: database) {
            pauses[pause.dimension, default: [:]][names.intern(pause.value)] = pause
        }
        pendingPauses = pauses
    }

    /// After the commit of what `pause` or `unpause` wrote and `loadPauses` read.
    func applyPauses() {
        guard let pauses = pendingPauses else { return }
        pendingPauses = nil
        admission.withLock { $0.setPauses(pauses, names: names) }
    }

    /// Pauses the scopes that the group has taken past limit and grace.
    func pauseOverrun(
        _ scope: BudgetScope, _ table: BudgetTable, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> BudgetEvent? {
        guard let enforcement = table.definition.enforcement, enforcement.pauses,
            let dimension = table.definition.each.first,
            table.isOverrun(
                limit: scope.limit(in: table.current),
                spent: scope.spend(in: table.current)?.spent.nanos ?? 0)
        else { return nil }
        let value = table.names.text(scope.values[0], of: dimension)
        let outcome = try pause(
            ScopePause(
                dimension: dimension, value: value,
                reason: "\(table.definition.name) ran over its limit",
                budget: table.definition.name, since: now),
            in: database)
        guard outcome == .done else { return nil }
        try loadPauses(from: database)
        return event(.paused, scope, table.current, table)
    }
}

extension Enforcement {
    var pauses: Bool { pausesAutomatically && mode == .enforce }
}

extension BudgetTable {
    func isOverrun(limit: NanoUSD, spent: Int64) -> Bool {
        guard let enforcement = definition.enforcement, enforcement.pauses else { return false }
        return Enforcement.exceeds(spent, enforcement.denyAt + enforcement.grace, of: limit)
    }
}

enum PauseTable {
    static func insert(
        _ pause: ScopePause, into database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare("insert or replace into pauses values (?, ?, ?, ?, ?)")
        try insert.bind(1, pause.dimension.description)
        try insert.bind(2, pause.value)
        try insert.bind(3, pause.reason)
        if let budget = pause.budget { try insert.bind(4, budget) } else { try insert.bindNull(4) }
        try insert.bind(5, pause.since)
        try insert.run()
    }

    static func delete(
        _ dimension: Dimension, _ value: String, from database: borrowing Database
    ) throws(SQLiteError) -> Bool {
        var select = try database.prepare("select 1 from pauses where dimension = ? and value = ?")
        try select.bind(1, dimension.description)
        try select.bind(2, value)
        guard try select.step() else { return false }
        var delete = try database.prepare("delete from pauses where dimension = ? and value = ?")
        try delete.bind(1, dimension.description)
        try delete.bind(2, value)
        try delete.run()
        return true
    }

    static func all(in database: borrowing Database) throws(SQLiteError) -> [ScopePause] {
        var select = try database.prepare(
            "select dimension, value, reason, budget, since_ns from pauses")
        var pauses: [ScopePause] = []
        while try select.step() {
            guard let dimension = Dimension(select.text(0)) else { continue }
            pauses.append(
                ScopePause(
                    dimension: dimension, value: select.text(1), reason: select.text(2),
                    budget: select.isNull(3) ? nil : select.text(3), since: select.integer(4)))
        }
        return pauses
    }
}
