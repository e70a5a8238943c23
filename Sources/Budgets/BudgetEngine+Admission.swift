internal import Aggregation
internal import Synchronization
internal import TimeZones
internal import Usage

/// One budget's view of a call.
private struct Candidate {
    let table: Int
    /// Nil: this scope has never spent.
    let scope: Int?
    let values: LabelKey
    let limit: NanoUSD
    let spent: Int64
    let reserved: Int64
    let period: Period
    /// Always the last so many seconds; `period` ends when enough has left for the call.
    let isRolling: Bool

    var used: Int64 { spent &+ reserved }

    func part(_ estimate: Int64) -> Int128 {
        (Int128(used) + Int128(estimate)) * 1_000_000_000 / Int128(max(1, limit.nanos))
    }
}

/// What the budgets say together: the worst verdict, and the tightest of those that give it.
private struct Judgement {
    var verdict = AdmissionVerdict.allow
    var reason = AdmissionReason.noBudget
    var tightest: Candidate?
    private var isTightestEnforced = false

    mutating func add(
        _ candidate: Candidate, _ own: AdmissionVerdict, _ why: AdmissionReason, isEnforced: Bool,
        estimate: Int64
    ) {
        let rank = isEnforced ? own.rank : 0
        let isWorse = rank > verdict.rank
        if reason == .noBudget { reason = .withinBudget }
        if isWorse { (verdict, reason) = (own, why) }
        guard let known = tightest, !isWorse else {
            (tightest, isTightestEnforced) = (candidate, isEnforced)
            return
        }
        // Of two with the same verdict one that is enforced counts before one that only observes.
        guard rank == verdict.rank, isEnforced || !isTightestEnforced else { return }
        if isEnforced != isTightestEnforced || candidate.part(estimate) > known.part(estimate) {
            (tightest, isTightestEnforced) = (candidate, isEnforced)
        }
    }
}

// May a call go ahead? Answered from memory, under the locks of admission and book; nothing is
// copied but the scopes' few numbers.
extension BudgetEngine {
    /// Holds nothing, so that calls that ask at the same time may together pass the limit.
    ///
    /// - Parameter isStoreWritable: when false, budgets that say so deny.
    public func check(
        _ request: AdmissionRequest, now: Int64, isStoreWritable: Bool = true
    ) -> AdmissionDecision {
        admission.withLock { state in
            book.withLock { book in
                state.expire(now: now)
                var judgement = Judgement()
                for table in state.matchers.indices {
                    let found = Self.candidate(table, request, &state, &book, now, creating: false)
                    guard let candidate = found else { continue }
                    Self.judge(
                        candidate, request, &judgement, &state, &book,
                        isStoreWritable: isStoreWritable)
                }
                return Self.decide(request, judgement, &state, &book, now)
            }
        }
    }

    enum HoldOutcome {
        case decided(AdmissionDecision)
        /// There is one of this id, still under way.
        case known(Reservation)
        case full
    }

    /// Decides, and holds the estimate against every matching budget in the same moment.
    func hold(
        _ request: AdmissionRequest, id: String, body: [UInt8], expiresAt: Int64, now: Int64
    ) -> HoldOutcome {
        admission.withLock { state in
            book.withLock { book in
                state.expire(now: now)
                if let known = state.live[id] { return .known(known) }
                guard state.live.count < AdmissionState.reservationsMax else { return .full }
                var judgement = Judgement()
                var holds: [Reservation.Hold] = []
                for table in state.matchers.indices {
                    let found = Self.candidate(table, request, &state, &book, now, creating: true)
                    guard let candidate = found else { continue }
                    Self.judge(
                        candidate, request, &judgement, &state, &book, isStoreWritable: true)
                    if let scope = candidate.scope {
                        holds.append(.init(table: table, scope: scope))
                    }
                }
                var decision = Self.decide(request, judgement, &state, &book, now)
                guard decision.verdict != .deny else { return .decided(decision) }
                state.insert(
                    id,
                    Reservation(
                        request: request, body: body, expiresAt: expiresAt, holds: holds,
                        isPending: true))
                decision.budget?.reserved += request.estimate
                return .decided(decision)
            }
        }
    }

    /// The places that a reservation holds against, after a restart or a change of budgets.
    func holds(
        of request: AdmissionRequest, _ state: inout AdmissionState, _ book: inout BudgetBook
    ) -> [Reservation.Hold] {
        state.matchers.indices.compactMap { table in
            Self.candidate(table, request, &state, &book, 0, creating: true)?.scope.map {
                Reservation.Hold(table: table, scope: $0)
            }
        }
    }

