internal import Aggregation
public import SQLite
internal import Synchronization
public import Usage

/// A limit of one scope, on its way into the book.
struct PendingLimit {
    let table: Int
    let scope: String
    let limit: ScopeLimit?
}

/// What became of a change of one scope, or of all scopes of a budget.
public enum ScopeChange: Sendable {
    /// The canonical text of the scope, the limit that was set before, and what counted.
    case done(scope: String, before: ScopeLimit?, spent: NanoUSD)
    case unknownBudget
    /// The text names no scope of this budget; `each` says what it should name.
    case badScope(each: [Dimension])
    /// Nothing was set.
    case nothing
    case full
}

// Limits of single scopes, and resets. Both are written in the caller's transaction and evaluated
// at once; they are in force when it is committed.
extension BudgetEngine {
    /// Of one budget; more are refused.
    public static let limitsMax = 10_000

    /// Those that were set, in the order of their scopes.
    public func limits(of budget: String) -> [(scope: String, limit: ScopeLimit)] {
        let limits = book.withLock { book in
            book.tables.first { $0.definition.name == budget }?.limits ?? [:]
        }
        return limits.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// - Parameter limit: nil takes it back.
    public func setLimit(
        _ limit: ScopeLimit?, budget: String, scope: String, in database: borrowing Database,
        now: Int64
    ) throws(SQLiteError) -> ScopeChange {
        let book = book.withLock { $0 }
        guard let index = book.tables.firstIndex(where: { $0.definition.name == budget }) else {
            return .unknownBudget
        }
        let table = book.tables[index]
        guard let text = ScopeText.canonical(scope, each: table.definition.each) else {
            return .badScope(each: table.definition.each)
        }
        let before = table.limits[text]
        if let limit {
            guard before != nil || table.limits.count < Self.limitsMax else { return .full }
            try LimitTables.write(limit, budget: budget, scope: text, into: database)
        } else {
            guard before != nil else { return .nothing }
            try LimitTables.delete(budget: budget, scope: text, from: database)
        }
        pendingLimits.append(PendingLimit(table: index, scope: text, limit: limit))
        var spent = NanoUSD.zero
        if let number = table.number(of: text) {
            var copy = table.scopes[number]
            copy.override = limit
            let reason = ResolveReason(
                limit: table.scopes[number].limit(in: table.current),
                became: copy.limit(in: table.current))
            try evaluateChange(&copy, number, index, table, reason, in: database, now: now)
            spent = copy.spend(in: table.current)?.spent ?? .zero
        }
        return .done(scope: text, before: before, spent: spent)
    }

    /// Begins the present period of one scope, or of all, anew: what was spent so far no longer
    /// counts. The ledger stays as it is.
    public func reset(
        budget: String, scope: String?, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> ScopeChange {
        let book = book.withLock { $0 }
        guard let index = book.tables.firstIndex(where: { $0.definition.name == budget }) else {
            return .unknownBudget
        }
        let table = book.tables[index]
        var text: String?
        if let scope {
            text = ScopeText.canonical(scope, each: table.definition.each)
            if text == nil { return .badScope(each: table.definition.each) }
        }
        // A tick may not have noticed a new period yet.
        let present = table.definition.period.period(containing: now / 1_000_000_000)
        var total = NanoUSD.zero
        var isFound = false
        for (number, known) in table.scopes.enumerated()
        where text.map({ $0 == known.text }) ?? true {
            var copy = known
            copy.settle(now: now / 1_000_000_000, table.definition)
            guard let place = copy.index(of: present) else { continue }
            isFound = true
            total += copy.periods[place].spent
            copy.rolling.forgive()
            copy.periods[place].forgiven = copy.periods[place].total
            try LimitTables.writeForgiven(
                copy.periods[place], copy, table, into: database)
            try evaluateChange(&copy, number, index, table, .reset, in: database, now: now)
        }
        if let text, !isFound { return .done(scope: text, before: nil, spent: .zero) }
        return .done(scope: text ?? "", before: nil, spent: total)
    }

    /// Looks at a scope after a change and stages it.
    private func evaluateChange(
        _ scope: inout BudgetScope, _ number: Int, _ index: Int, _ table: BudgetTable,
        _ reason: ResolveReason, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        scope.settle(now: now / 1_000_000_000, table.definition)
        var tables = try BudgetTables(database)
        var events: [BudgetEvent] = []
        for period in scope.periods.map(\.period) where period.end > now / 1_000_000_000 {
            events += try evaluate(&scope, period, table, reason, &tables, now: now)
        }
        staging.stage(scope, table: index, scope: number)
        try reportRedefinition(events, database, now)
    }

    func applyLimits(to book: inout BudgetBook) {
        for change in pendingLimits {
            book.tables[change.table].limits[change.scope] = change.limit
            if let number = book.tables[change.table].number(of: change.scope) {
                book.tables[change.table].scopes[number].override = change.limit
            }
        }
        pendingLimits.removeAll()
    }

    /// Limits whose time is over go; their scopes are looked at with the one that counts again.
    func endLimits(
        _ index: Int, _ table: inout BudgetTable, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for (text, limit) in table.limits where limit.isOver(now) {
            try LimitTables.delete(
                budget: table.definition.name, scope: text, from: database)
            pendingLimits.append(PendingLimit(table: index, scope: text, limit: nil))
            table.limits[text] = nil
            guard let number = table.number(of: text) else { continue }
            let before = table.scopes[number].limit(in: table.current)
            table.scopes[number].override = nil
            var copy = table.scopes[number]
            let reason = ResolveReason(limit: before, became: copy.limit(in: table.current))
            try evaluateChange(
                &copy, number, index, table, reason, in: database, now: now * 1_000_000_000)
            table.scopes[number] = copy
        }
    }
}

extension BudgetTable {
    /// Of a scope that there is.
    func number(of text: String) -> Int? {
        guard let values = ScopeText.read(text, each: definition.each),
            let key = names.find(values, each: definition.each)
        else { return nil }
        return scopeNumbers[key]
    }

    /// The limit of a scope that has never spent.
    func limit(of values: LabelKey, base: NanoUSD, at seconds: Int64) -> NanoUSD {
        guard !limits.isEmpty else { return base }
        let text = ScopeText.write(names.values(values, each: definition.each))
        guard let limit = limits[text], !limit.isOver(seconds) else { return base }
        return limit.limit
    }
}

extension ScopeText {
    /// As it is kept; nil when the text names no scope of this budget.
    static func canonical(_ text: String, each: [Dimension]) -> String? {
        guard let values = read(text, each: each), !values.contains("") else { return nil }
        return write(zip(each, values).map { ($0, $1) })
    }
}
