internal import Aggregation
internal import SQLite
internal import Synchronization
internal import Usage

// Scopes of conversations, tasks and requests come and go: those in which nothing was spent for the
// budget's idle time are forgotten, in memory and in the store, with the dictionary of their names.
extension BudgetEngine {
    /// How often idle scopes are looked for.
    static let idleNanos: Int64 = 60 * 1_000_000_000
    /// Forgotten in one transaction.
    static let idleScopesMax = 10_000
    /// Names of a budget's own with which it is packed even if no scope is idle: an event that
    /// matches nothing leaves its name, too.
    static let textsMax = 1_000_000

    /// Ends the alerts of idle scopes and deletes their rows; they are gone after the commit.
    /// Packing costs as much as there are scopes, so it waits until one in sixteen is idle.
    func findIdle(
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [BudgetEvent] {
        guard now >= nextIdle else { return [] }
        nextIdle = now + Self.idleNanos
        let (book, reserved) = snapshot
        var events: [BudgetEvent] = []
        for (index, table) in book.tables.enumerated()
        where table.definition.hasShortLivedScopes {
            let idle = table.idleScopes(reserved[index], now: now)
            guard
                idle.count > table.scopes.count / 16
                    || table.names.texts.count > Self.textsMax
            else { continue }
            if idle.count == Self.idleScopesMax { nextIdle = now }
            for number in idle {
                var scope = table.scopes[number]
                for place in scope.periods.indices {
                    let period = scope.periods[place].period
                    events += ThresholdMachine.close(
                        &scope.periods[place].states, reason: .idle
                    ).map { self.event(.init($0, table.definition), scope, period, table) }
                }
                if case .resolved(let arm)? = scope.burn.close() {
                    events.append(
                        event(.burnEnded(arm: arm, reason: .idle), scope, table.current, table))
                }
                try LimitTables.forget(table.identity, scope.text, in: database)
            }
            pendingIdle.append((index, idle))
        }
        return events
    }

    /// After the commit.
    func forgetIdle(_ book: inout BudgetBook, _ state: inout AdmissionState) {
        guard !pendingIdle.isEmpty else { return }
        var others = state.matchers
        for (index, numbers) in pendingIdle {
            book.tables[index].forget(numbers)
            let table = book.tables[index]
            // They name scopes by numbers that have another meaning now.
            state.denials.forget(
                state.denials.entries.keys.filter { $0.budget == table.definition.name })
            matchers[index] = BudgetMatcher(table.definition, names: table.names)
            others[index] = BudgetMatcher(table.definition, names: table.names)
        }
        pendingIdle.removeAll()
        state.redefine(others) { reservation, state in
            holds(of: reservation.request, &state, &book)
        }
    }
}

extension BudgetTable {
    func idleScopes(_ reserved: [Int64], now: Int64) -> Set<Int> {
        var idle: Set<Int> = []
        for (number, scope) in scopes.enumerated() {
            guard scope.activeAt + definition.idleNanos <= now,
                number >= reserved.count || reserved[number] == 0
            else { continue }
            idle.insert(number)
            if idle.count == BudgetEngine.idleScopesMax { break }
        }
        return idle
    }

    /// The others move up, and take their names into a new dictionary.
    mutating func forget(_ numbers: Set<Int>) {
        let (old, oldMinutes, oldNames) = (scopes, minutes, names)
        names = ScopeNames(definition, names.common)
        scopes = []
        scopeNumbers = [:]
        minutes = SpendRings(levels: [.minute])
        for (number, scope) in old.enumerated() where !numbers.contains(number) {
            var moved = scope
            moved.values = names.key(
                oldNames.values(scope.values, each: definition.each).map(\.value),
                each: definition.each)
            if let ring = oldMinutes.find(UInt32(number)) {
                minutes.restore(UInt32(scopes.count), blob: oldMinutes.blob(of: ring))
            }
            scopeNumbers[moved.values] = scopes.count
            scopes.append(moved)
        }
    }
}
