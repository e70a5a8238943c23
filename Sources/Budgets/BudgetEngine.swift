internal import Aggregation
public import Ledger
public import Logging
public import SQLite
internal import Synchronization
public import Usage

/// Writes what budgets tell, in the transaction in which it became true.
public typealias BudgetReport =
    @Sendable (_ events: [BudgetEvent], _ database: borrowing Database, _ now: Int64)
    throws(SQLiteError) -> Void

/// Ends alerts that no longer hold, whatever ended them: told after a start and after a reload,
/// with everything that does hold and the budgets that there are.
public typealias BudgetReconcile =
    @Sendable (
        _ open: [BudgetEvent], _ budgets: [BudgetDefinition], _ database: borrowing Database,
        _ now: Int64
    )
    throws(SQLiteError) -> Void

/// Counts committed spend against budgets and tells when a threshold is crossed.
///
/// A group goes through three steps: match every event (no lock), evaluate the scopes that a
/// threshold could be crossed in and write what changed (in the transaction), and, once it is
/// committed, add the spend to the book that others read.
public final class BudgetEngine: CommitParticipant, @unchecked Sendable {
    // `book` and `admission` have their locks; every other field belongs to the writer's thread,
    // and before that to the thread that recovers.

    let book: Mutex<BudgetBook>
    /// Locked before the book when both are.
    let admission: Mutex<AdmissionState>
    let names: Names
    let log: Logger
    public let catalogue: BudgetCatalogue
    private let report: BudgetReport
    private let reconcile: BudgetReconcile
    /// Definitions may have changed since the states were written: all of them are looked at.
    var mustReview = true
    private var isReviewed = false
    /// The first look after the start is over.
    private(set) var hasReviewed = false
    /// A budget was filled from the past, which the next start need not read again once a
    /// checkpoint holds what came of it.
    public internal(set) var needsCheckpoint = false
    var matchers: [BudgetMatcher]
    var staging = BudgetStaging()
    /// What the events of the group do to reservations.
    var claims: [ReservationClaim] = []
    /// Alerts that time tells, and how they will stand once the transaction is over.
    var notices = BudgetNotices()
    var pendingNotices: BudgetNotices?
    let tellPause: PauseReport
    /// All pauses as they will be, when the transaction changes some.
    var pendingPauses: [Dimension: [NameID: ScopePause]]?
    /// What `redefine` made, until its transaction is over.
    var pendingBook: (BudgetBook, [BudgetMatcher])?
    /// Limits of single scopes as they will be, when the transaction changes some.
    var pendingLimits: [PendingLimit] = []
    /// Scopes that will be forgotten, by table.
    var pendingIdle: [(table: Int, numbers: Set<Int>)] = []
    var nextIdle: Int64 = 0
    private var nextTick: Int64 = 0
    private var nextPrune: Int64 = 0
    private var hasToldRefusal: Set<String> = []
    /// Burn rates, waiting notifications and ends of periods are looked at this often.
    static let tickNanos: Int64 = 5_000_000_000
    private static let pruneNanos: Int64 = 86_400 * 1_000_000_000
    /// As long as a repeated event may be recognised at most.
    private static let reservationsKeptNanos: Int64 = 31 * 86_400 * 1_000_000_000

    /// - Parameter catalogue: nil: the definitions are all that there are.
    public init(
        definitions: [BudgetDefinition], catalogue: BudgetCatalogue? = nil, names: Names,
        now: Int64, log: Logger,
        reconcile: @escaping BudgetReconcile = { _, _, _, _ in },
        tellPause: @escaping PauseReport = { _, _, _, _ in },
        report: @escaping BudgetReport
    ) {
        let tables = definitions.map { BudgetTable($0, names: names, now: now) }
        book = Mutex(BudgetBook(tables: tables))
        matchers = tables.map { BudgetMatcher($0.definition, names: $0.names) }
        admission = Mutex(
            AdmissionState(
                matchers: tables.map { BudgetMatcher($0.definition, names: $0.names) }))
        self.names = names
        self.log = log
        self.catalogue =
            catalogue
            ?? BudgetCatalogue(configured: definitions) { _ in .faults(["nothing is stored"]) }
        self.reconcile = reconcile
        self.tellPause = tellPause
        self.report = report
    }

