internal import Aggregation
internal import Usage

/// The spend of one scope in one period.
struct PeriodSpend: Equatable, Sendable {
    let period: Period
    var spent = NanoUSD.zero
    /// One per threshold of the definition.
    var states: [ThresholdState]
    /// Differs from what is stored.
    var isDirty = false

    init(period: Period, thresholdCount: Int) {
        self.period = period
        states = Array(repeating: ThresholdState(), count: thresholdCount)
    }
}

/// One budget for one set of values of its `each` dimensions.
struct BudgetScope: Equatable, Sendable {
    let values: LabelKey
    /// As in keys: `tenant=acme,user=u%201`, or `all`.
    let text: String
    var limit: NanoUSD
    /// The period that contains now, those around it, and older ones while late events touch them.
    var periods: [PeriodSpend] = []
    /// When each threshold last notified, in whatever period: the cooldown outlives periods.
    var notifiedAt: [Int64?]
    var burn = BurnState()
    /// Unix nanoseconds of the last spend, as it arrived.
    var spentAt: Int64 = 0

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
    /// Contains now.
    var current: Period
    var scopes: [BudgetScope] = []
    var scopeNumbers: [LabelKey: Int] = [:]
    /// Spend by minute, for the burn rate.
    var minutes = SpendRings(levels: [.minute])
    /// Events whose scope found no room.
    var refusedEvents: Int64 = 0

    init(_ definition: BudgetDefinition, now: Int64) {
        self.definition = definition
        identity = definition.identity
        current = definition.period.period(containing: now / 1_000_000_000)
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