    /// Nil: the budget does not watch such calls.
    private static func candidate(
        _ table: Int, _ request: AdmissionRequest, _ state: inout AdmissionState,
        _ book: inout BudgetBook, _ now: Int64, creating: Bool
    ) -> Candidate? {
        let match = state.matchers[table].scope(of: request.event, in: request.rows) {
            values, limit in
            creating
                ? book.tables[table].scope(values, limit: limit)
                : book.tables[table].scopeNumbers[values]
        }
        let seconds = now / 1_000_000_000
        switch match {
        case .none: return nil
        case .scope(let number):
            return book.tables[table].candidate(
                table, number, request.estimate.nanos, reserved: state.reserved(table, number),
                at: seconds)
        case .refused(let values, let limit):
            return book.tables[table].candidate(table, values, limit, at: seconds)
        }
    }
}

// Mutating, though they change nothing: a table is read where it stands then, while a method that
// only reads would be given a copy with all that a table holds.
extension BudgetTable {
    private mutating func period(at seconds: Int64) -> Period {
        current.contains(seconds) ? current : definition.period.period(containing: seconds)
    }

    /// The view of the budget on a call of a scope that it knows.
    fileprivate mutating func candidate(
        _ table: Int, _ number: Int, _ estimate: Int64, reserved: Int64, at seconds: Int64
    ) -> Candidate {
        let period = period(at: seconds)
        let limit = scopes[number].limit(in: period, at: seconds)
        let spent = scopes[number].nanos(in: period, definition.period, at: seconds)
        var shown = period
        if definition.period.isRolling {
            let length = definition.period.rollingSeconds
            let denyAt = definition.enforcement?.denyAt ?? 1_000_000_000
            let most = Int128(limit.nanos) * Int128(denyAt) / 1_000_000_000
            let excess = Int128(spent) + Int128(reserved) + Int128(estimate) - most
            shown = Period(
                start: seconds - length,
                end: scopes[number].rolling.relief(
                    of: Int64(clamping: max(1, excess)), now: seconds, length: length))
        }
        return Candidate(
            table: table, scope: number, values: scopes[number].values, limit: limit, spent: spent,
            reserved: reserved, period: shown, isRolling: definition.period.isRolling)
    }

    /// The same for a scope that is in no table: either no event of it has come yet, or the budget
    /// is full of scopes and cannot watch this one.
    fileprivate mutating func candidate(
        _ table: Int, _ values: LabelKey, _ base: NanoUSD, at seconds: Int64
    ) -> Candidate? {
        guard scopes.count < scopesMax else { return nil }
        return Candidate(
            table: table, scope: nil, values: values,
            limit: limit(of: values, base: base, at: seconds), spent: 0, reserved: 0,
            period: shown(period(at: seconds), at: seconds),
            isRolling: definition.period.isRolling)
    }
}

// From the candidates to one answer.
extension BudgetEngine {
    private static func judge(
        _ candidate: Candidate, _ request: AdmissionRequest, _ judgement: inout Judgement,
        _ state: inout AdmissionState, _ book: inout BudgetBook, isStoreWritable: Bool
    ) {
        let estimate = request.estimate.nanos
        let enforcement = book.tables[candidate.table].definition.enforcement
        let (own, why) = judge(candidate, enforcement, estimate, isStoreWritable: isStoreWritable)
        let isEnforced = enforcement?.mode == .enforce
        state.counts.add(own, isEnforced: isEnforced, table: candidate.table)
        judgement.add(candidate, own, why, isEnforced: isEnforced, estimate: estimate)
    }

    private static func decide(
        _ request: AdmissionRequest, _ judgement: Judgement, _ state: inout AdmissionState,
        _ book: inout BudgetBook, _ now: Int64
    ) -> AdmissionDecision {
        let (verdict, reason) = (judgement.verdict, judgement.reason)
        if let pause = state.pause(of: request) {
            note(.deny, .paused, judgement.tightest, pause, &state, &book, now)
            var decision = AdmissionDecision(
                verdict: .deny, reason: .paused, estimate: request.estimate,
                budget: judgement.tightest.map { view($0, &book) })
            decision.pause = pause
            decision.retryAfterSeconds = AdmissionDecision.retryPausedSeconds
            return decision
        }
        var decision = AdmissionDecision(
            verdict: verdict, reason: reason, estimate: request.estimate,
            budget: judgement.tightest.map { view($0, &book) })
        guard verdict != .allow, let tightest = judgement.tightest else { return decision }
        let seconds = now / 1_000_000_000
        note(verdict, reason, tightest, nil, &state, &book, now)
        switch verdict {
        case .allow: break
        case .throttle:
            decision.delayMillis = delay(tightest, request.estimate.nanos, now: seconds)
        case .deny:
            if reason != .unsure {
                let name = book.tables[tightest.table].definition.name
                state.denials.note(
                    .init(budget: name, values: tightest.values), limit: tightest.limit, now: now)
            }
            decision.retryAfterSeconds =
                reason == .hardLimit
                ? max(1, tightest.period.end - seconds) : AdmissionDecision.retryReservedSeconds
        }
        return decision
    }

