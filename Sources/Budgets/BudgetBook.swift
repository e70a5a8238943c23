internal import Aggregation
public import Usage

/// The spend of one scope in one period.
struct PeriodSpend: Equatable, Sendable {
    let period: Period
    /// Of all events; what `forgiven` holds of it was before a reset.
    var total = NanoUSD.zero
    var forgiven = NanoUSD.zero
    /// Unused part of the period before; nil: not decided.
    var carried: NanoUSD?
    /// One per threshold of the definition.
    var states: [ThresholdState]
    /// Differs from what is stored.
    var isDirty = false

    init(period: Period, thresholdCount: Int) {
        self.period = period
        states = Array(repeating: ThresholdState(), count: thresholdCount)
    }

    /// What counts against the limit.
    var spent: NanoUSD { total - forgiven }
}

/// A limit that was set for one scope.
public struct ScopeLimit: Equatable, Sendable {
    public let limit: NanoUSD
    /// Unix seconds; nil: until it is taken back.
    public let until: Int64?

    public init(limit: NanoUSD, until: Int64?) {
        self.limit = limit
        self.until = until
    }

    func isOver(_ seconds: Int64) -> Bool { until.map { $0 <= seconds } ?? false }
}

/// One budget for one set of values of its `each` dimensions.
struct BudgetScope: Equatable, Sendable {
    var values: LabelKey
    /// As in keys: `tenant=acme,user=u%201`, or `all`.
    let text: String
    /// By the definition.
    var base: NanoUSD
    /// Set for this scope in place of `base` and what was carried over.
    var override: ScopeLimit?
    /// Of rolling budgets.
    var rolling = RollingSpend()
    /// The period that contains now, those around it, and older ones while late events touch them.
    var periods: [PeriodSpend] = []
    /// When each threshold last notified, in whatever period: the cooldown outlives periods.
    var notifiedAt: [Int64?]
    var burn = BurnState()
    /// Unix nanoseconds of the last spend, as it arrived.
    var spentAt: Int64 = 0
    /// Unix nanoseconds at which an event arrived last; short-lived scopes are forgotten by it.
    var activeAt: Int64 = 0

    /// - Parameter seconds: a limit that was set until a time before counts no more.
    func limit(in period: Period, at seconds: Int64 = .min) -> NanoUSD {
        if let override, !override.isOver(seconds) { return override.limit }
        for index in periods.indices where periods[index].period.start == period.start {
            return base + (periods[index].carried ?? .zero)
        }
        return base
    }

    func index(of period: Period) -> Int? {
        periods.firstIndex { $0.period.start == period.start }
    }

    func spend(in period: Period) -> PeriodSpend? {
        periods.first { $0.period.start == period.start }
    }
}

/// A budget and all of its scopes.
struct BudgetTable: Sendable {
    var definition: BudgetDefinition
    let identity: String
    var names: ScopeNames
    /// Contains now.
    var current: Period
    var scopes: [BudgetScope] = []
    var scopeNumbers: [LabelKey: Int] = [:]
    /// Spend by minute, for the burn rate.
    var minutes = SpendRings(levels: [.minute])
    /// Events whose scope found no room.
    var refusedEvents: Int64 = 0
    /// Limits that were set for one scope, by its text, whether it has spent yet or not.
    var limits: [String: ScopeLimit] = [:]
    var scopesMax = BudgetDefinition.scopesMax
    /// Unix seconds at which it was looked at last.
    var seenAt: Int64
    /// Start of the period for which it is decided what its scopes take over.
    var carriedInto: Int64?
    /// False from a decision to the commit that stores it.
    var isCarryOverStored = true

    init(_ definition: BudgetDefinition, names: Names, now: Int64) {
        self.definition = definition
        self.names = ScopeNames(definition, names)
        seenAt = now / 1_000_000_000
        identity = definition.identity
        current = definition.period.period(containing: now / 1_000_000_000)
    }

    /// The time that a period stands for: itself, or, of a rolling budget, the window before
    /// `seconds`.
    func shown(_ period: Period, at seconds: Int64) -> Period {
        definition.period.isRolling
            ? Period(start: seconds - definition.period.rollingSeconds, end: seconds) : period
    }

    func burnWindow(_ scope: Int, minutes count: Int64, now: Int64) -> BurnRate.Window {
        let cover = BurnRate.cover(minutes: count, now: now / 1_000_000_000)
        guard let ring = minutes.find(UInt32(scope)) else {
            return BurnRate.Window(spent: .zero, seconds: cover.seconds)
        }
        return BurnRate.Window(
            spent: minutes.sum(.minute, last: cover.buckets, of: ring, now: now),
            seconds: cover.seconds)
    }

    /// True when more than one of these minutes has spend.
    func isSpread(_ scope: Int, minutes count: Int64, now: Int64) -> Bool {
        guard let ring = minutes.find(UInt32(scope)) else { return false }
        let buckets = BurnRate.cover(minutes: count, now: now / 1_000_000_000).buckets
        var active = 0
        var last = NanoUSD.zero
        for span in 1...buckets {
            let sum = minutes.sum(.minute, last: span, of: ring, now: now)
            if sum > last { active += 1 }
            if active > 1 { return true }
            last = sum
        }
        return false
    }

    /// A period that contains now or ended less than an hour ago may still notify; one to come
    /// waits.
    func isNotifiable(_ period: Period, now: Int64) -> Bool {
        let seconds = now / 1_000_000_000
        return period.start <= seconds && period.end + 3600 > seconds
    }
}

/// All budgets. The writer changes it after each commit; others look under the lock.
struct BudgetBook: Sendable {
    var tables: [BudgetTable] = []
}
