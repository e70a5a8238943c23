internal import Aggregation
internal import SQLite
internal import Synchronization
internal import Usage

// What a period leaves unused and the next one takes over. It is decided once for all scopes of a
// budget: at the first look after the period has begun or, when that was while costgauge was down,
// at the next start. From then on it stands: a call that was told a limit is told the same one
// after a late event, a restart and a reload.
//
// The store holds a row for each scope that takes something over, and one without a scope that says
// that it was decided, also for those that take nothing.
extension BudgetTable {
    private var carriesOver: Bool {
        definition.rolloverCap != nil && !definition.period.isRolling
    }

    /// The periods that a start puts together from what is stored and what is replayed: the present
    /// one and, where it passes something on, the one before.
    var recent: [Period] {
        carriesOver ? [definition.period.period(before: current), current] : [current]
    }

    /// Takes the sums of a rolling budget as of `seenAt`.
    mutating func settle() {
        guard definition.period.isRolling else { return }
        for number in scopes.indices { scopes[number].settle(now: seenAt, definition) }
    }

    /// Nothing when it was decided before.
    mutating func decideCarryOver() {
        guard carriesOver, carriedInto != current.start else { return }
        for number in scopes.indices {
            if let carried = carryOver(of: scopes[number]) { take(carried, into: number) }
        }
        carriedInto = current.start
        isCarryOverStored = false
    }

    private mutating func take(_ carried: NanoUSD, into number: Int) {
        let place = scopes[number].open(current, thresholdCount: definition.thresholds.count)
        scopes[number].periods[place].carried = carried
    }

    /// What was left of the limit and of what it had taken over itself, up to the cap. A period
    /// without spend passes nothing on: the scope may not have been there.
    private func carryOver(of scope: BudgetScope) -> NanoUSD? {
        guard let cap = definition.rolloverCap, scope.spend(in: current)?.carried == nil,
            let last = scope.spend(in: definition.period.period(before: current)),
            last.total > .zero
        else { return nil }
        let left = scope.base + (last.carried ?? .zero) - last.spent
        let most = Int64(clamping: Int128(scope.base.nanos) * Int128(cap) / 1_000_000_000)
        return NanoUSD(nanos: min(max(0, left.nanos), most))
    }
}

extension BudgetEngine {
    /// A new period has begun: a look at all scopes of a table, which are changed in it.
    func carryOver(
        _ table: inout BudgetTable, in database: borrowing Database
    ) throws(SQLiteError) {
        table.decideCarryOver()
        try storeCarryOver(table, in: database)
        table.isCarryOverStored = true
    }

    /// Stores what a start has decided, with the first transaction after it.
    func keepCarryOver(in database: borrowing Database) throws(SQLiteError) {
        let tables = book.withLock { $0.tables }
        for (index, table) in tables.enumerated() where !table.isCarryOverStored {
            try storeCarryOver(table, in: database)
            staging.carried.append((index, table.current.start))
        }
    }

    private func storeCarryOver(
        _ table: BudgetTable, in database: borrowing Database
    ) throws(SQLiteError) {
        guard !table.isCarryOverStored else { return }
        for scope in table.scopes {
            guard let carried = scope.spend(in: table.current)?.carried else { continue }
            try LimitTables.writeCarried(
                carried, table.current, scope.text, table.identity, into: database)
        }
        try LimitTables.writeCarried(
            .zero, table.current, LimitTables.everyScope, table.identity, into: database)
    }

    /// What the present period took over from the one before, as it is stored.
    func loadCarried(
        _ table: inout BudgetTable, from database: borrowing Database
    ) throws(SQLiteError) {
        guard table.definition.rolloverCap != nil else { return }
        // The one before passes on what it had taken over itself.
        let last = table.definition.period.period(before: table.current)
        for (text, amount) in try LimitTables.carried(
            of: table.identity, period: last, in: database)
        {
            guard let number = scope(text, &table) else { continue }
            let place = table.scopes[number].open(
                last, thresholdCount: table.definition.thresholds.count)
            table.scopes[number].periods[place].carried = amount
        }
        let rows = try LimitTables.carried(
            of: table.identity, period: table.current, in: database)
        if !rows.isEmpty { table.carriedInto = table.current.start }
        for (text, amount) in rows {
            guard let number = scope(text, &table) else { continue }
            let place = table.scopes[number].open(
                table.current, thresholdCount: table.definition.thresholds.count)
            table.scopes[number].periods[place].carried = amount
        }
    }

    /// A reload, right after a checkpoint: what was decided stands, and a budget that carries over
    /// from now on is decided as a start would.
    func redefineCarryOver(
        _ table: inout BudgetTable, _ kept: BudgetTable?, in database: borrowing Database
    ) throws(SQLiteError) {
        if let kept, kept.definition.rolloverCap != nil {
            table.carriedInto = kept.carriedInto
            table.isCarryOverStored = kept.isCarryOverStored
        } else if table.definition.rolloverCap != nil {
            if kept != nil { try loadLast(&table, from: database) }
            try loadCarried(&table, from: database)
        }
        try carryOver(&table, in: database)
    }

    /// The spend of the period before, which a start loads only of budgets that carry over.
    private func loadLast(
        _ table: inout BudgetTable, from database: borrowing Database
    ) throws(SQLiteError) {
        let last = table.definition.period.period(before: table.current)
        let entries = try BudgetTables.spends(
            of: table.identity, endingAfter: last.end - 1, in: database)
        for entry in entries where entry.period.start == last.start {
            guard let number = scope(entry.scope, &table),
                table.scopes[number].index(of: last) == nil
            else { continue }
            table.scopes[number].insert(
                try stored(last, of: table.scopes[number], table, in: database))
        }
    }
}