    private static func judge(
        _ candidate: Candidate, _ enforcement: Enforcement?, _ estimate: Int64,
        isStoreWritable: Bool
    ) -> (AdmissionVerdict, AdmissionReason) {
        guard let enforcement else { return (.allow, .withinBudget) }
        if !isStoreWritable, enforcement.whenUnsure == .deny { return (.deny, .unsure) }
        let (limit, denyAt) = (candidate.limit, enforcement.denyAt)
        let (after, overflow) = candidate.used.addingReportingOverflow(estimate)
        let isOver =
            overflow || Enforcement.exceeds(after, denyAt, of: limit)
            || Enforcement.reaches(candidate.used, denyAt, of: limit)
        if isOver {
            let spentAfter = candidate.spent.addingReportingOverflow(estimate)
            let isSpent =
                spentAfter.overflow
                || Enforcement.exceeds(spentAfter.partialValue, denyAt, of: limit)
                || Enforcement.reaches(candidate.spent, denyAt, of: limit)
            return (.deny, isSpent ? .hardLimit : .reserved)
        }
        return Enforcement.reaches(after, enforcement.throttleAt, of: limit)
            ? (.throttle, .softLimit) : (.allow, .withinBudget)
    }

    /// The rest of the budget spread over the rest of the period pays for one call of this size in
    /// so many milliseconds.
    private static func delay(_ candidate: Candidate, _ estimate: Int64, now: Int64) -> Int64 {
        let rest = Int128(candidate.limit.nanos) - Int128(candidate.used)
        let seconds =
            candidate.isRolling ? now - candidate.period.start : candidate.period.end - now
        let left = Int128(max(0, seconds)) * 1000
        guard rest > 0 else { return AdmissionDecision.delayMillisMax }
        return min(
            AdmissionDecision.delayMillisMax, Int64(clamping: Int128(estimate) * left / rest))
    }

    private static func view(
        _ candidate: Candidate, _ book: inout BudgetBook
    ) -> AdmissionBudget {
        book.tables[candidate.table].view(candidate)
    }
}

extension BudgetTable {
    fileprivate mutating func view(_ candidate: Candidate) -> AdmissionBudget {
        AdmissionBudget(
            name: definition.name,
            scope: definition.each.indices.map { index in
                let dimension = definition.each[index]
                return AdmissionBudget.Entry(
                    dimension: dimension, value: names.text(candidate.values[index], of: dimension))
            },
            limit: candidate.limit, spent: NanoUSD(nanos: candidate.spent),
            reserved: NanoUSD(nanos: candidate.reserved), period: candidate.period)
    }
}

extension AdmissionVerdict {
    /// The higher one prevails.
    var rank: Int {
        switch self {
        case .allow: 0
        case .throttle: 1
        case .deny: 2
        }
    }
}

extension BudgetScope {
    /// The spend in a period, without a copy of its states.
    func nanos(in period: Period, _ rule: PeriodRule, at seconds: Int64) -> Int64 {
        if rule.isRolling { return rolling.net(now: seconds, length: rule.rollingSeconds) }
        for index in periods.indices where periods[index].period.start == period.start {
            return periods[index].spent.nanos
        }
        return 0
    }
}

// For the log of what calls were told.
extension BudgetEngine {
    private static func note(
        _ verdict: AdmissionVerdict, _ reason: AdmissionReason, _ candidate: Candidate?,
        _ pause: ScopePause?, _ state: inout AdmissionState, _ book: inout BudgetBook,
        _ now: Int64
    ) {
        let minute = now / 60_000_000_000
        let name = candidate.map { book.tables[$0.table].definition.name } ?? ""
        let key = AdmissionFolds.Key(
            budget: name, values: candidate?.values ?? LabelKey(), reason: reason, minute: minute)
        state.folds.note(
            key, limit: candidate?.limit ?? .zero,
            spent: NanoUSD(nanos: candidate?.spent ?? 0)
        ) { values in
            let definition = candidate.map { book.tables[$0.table].definition }
            let isScope = candidate.map { $0.values == values } ?? false
            var scope: [(dimension: Dimension, value: String)] = []
            if let pause {
                scope = [(pause.dimension, pause.value)]
            } else if isScope, let candidate, let definition {
                scope = book.tables[candidate.table].names.values(values, each: definition.each)
            }
            return AdmissionFold(
                verdict: verdict, reason: reason, budget: name, scope: scope,
                period: definition?.period.word ?? "", limit: .zero, spent: .zero,
                endsAt: (minute + 1) * 60)
        }
    }

    /// Some call was not simply let through.
    public var hasFolds: Bool { admission.withLock { !$0.folds.isEmpty } }

    /// What calls were told in minutes that are over, each once.
    public func takeFolds(now: Int64) -> [AdmissionFold] {
        admission.withLock { state in
            state.folds.isEmpty ? [] : state.folds.take(endedBy: now / 1_000_000_000)
        }
    }
}
