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
    var isRolling = false

    var used: Int64 { spent &+ reserved }

    func part(_ estimate: Int64) -> Int128 {
        (Int128(used) + Int128(estimate)) * 1_000_000_000 / Int128(max(1, limit.nanos))
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
                let candidates = candidates(request, &state, &book, now, creating: false)
                let decision = decide(
                    request, candidates, &state, book, now, isStoreWritable: isStoreWritable)
                return decision
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
                let candidates = candidates(request, &state, &book, now, creating: true)
                var decision = decide(request, candidates, &state, book, now, isStoreWritable: true)
                guard decision.verdict != .deny else { return .decided(decision) }
                let holds = candidates.compactMap { candidate in
                    candidate.scope.map { Reservation.Hold(table: candidate.table, scope: $0) }
                }
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
        candidates(request, &state, &book, 0, creating: true).compactMap { candidate in
            candidate.scope.map { Reservation.Hold(table: candidate.table, scope: $0) }
        }
    }

    private func candidates(
        _ request: AdmissionRequest, _ state: inout AdmissionState, _ book: inout BudgetBook,
        _ now: Int64, creating: Bool
    ) -> [Candidate] {
        var candidates: [Candidate] = []
        let seconds = now / 1_000_000_000
        for table in state.matchers.indices {
            let match = state.matchers[table].scope(of: request.event, in: request.rows) {
                values, limit in
                creating
                    ? book.tables[table].scope(values, limit: limit)
                    : book.tables[table].scopeNumbers[values]
            }
            let current = book.tables[table].current
            let period =
                current.contains(seconds)
                ? current : book.tables[table].definition.period.period(containing: seconds)
            switch match {
            case .none: continue
            case .scope(let number):
                candidates.append(
                    Self.candidate(
                        table, number, period, book, request.estimate.nanos,
                        reserved: state.reserved(table, number), at: seconds))
            case .refused:
                // Either no event of this scope has come yet, or the budget is full of scopes and
                // cannot watch this one.
                guard book.tables[table].scopes.count < book.tables[table].scopesMax,
                    case .scope(let values, let limit) = state.matchers[table].outcome(
                        of: request.event, in: request.rows)
                else { continue }
                candidates.append(
                    Candidate(
                        table: table, scope: nil, values: values,
                        limit: book.tables[table].limit(of: values, base: limit, at: seconds),
                        spent: 0, reserved: 0,
                        period: book.tables[table].shown(period, at: seconds),
                        isRolling: book.tables[table].definition.period.isRolling))
            }
        }
        return candidates
    }
}

extension BudgetEngine {
    /// The view of a budget on a call of a scope that it knows.
    @inline(__always)
    private static func candidate(
        _ table: Int, _ number: Int, _ period: Period, _ book: borrowing BudgetBook,
        _ estimate: Int64, reserved: Int64, at seconds: Int64
    ) -> Candidate {
        let rule = book.tables[table].definition.period
        let limit = book.tables[table].scopes[number].limit(in: period, at: seconds)
        let spent = book.tables[table].scopes[number].nanos(in: period, rule, at: seconds)
        var shown = period
        if rule.isRolling {
            let denyAt = book.tables[table].definition.enforcement?.denyAt ?? 1_000_000_000
            let most = Int128(limit.nanos) * Int128(denyAt) / 1_000_000_000
            let excess = Int128(spent) + Int128(reserved) + Int128(estimate) - most
            shown = Period(
                start: seconds - rule.rollingSeconds,
                end: book.tables[table].scopes[number].rolling.relief(
                    of: Int64(clamping: max(1, excess)), now: seconds, length: rule.rollingSeconds))
        }
        return Candidate(
            table: table, scope: number, values: book.tables[table].scopes[number].values,
            limit: limit, spent: spent, reserved: reserved, period: shown,
            isRolling: rule.isRolling)
    }
}

// From the candidates to one answer.
extension BudgetEngine {
    private func decide(
        _ request: AdmissionRequest, _ candidates: [Candidate], _ state: inout AdmissionState,
        _ book: borrowing BudgetBook, _ now: Int64, isStoreWritable: Bool
    ) -> AdmissionDecision {
        let estimate = request.estimate.nanos
        var verdict = AdmissionVerdict.allow
        var reason = candidates.isEmpty ? AdmissionReason.noBudget : .withinBudget
        var tightest: Candidate?
        var isTightestEnforced = false
        for candidate in candidates {
            let definition = book.tables[candidate.table].definition
            let (own, why) = Self.judge(
                candidate, definition.enforcement, estimate, isStoreWritable: isStoreWritable)
            let isEnforced = definition.enforcement?.mode == .enforce
            state.count(definition.name, own, isEnforced: isEnforced)
            let rank = isEnforced ? own.rank : 0
            let isWorse = rank > verdict.rank
            let isTighter =
                tightest.map { candidate.part(estimate) > $0.part(estimate) } ?? true
            if isWorse || (rank == verdict.rank && isEnforced && !isTightestEnforced)
                || (rank == verdict.rank && isEnforced == isTightestEnforced && isTighter)
            {
                tightest = candidate
                isTightestEnforced = isEnforced
            }
            if isWorse { (verdict, reason) = (own, why) }
        }
        if let pause = state.pause(of: request) {
            Self.note(.deny, .paused, tightest, pause, &state, book, now)
            var decision = AdmissionDecision(
                verdict: .deny, reason: .paused, estimate: request.estimate,
                budget: tightest.map { view($0, book) })
            decision.pause = pause
            decision.retryAfterSeconds = AdmissionDecision.retryPausedSeconds
            return decision
        }
        var decision = AdmissionDecision(
            verdict: verdict, reason: reason, estimate: request.estimate,
            budget: tightest.map { view($0, book) })
        guard let tightest else { return decision }
        let seconds = now / 1_000_000_000
        if verdict != .allow { Self.note(verdict, reason, tightest, nil, &state, book, now) }
        switch verdict {
        case .allow: break
        case .throttle: decision.delayMillis = Self.delay(tightest, estimate, now: seconds)
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

    private func view(_ candidate: Candidate, _ book: borrowing BudgetBook) -> AdmissionBudget {
        let definition = book.tables[candidate.table].definition
        return AdmissionBudget(
            name: definition.name,
            scope: book.tables[candidate.table].names.values(
                candidate.values, each: definition.each
            ).map { AdmissionBudget.Entry(dimension: $0.dimension, value: $0.value) },
            limit: candidate.limit, spent: NanoUSD(nanos: candidate.spent),
            reserved: NanoUSD(nanos: candidate.reserved), period: candidate.period)
    }
}

extension AdmissionVerdict {
    fileprivate var rank: Int {
        switch self {
        case .allow: 0
        case .throttle: 1
        case .deny: 2
        }
    }
}

extension AdmissionState {
    fileprivate mutating func count(
        _ budget: String, _ verdict: AdmissionVerdict, isEnforced: Bool
    ) {
        let word = isEnforced || verdict == .allow ? verdict.rawValue : "would_\(verdict.rawValue)"
        counts[CountKey(budget: budget, decision: word), default: 0] += 1
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
        _ pause: ScopePause?, _ state: inout AdmissionState, _ book: borrowing BudgetBook,
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
