internal import Aggregation
internal import Ledger
public import SQLite
internal import Synchronization
public import Usage

// How the book comes to be: from its own tables when the budget was kept, from the ledger's
// roll-ups when it is new or counts differently than before.
extension BudgetEngine {
    public func recover(
        from database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        try catalogue.load(from: database)
        adopt(catalogue.definitions, now: now)
        let count = book.withLock { $0.tables.count }
        for index in 0..<count {
            var table = book.withLock { $0.tables[index] }
            table.current = table.definition.period.period(containing: now / 1_000_000_000)
            table.seenAt = now / 1_000_000_000
            table.limits = try LimitTables.limits(of: table.definition.name, in: database)
            let known = try BudgetTables.identities(named: table.definition.name, in: database)
            if known.contains(table.identity), try wasKept(table, in: database) {
                try load(&table, from: database, now: now)
            } else {
                needsCheckpoint = true
                try backfill(&table, &matchers[index], from: database, now: now)
                try adoptStates(of: known, into: &table, from: database)
            }
            try loadForgiven(&table, from: database, now: now)
            try loadCarried(&table, from: database)
            let loaded = table
            book.withLock { $0.tables[index] = loaded }
        }
        try recoverAdmission(from: database, now: now)
    }

    public func replay(_ rows: EventRows) {
        match(rows, now: 0)
        book.withLock { apply(to: &$0) }
        staging.clear()
    }

    /// Rolling windows as of the start, and what periods that began meanwhile take over: whoever
    /// asks first reads what the next tick would find.
    public func recovered() {
        book.withLock { book in
            for index in book.tables.indices {
                book.tables[index].settle()
                book.tables[index].decideCarryOver()
            }
        }
    }

    /// Before anything is counted.
    private func adopt(_ definitions: [BudgetDefinition], now: Int64) {
        guard definitions != self.definitions else { return }
        let tables = definitions.map { BudgetTable($0, names: names, now: now) }
        matchers = tables.map { BudgetMatcher($0.definition, names: $0.names) }
        let others = tables.map { BudgetMatcher($0.definition, names: $0.names) }
        admission.withLock { $0 = AdmissionState(matchers: others) }
        book.withLock { $0.tables = tables }
    }

    /// The last checkpoint counted this budget: its stored spend has no gap.
    private func wasKept(
        _ table: BudgetTable, in database: borrowing Database
    ) throws(SQLiteError) -> Bool {
        var select = try database.prepare(
            """
            select (select seen_ns from budgets_seen where budget = ?)
                = (select max(seen_ns) from budgets_seen)
            """)
        try select.bind(1, table.identity)
        return try select.step() && select.integer(0) == 1
    }

    private func load(
        _ table: inout BudgetTable, from database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let definition = table.definition
        var since = now / 1_000_000_000 - 3600
        if definition.rolloverCap != nil {
            since = min(since, definition.period.period(before: table.current).start)
        }
        let stored = try BudgetTables.spends(
            of: table.identity, endingAfter: since, in: database)
        for entry in stored {
            guard let number = scope(entry.scope, &table) else { continue }
            table.scopes[number].activeAt = now
            var spend = PeriodSpend(
                period: entry.period, thresholdCount: definition.thresholds.count)
            spend.total = entry.spent
            table.scopes[number].insert(spend)
            if definition.period.isRolling {
                table.scopes[number].rolling.spent = RollingSum(blob: entry.minutes)
            } else if !entry.minutes.isEmpty {
                table.minutes.restore(UInt32(number), blob: entry.minutes)
                table.scopes[number].spentAt = now
            }
        }
        // A crossing is stored at once, its spend with the next checkpoint: there may be states
        // alone.
        let rule = definition.period
        let recent =
            rule.isRolling
            ? [table.current] : [rule.period(before: table.current), table.current]
        for period in recent where period.end > since {
            for text in try BudgetTables.scopes(
                withStatesOf: table.identity, period: period, in: database)
            {
                guard let number = scope(text, &table) else { continue }
                _ = table.scopes[number].open(
                    period, thresholdCount: definition.thresholds.count)
            }
        }
        for number in table.scopes.indices {
            let text = table.scopes[number].text
            table.scopes[number].notifiedAt = try BudgetTables.notifiedAt(
                of: table.identity, scope: text, definition, in: database)
            for index in table.scopes[number].periods.indices {
                let period = table.scopes[number].periods[index].period
                table.scopes[number].periods[index].states = try BudgetTables.states(
                    of: table.identity, scope: text, period: period, definition, in: database)
                let burn = try BudgetTables.burn(
                    of: table.identity, scope: text, period: period, in: database)
                if period == table.current || burn.isFiring { table.scopes[number].burn = burn }
            }
        }
    }

