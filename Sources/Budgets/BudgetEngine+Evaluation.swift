internal import Aggregation
internal import SQLite
internal import Synchronization
internal import Usage

// Which thresholds the staged spend crosses, and what time alone changes. Both work on copies of
// the scopes concerned and put them into the staging.
extension BudgetEngine {
    /// The events that the staged spend causes; their states are written.
    func evaluate(
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [BudgetEvent] {
        let book = book.withLock { $0 }
        var changed: [ScopePlace: BudgetScope] = [:]
        for table in staging.touched.indices {
            let budget = book.tables[table]
            for number in staging.touched[table] {
                let nanos = staging.current[table][number]
                guard budget.mayCross(number, adding: nanos) else { continue }
                var copy = budget.scopes[number]
                copy.add(nanos, in: budget.current, budget.definition)
                changed[ScopePlace(table: table, scope: number)] = copy
            }
        }
        for (key, nanos) in staging.late {
            let place = key.place
            let table = book.tables[place.table]
            var copy = changed[place] ?? table.scopes[place.scope]
            // A scope that is evaluated for a late event takes its current spend along.
            if changed[place] == nil, place.scope < staging.current[place.table].count {
                copy.add(
                    staging.current[place.table][place.scope], in: table.current,
                    table.definition)
            }
            if copy.index(of: key.period) == nil {
                copy.insert(try stored(key.period, of: copy, table, in: database))
            }
            copy.add(nanos, in: key.period, table.definition)
            changed[place] = copy
        }
        evaluateRolled(book, &changed, now: now / 1_000_000_000)
        // Mostly nothing comes near a threshold; then no statement need be prepared.
        if changed.isEmpty { return [] }
        var events: [BudgetEvent] = []
        var tables = try BudgetTables(database)
        for (key, scope) in changed.sorted(by: { $0.key < $1.key }) {
            var scope = scope
            for period in scope.periods.map(\.period) {
                events += try evaluate(
                    &scope, period, book.tables[key.table], .spendReduced, &tables, now: now)
            }
            if let paused = try pauseOverrun(scope, book.tables[key.table], in: database, now: now)
            {
                events.append(paused)
            }
            staging.scopes.append((key, scope))
        }
        return events
    }

    /// Scopes of rolling budgets with new spend, as of now.
    private func evaluateRolled(
        _ book: BudgetBook, _ changed: inout [ScopePlace: BudgetScope], now: Int64
    ) {
        for (key, nanos) in staging.rolled {
            let place = key.place
            let table = book.tables[place.table]
            var copy = changed[place] ?? table.scopes[place.scope]
            copy.addRolling(nanos, at: key.second, table.definition)
            changed[place] = copy
        }
        for place in Set(staging.rolled.keys.map(\.place)) {
            changed[place]?.settle(now: now, book.tables[place.table].definition)
        }
    }

    /// A period that is not in memory, as it is stored: for an event that comes days late.
    func stored(
        _ period: Period, of scope: BudgetScope, _ table: BudgetTable,
        in database: borrowing Database
    ) throws(SQLiteError) -> PeriodSpend {
        var entry = PeriodSpend(period: period, thresholdCount: table.definition.thresholds.count)
        entry.total = try BudgetTables.spend(
            of: table.identity, scope: scope.text, period: period, in: database)
        entry.forgiven = try LimitTables.forgiven(
            table.identity, scope.text, period, in: database
        )
        entry.states = try BudgetTables.states(
            of: table.identity, scope: scope.text, period: period, table.definition, in: database)
        return entry
    }

    /// Evaluates one period of a scope and writes its states when they change.
    func evaluate(
        _ scope: inout BudgetScope, _ period: Period, _ table: BudgetTable,
        _ reason: ResolveReason, _ tables: inout BudgetTables, now: Int64
    ) throws(SQLiteError) -> [BudgetEvent] {
        guard let index = scope.index(of: period), period.start <= now / 1_000_000_000 else {
            return []
        }
        let isRolling = table.definition.period.isRolling
        let input = ThresholdMachine.Input(
            thresholds: table.definition.thresholds, spent: scope.periods[index].spent,
            limit: scope.limit(in: period), cooldownNanos: table.definition.cooldownNanos,
            now: now, isNotifiable: table.isNotifiable(period, now: now),
            reason: isRolling && reason == .spendReduced ? .windowMoved : reason,
            isRolling: isRolling)
        let before = scope.periods[index].states
        let changes = ThresholdMachine.evaluate(
            input, &scope.periods[index].states, &scope.notifiedAt)
        if scope.periods[index].states != before {
            try tables.writeThresholds(table, scope, scope.periods[index])
        }
        return changes.map { event(.init($0, table.definition), scope, period, table) }
    }

    func event(
        _ kind: BudgetEvent.Kind, _ scope: BudgetScope, _ period: Period, _ table: BudgetTable
    ) -> BudgetEvent {
        BudgetEvent(
            kind: kind, budget: table.definition,
            scope: table.names.values(scope.values, each: table.definition.each),
            scopeText: scope.text, period: table.shown(period, at: scope.rolling.countedAt),
            spent: scope.spend(in: period)?.spent ?? .zero, limit: scope.limit(in: period))
    }
}

// What time alone changes.
extension BudgetEngine {
    /// Looks at every scope: limits and thresholds may be others than those that its states were
    /// written under. Answers what changed, and every alert that holds.
    func review(
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> (events: [BudgetEvent], open: [BudgetEvent]) {
        try keepCarryOver(in: database)
        let book = book.withLock { $0 }
        var events: [BudgetEvent] = []
        var open: [BudgetEvent] = []
        var tables = try BudgetTables(database)
        for (index, table) in book.tables.enumerated() {
            for (number, scope) in table.scopes.enumerated() {
                var copy = scope
                copy.settle(now: now / 1_000_000_000, table.definition)
                events += try closeOld(&copy, table, &tables, now: now)
                for period in copy.periods.map(\.period)
                where period.end > now / 1_000_000_000 {
                    events += try evaluate(
                        &copy, period, table, hasReviewed ? .spendReduced : .atStart, &tables,
                        now: now)
                }
                if !table.definition.watchesPace {
                    events += try evaluateBurn(&copy, number, table, &tables, now: now)
                }
                open += openAlerts(copy, table)
                if copy != scope { staging.stage(copy, table: index, scope: number) }
            }
        }
        events += denialEvents(now: now)
        events += try forecastEvents(in: database, now: now, isForced: true)
        open += (pendingNotices ?? notices).open
        return (events, open)
    }

    private func openAlerts(_ scope: BudgetScope, _ table: BudgetTable) -> [BudgetEvent] {
        var open: [BudgetEvent] = []
        for entry in scope.periods {
            for (index, state) in entry.states.enumerated() where state.isFiring {
                let threshold = table.definition.thresholds[index]
                open.append(
                    event(
                        .crossed(threshold: threshold, crossed: [], arm: state.arm), scope,
                        entry.period, table))
            }
        }
        if scope.burn.isFiring {
            open.append(
                event(
                    .burning(secondsLeft: 0, arm: scope.burn.arm - 1), scope, table.current, table))
        }
        return open
    }

    func passTime(
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [BudgetEvent] {
        let book = book.withLock { $0 }
        var events = denialEvents(now: now)
        events += try forecastEvents(in: database, now: now, isForced: false)
        var tables = try BudgetTables(database)
        for (index, table) in book.tables.enumerated() {
            var table = table
            let isNew = now / 1_000_000_000 >= table.current.end
            if isNew {
                table.current = table.definition.period.period(containing: now / 1_000_000_000)
                staging.periods.append((index, table.current))
                try carryOver(&table, in: database)
                staging.carried.append((index, table.current.start))
            }
            try endLimits(index, &table, in: database, now: now / 1_000_000_000)
            for (number, scope) in table.scopes.enumerated() {
                guard isNew || table.needsLook(scope, now: now) else { continue }
                var copy = scope
                copy.settle(now: now / 1_000_000_000, table.definition)
                events += try closeOld(&copy, table, &tables, now: now)
                events += try evaluate(
                    &copy, table.current, table, .spendReduced, &tables, now: now)
                events += try evaluateBurn(&copy, number, table, &tables, now: now)
                if copy != book.tables[index].scopes[number] {
                    staging.stage(copy, table: index, scope: number)
                }
            }
        }
        return events
    }

    /// Open alerts of periods that are over end.
    private func closeOld(
        _ scope: inout BudgetScope, _ table: BudgetTable, _ tables: inout BudgetTables, now: Int64
    ) throws(SQLiteError) -> [BudgetEvent] {
        var events: [BudgetEvent] = []
        for index in scope.periods.indices
        where scope.periods[index].period.end <= now / 1_000_000_000 {
            let before = scope.periods[index].states
            let period = scope.periods[index].period
            let changes = ThresholdMachine.close(
                &scope.periods[index].states, reason: .periodEnded)
            if scope.periods[index].states != before {
                try tables.writeThresholds(table, scope, scope.periods[index])
            }
            events += changes.map { event(.init($0, table.definition), scope, period, table) }
            if period.end > table.current.start - 1, case .resolved(let arm)? = scope.burn.close() {
                events.append(
                    event(.burnEnded(arm: arm, reason: .periodEnded), scope, period, table))
                try tables.writeBurn(table, scope, period: period)
                // Keys carry the period, so a new one counts from the start.
                scope.burn.arm = 0
            }
        }
        return events
    }

    private func evaluateBurn(
        _ scope: inout BudgetScope, _ number: Int, _ table: BudgetTable,
        _ tables: inout BudgetTables, now: Int64
    ) throws(SQLiteError) -> [BudgetEvent] {
        var change: BurnState.Change?
        if table.definition.watchesPace {
            let secondsLeft = BurnRate.secondsLeft(
                BurnRate.Input(
                    spent: scope.spend(in: table.current)?.spent ?? .zero,
                    limit: scope.limit(in: table.current), period: table.current,
                    now: now / 1_000_000_000),
                window: { table.burnWindow(number, minutes: $0, now: now) },
                isSpread: { table.isSpread(number, minutes: $0, now: now) })
            change = scope.burn.evaluate(
                secondsLeft: secondsLeft, cooldownNanos: table.definition.cooldownNanos, now: now)
        } else {
            // Turned off while its alert was open.
            change = scope.burn.close()
        }
        guard let change else { return [] }
        try tables.writeBurn(table, scope, period: table.current)
        switch change {
        case .fired(let seconds, let arm):
            return [event(.burning(secondsLeft: seconds, arm: arm), scope, table.current, table)]
        case .resolved(let arm):
            let reason: ResolveReason? = table.definition.watchesPace ? nil : .turnedOff
            return [
                event(.burnEnded(arm: arm, reason: reason), scope, table.current, table)
            ]
        }
    }
}

extension BudgetTable {
    /// False when no threshold of the scope can be reached with this much more: nothing needs to be
    /// copied then. Asked for every scope with new spend, so it takes no copies itself: those cost
    /// more than the rest.
    func mayCross(_ number: Int, adding nanos: Int64) -> Bool {
        let scopes = scopes.span
        let limit = scopes[number].limit(in: current)
        var spent = NanoUSD(nanos: nanos)
        var crossed = 0
        if let index = scopes[number].index(of: current) {
            spent += scopes[number].periods[index].spent
            let states = scopes[number].periods[index].states
            while crossed < states.count, states[crossed].isCrossed { crossed += 1 }
        }
        let thresholds = definition.thresholds.span
        if crossed < thresholds.count,
            thresholds[crossed].isReached(spent: spent, limit: limit)
        {
            return true
        }
        return isOverrun(limit: limit, spent: spent.nanos)
    }

    /// A scope that time alone could change: something waits, an alert of an old period is open, or
    /// it has spent within the last hour.
    func needsLook(_ scope: BudgetScope, now: Int64) -> Bool {
        let isRecent = scope.spentAt > now - 3600 * 1_000_000_000
        if scope.burn.isFiring || (definition.watchesPace && isRecent) { return true }
        if definition.period.isRolling, isMoving(scope, now: now / 1_000_000_000) { return true }
        return scope.periods.contains { entry in
            entry.states.contains {
                $0.pendingAt != nil || ($0.isFiring && entry.period.end <= now / 1_000_000_000)
            }
        }
    }
}

extension BudgetTable {
    /// Some spend has left the window, or a threshold waits for that.
    private func isMoving(_ scope: BudgetScope, now: Int64) -> Bool {
        scope.rolling.spent.isStale(now: now, length: definition.period.rollingSeconds)
            || scope.periods.contains { $0.states.contains(where: \.isCrossed) }
    }
}

extension BudgetScope {
    /// Takes the sums of a rolling budget as of `now`, in Unix seconds.
    mutating func settle(now: Int64, _ definition: BudgetDefinition) {
        guard definition.period.isRolling else { return }
        let length = definition.period.rollingSeconds
        rolling.countedAt = max(rolling.countedAt, now)
        rolling.forget(now: rolling.countedAt, length: length)
        let index = open(.always, thresholdCount: definition.thresholds.count)
        let sums = (
            rolling.spent.sum(now: rolling.countedAt, length: length),
            rolling.forgiven.sum(now: rolling.countedAt, length: length)
        )
        guard periods[index].total.nanos != sums.0 || periods[index].forgiven.nanos != sums.1 else {
            return
        }
        periods[index].total = NanoUSD(nanos: sums.0)
        periods[index].forgiven = NanoUSD(nanos: sums.1)
        periods[index].isDirty = true
    }

    /// What the window of the last count no longer reaches is left out.
    mutating func addRolling(_ nanos: Int64, at second: Int64, _ definition: BudgetDefinition) {
        let length = definition.period.rollingSeconds
        guard RollingSum.counts(second, now: rolling.countedAt, length: length) else { return }
        rolling.spent.add(nanos, at: second, length: length)
        let index = open(.always, thresholdCount: definition.thresholds.count)
        periods[index].isDirty = true
    }

    mutating func add(_ nanos: Int64, in period: Period, _ definition: BudgetDefinition) {
        let index = open(period, thresholdCount: definition.thresholds.count)
        periods[index].total += NanoUSD(nanos: nanos)
        periods[index].isDirty = true
    }

    mutating func insert(_ entry: PeriodSpend) {
        let place = periods.firstIndex { $0.period.start > entry.period.start } ?? periods.count
        periods.insert(entry, at: place)
    }
}

extension BudgetEvent.Kind {
    init(_ change: ThresholdChange, _ definition: BudgetDefinition) {
        let thresholds = definition.thresholds
        switch change {
        case .fired(let threshold, let crossed, let arm):
            self = .crossed(
                threshold: thresholds[threshold], crossed: crossed.map { thresholds[$0] }, arm: arm)
        case .recorded(let threshold, let crossed):
            self = .recorded(
                threshold: thresholds[threshold], crossed: crossed.map { thresholds[$0] })
        case .resolved(let threshold, let arm, let reason):
            self = .resolved(threshold: thresholds[threshold], arm: arm, reason: reason)
        }
    }
}