    public func prepare(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        staging.now = now
        // The group may bring events that are late; what is decided must not change for them.
        if mustReview { try keepCarryOver(in: database) }
        for batch in group { match(batch.rows, now: now) }
        let events = try evaluate(in: database, now: now)
        if !events.isEmpty { try report(events, database, now) }
        try writeClaims(in: database, now: now)
    }

    func reportRedefinition(
        _ events: [BudgetEvent], _ database: borrowing Database, _ now: Int64
    ) throws(SQLiteError) {
        if !events.isEmpty { try report(events, database, now) }
    }

    public func committed() {
        // In one moment: what a reservation held becomes what was spent.
        admission.withLock { state in
            book.withLock { book in
                apply(to: &book)
                applyLimits(to: &book)
                forgetIdle(&book, &state)
            }
            for claim in claims where claim.isKept && claim.effect == .settles {
                state.remove(claim.id)
            }
        }
        applyPauses()
        if let pendingNotices { notices = pendingNotices }
        pendingNotices = nil
        tellRefusals()
        staging.clear()
        if isReviewed { (mustReview, hasReviewed) = (false, true) }
        isReviewed = false
        claims.removeAll()
    }

    public func rolledBack() {
        staging.clear()
        isReviewed = false
        claims.removeAll()
        pendingPauses = nil
        pendingLimits.removeAll()
        pendingIdle.removeAll()
        pendingNotices = nil
    }

    public func isDue(now: Int64) -> Bool {
        now >= nextTick || mustReview
            || book.withLock { $0.tables.contains { now / 1_000_000_000 >= $0.current.end } }
    }

    public func tick(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        if mustReview {
            let (events, open) = try review(in: database, now: now)
            if !events.isEmpty { try report(events, database, now) }
            try reconcile(open, definitions, database, now)
            isReviewed = true
            return
        }
        nextTick = now + Self.tickNanos
        staging.now = now
        var events = try passTime(in: database, now: now)
        events += try findIdle(in: database, now: now)
        if !events.isEmpty { try report(events, database, now) }
        if now >= nextPrune {
            nextPrune = now + Self.pruneNanos
            try BudgetTables.prune(database, now: now)
            try ReservationTable.prune(before: now - Self.reservationsKeptNanos, in: database)
        }
    }

    public func checkpoint(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        let snapshot = book.withLock { $0 }
        var tables = try BudgetTables(database)
        // Of budgets that come back, what was spent meanwhile is missing.
        if snapshot.tables.isEmpty { try tables.writeSeen("", name: "", now: now) }
        for table in snapshot.tables {
            try tables.writeSeen(table, now: now)
            for (number, scope) in table.scopes.enumerated() {
                for entry in scope.periods where entry.isDirty {
                    try tables.writeSpend(table, number, entry)
                }
            }
        }
    }

    public func checkpointEnded(isDurable: Bool) {
        guard isDurable else { return }
        needsCheckpoint = false
        book.withLock { book in
            for table in book.tables.indices {
                let current = book.tables[table].current
                for scope in book.tables[table].scopes.indices
                where book.tables[table].scopes[scope].periods.contains(where: \.isDirty) {
                    for index in book.tables[table].scopes[scope].periods.indices {
                        book.tables[table].scopes[scope].periods[index].isDirty = false
                    }
                    // Older periods were here for a late event only.
                    book.tables[table].scopes[scope].periods.removeAll {
                        $0.period.end + 3600 <= current.start
                            && !$0.states.contains(where: \.isFiring)
                    }
                }
            }
        }
    }
}

// From events to staged spend.
extension BudgetEngine {
    /// Adds the amounts of a batch to the staged spend of every budget that they belong to.
    func match(_ rows: EventRows, now: Int64) {
        staging.prepare(tables: matchers.count)
        let periods = book.withLock { book in
            book.tables.map { ($0.current, $0.definition.period) }
        }
        for table in matchers.indices {
            let (current, rule) = periods[table]
            for index in rows.events.indices {
                let event = rows.events[index]
                guard !event.isSkipped, let amount = event.amount, amount.nanos != 0 else {
                    continue
                }
                let match = matchers[table].scope(of: event, in: rows) { values, limit in
                    book.withLock { $0.tables[table].scope(values, limit: limit) }
                }
                switch match {
                case .none: break
                case .refused: staging.refuse(table: table)
                case .scope(let scope):
                    staging.add(
                        amount.nanos, table: table, scope: scope, at: event.timestamp,
                        currentPeriod: current, rule: rule)
                }
            }
        }
    }