    /// What resets took off the periods in memory. A scope may be here for its reset alone: its
    /// spend comes with the rows that are applied again.
    private func loadForgiven(
        _ table: inout BudgetTable, from database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let recent = table.recent
        for row in try LimitTables.forgiven(of: table.identity, in: database) {
            let period = recent.first { $0.start == row.start }
            guard
                let number = period == nil ? table.number(of: row.scope) : scope(row.scope, &table)
            else { continue }
            if let period {
                _ = table.scopes[number].open(
                    period, thresholdCount: table.definition.thresholds.count)
            }
            if row.start == table.current.start {
                table.scopes[number].rolling.forgiven = RollingSum(blob: row.buckets)
                if table.scopes[number].activeAt == 0 { table.scopes[number].activeAt = now }
            }
            for place in table.scopes[number].periods.indices
            where table.scopes[number].periods[place].period.start == row.start {
                table.scopes[number].periods[place].forgiven = row.amount
            }
        }
    }

    /// The number of a stored scope; nil when the text is of other dimensions.
    func scope(_ text: String, _ table: inout BudgetTable) -> Int? {
        guard let texts = ScopeText.read(text, each: table.definition.each) else { return nil }
        let values = table.names.key(texts, each: table.definition.each)
        return table.scope(values, limit: limit(of: values, table))
    }

    /// The limit of a scope by what is known of it: the values of `each`. An override that looks at
    /// other dimensions shows with the first event.
    private func limit(of values: LabelKey, _ table: BudgetTable) -> NanoUSD {
        let definition = table.definition
        let override = definition.overrides.first { override in
            override.when.allSatisfy { match in
                guard let index = definition.each.firstIndex(of: match.dimension) else {
                    return false
                }
                return match.pattern.matches(
                    table.names.text(values[index], of: match.dimension))
            }
        }
        return override?.limit ?? definition.limit
    }

    /// Counts what the roll-ups hold of the current period; roll-ups know no conversations, tasks
    /// and requests, and a rolling window to a quarter of an hour.
    private func backfill(
        _ table: inout BudgetTable, _ matcher: inout BudgetMatcher,
        from database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let rows = EventRows()
        var filled = table
        let rule = table.definition.period
        let first =
            rule.isRolling ? now / 1_000_000_000 - rule.rollingSeconds : table.current.start
        let source = PastSpend(table.definition) { !rule.isRolling && first % $0 == 0 }
        try source.read(since: first, from: database) { event, cost in
            let second = event.timestamp / 1_000_000_000
            guard cost > .zero, filled.current.contains(second) else { return }
            let match = matcher.scope(of: event, in: rows) { values, limit in
                filled.scope(values, limit: limit)
            }
            guard case .scope(let number) = match else { return }
            guard !rule.isRolling else {
                return filled.addRolling(cost.nanos, to: number, at: second)
            }
            filled.add(cost.nanos, to: number, in: filled.current)
        }
        filled.settle()
        table = filled
    }

    /// Thresholds that the budget's earlier form has notified in this period stay silent.
    private func adoptStates(
        of identities: [String], into table: inout BudgetTable, from database: borrowing Database
    ) throws(SQLiteError) {
        guard let earlier = identities.first(where: { $0 != table.identity }) ?? identities.first
        else { return }
        for number in table.scopes.indices {
            let text = table.scopes[number].text
            let states = try BudgetTables.states(
                of: earlier, scope: text, period: table.current, table.definition, in: database)
            guard states.contains(where: \.isCrossed),
                let index = table.scopes[number].index(of: table.current)
            else { continue }
            table.scopes[number].periods[index].states = states
            table.scopes[number].notifiedAt = try BudgetTables.notifiedAt(
                of: earlier, scope: text, table.definition, in: database)
        }
    }
}

// A reload with other definitions.
extension BudgetEngine {
    /// Takes new definitions over, in a transaction of the writer, right after a checkpoint: the
    /// roll-ups then hold everything. Budgets that count the same spend as before keep it; limits
    /// and thresholds are evaluated at once.
    public func redefine(
        _ definitions: [BudgetDefinition], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let old = book.withLock { $0 }
        var new = BudgetBook()
        var newMatchers: [BudgetMatcher] = []
        var events: [BudgetEvent] = []
        var tables = try BudgetTables(database)
        for definition in definitions {
            var table = BudgetTable(definition, names: names, now: now)
            table.limits = try LimitTables.limits(of: definition.name, in: database)
            let kept = old.tables.first { $0.identity == table.identity }
            if let kept { table.names = kept.names }
            var matcher = BudgetMatcher(definition, names: table.names)
            if let kept {
                events += try carry(kept, into: &table, &tables, in: database, now: now)
            } else {
                try backfill(&table, &matcher, from: database, now: now)
                let known = try BudgetTables.identities(named: definition.name, in: database)
                try adoptStates(of: known, into: &table, from: database)
                try loadForgiven(&table, from: database, now: now)
                table.settle()
                try redefineCarryOver(&table, nil, in: database)
                for number in table.scopes.indices {
                    events += try evaluate(
                        &table.scopes[number], table.current, table, .budgetChanged, &tables,
                        now: now)
                }
                // A crash before the next checkpoint finds it kept.
                for number in table.scopes.indices {
                    for entry in table.scopes[number].periods {
                        try tables.writeSpend(table, number, entry)
                    }
                }
            }
            try tables.writeSeen(table, now: now)
            new.tables.append(table)
            newMatchers.append(matcher)
        }
        for table in old.tables
        where !new.tables.contains(where: { $0.definition.name == table.definition.name }) {
            events += try close(table, &tables)
        }
        try reportRedefinition(events, database, now)
        pendingBook = (new, newMatchers)
    }

    /// The definitions of `redefine` are in force once its transaction is committed.
    public func redefined(isDurable: Bool) {
        guard let (new, newMatchers) = pendingBook else { return }
        pendingBook = nil
        guard isDurable else { return }
        let others = new.tables.map { BudgetMatcher($0.definition, names: $0.names) }
        admission.withLock { state in
            book.withLock { book in
                book = new
                // They name conversations by numbers that may have another meaning now.
                let texts = Set(new.tables.filter(\.definition.readsText).map(\.definition.name))
                state.denials.forget(
                    state.denials.entries.keys.filter { texts.contains($0.budget) })
                state.redefine(others) { reservation, state in
                    holds(of: reservation.request, &state, &book)
                }
            }
        }
        matchers = newMatchers
        staging = BudgetStaging()
        mustReview = true
    }

    /// The same spend under new limits and thresholds.
    private func carry(
        _ old: BudgetTable, into table: inout BudgetTable, _ tables: inout BudgetTables,
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [BudgetEvent] {
        var events: [BudgetEvent] = []
        table.current = old.current
        table.scopeNumbers = old.scopeNumbers
        table.minutes = old.minutes
        table.refusedEvents = old.refusedEvents
        let thresholds = table.definition.thresholds
        let places = thresholds.map { threshold in
            old.definition.thresholds.firstIndex { $0.ratioNanos == threshold.ratioNanos }
        }
        for scope in old.scopes {
            // Alerts of thresholds that are gone end here.
            for entry in scope.periods {
                for (index, state) in entry.states.enumerated()
                where state.isFiring && !places.contains(index) {
                    let change = ThresholdChange.resolved(
                        threshold: index, arm: state.arm, reason: .thresholdRemoved)
                    events.append(event(.init(change, old.definition), scope, entry.period, old))
                }
            }
            var moved = BudgetScope(
                values: scope.values, text: scope.text,
                base: limit(of: scope.values, table), override: table.limits[scope.text],
                rolling: scope.rolling,
                notifiedAt: places.map { $0.flatMap { scope.notifiedAt[$0] } })
            moved.burn = scope.burn
            moved.spentAt = scope.spentAt
            moved.activeAt = scope.activeAt
            for entry in scope.periods {
                var spend = PeriodSpend(period: entry.period, thresholdCount: thresholds.count)
                spend.total = entry.total
                spend.forgiven = entry.forgiven
                if table.definition.rolloverCap != nil { spend.carried = entry.carried }
                spend.isDirty = entry.isDirty
                spend.states = places.map { $0.map { entry.states[$0] } ?? ThresholdState() }
                moved.periods.append(spend)
            }
            table.scopes.append(moved)
        }
        table.settle()
        try redefineCarryOver(&table, old, in: database)
        for number in table.scopes.indices {
            for period in table.scopes[number].periods.map(\.period) {
                let before = number < old.scopes.count ? old.scopes[number] : table.scopes[number]
                let reason = ResolveReason(
                    limit: before.limit(in: period), became: table.scopes[number].limit(in: period))
                events += try evaluate(
                    &table.scopes[number], period, table, reason, &tables, now: now)
            }
        }
        return events
    }

    /// A budget that is no longer configured: its open alerts end.
    private func close(
        _ old: BudgetTable, _ tables: inout BudgetTables
    ) throws(SQLiteError) -> [BudgetEvent] {
        var events: [BudgetEvent] = []
        for scope in old.scopes {
            var scope = scope
            for index in scope.periods.indices {
                let period = scope.periods[index].period
                let changes = ThresholdMachine.close(
                    &scope.periods[index].states, reason: .budgetRemoved)
                guard !changes.isEmpty else { continue }
                try tables.writeThresholds(old, scope, scope.periods[index])
                events += changes.map { event(.init($0, old.definition), scope, period, old) }
            }
            if case .resolved(let arm)? = scope.burn.close() {
                events.append(
                    event(.burnEnded(arm: arm, reason: .budgetRemoved), scope, old.current, old))
                try tables.writeBurn(old, scope, period: old.current)
            }
        }
        return events
    }
}