    /// Takes over what was staged: the commit has made it true.
    func apply(to book: inout BudgetBook) {
        for (place, scope) in staging.scopes {
            book.tables[place.table].scopes[place.scope] = scope
        }
        for (table, period) in staging.periods { book.tables[table].current = period }
        for (table, start) in staging.carried {
            book.tables[table].carriedInto = start
            book.tables[table].isCarryOverStored = true
        }
        let evaluated = Set(staging.scopes.map(\.place))
        for table in staging.touched.indices {
            let period = book.tables[table].current
            for scope in staging.touched[table]
            where !evaluated.contains(ScopePlace(table: table, scope: scope)) {
                book.tables[table].add(staging.current[table][scope], to: scope, in: period)
            }
        }
        for (key, nanos) in staging.late where !evaluated.contains(key.place) {
            book.tables[key.place.table].add(nanos, to: key.place.scope, in: key.period)
        }
        for (key, nanos) in staging.rolled where !evaluated.contains(key.place) {
            book.tables[key.place.table].addRolling(
                nanos, to: key.place.scope, at: key.second)
        }
        for (table, scope, nanos, at) in staging.amounts {
            if book.tables[table].definition.watchesPace {
                book.tables[table].minutes.add(nanos, name: UInt32(scope), at: at)
            }
            book.tables[table].scopes[scope].activeAt = max(
                book.tables[table].scopes[scope].activeAt, staging.now == 0 ? at : staging.now)
            book.tables[table].scopes[scope].spentAt = max(
                book.tables[table].scopes[scope].spentAt, at)
        }
        for table in staging.refused.indices {
            book.tables[table].refusedEvents += Int64(staging.refused[table])
        }
        let seconds = staging.now / 1_000_000_000
        for table in book.tables.indices where seconds > book.tables[table].seenAt {
            book.tables[table].seenAt = seconds
        }
    }

    private func tellRefusals() {
        for table in staging.refused.indices where staging.refused[table] > 0 {
            let name = book.withLock { $0.tables[table].definition.name }
            guard hasToldRefusal.insert(name).inserted else { continue }
            log.error(
                "a budget has no room for more scopes; spend of new ones is not watched",
                ("budget", name), ("scopes", "\(BudgetDefinition.scopesMax)"))
        }
    }
}

extension BudgetTable {
    /// The number of a scope, new or known; nil when there is no room.
    mutating func scope(_ values: LabelKey, limit: NanoUSD) -> Int? {
        if let known = scopeNumbers[values] { return known }
        guard scopes.count < scopesMax else { return nil }
        let text = ScopeText.write(names.values(values, each: definition.each))
        scopes.append(
            BudgetScope(
                values: values, text: text, base: limit, override: limits[text],
                notifiedAt: Array(repeating: nil, count: definition.thresholds.count)))
        scopeNumbers[values] = scopes.count - 1
        return scopes.count - 1
    }

    /// Adds spend without looking at thresholds.
    mutating func add(_ nanos: Int64, to scope: Int, in period: Period) {
        let index = scopes[scope].open(period, thresholdCount: definition.thresholds.count)
        scopes[scope].periods[index].total += NanoUSD(nanos: nanos)
        scopes[scope].periods[index].isDirty = true
    }

    /// The same for a rolling budget; what the window no longer reaches is left out.
    mutating func addRolling(_ nanos: Int64, to scope: Int, at second: Int64) {
        scopes[scope].addRolling(nanos, at: second, definition)
    }
}

extension BudgetScope {
    /// The place of a period in `periods`, which are in order of time.
    mutating func open(_ period: Period, thresholdCount: Int) -> Int {
        if let known = index(of: period) { return known }
        let place = periods.firstIndex { $0.period.start > period.start } ?? periods.count
        periods.insert(PeriodSpend(period: period, thresholdCount: thresholdCount), at: place)
        return place
    }
}
