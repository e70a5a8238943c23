internal import Aggregation
internal import Usage

/// Where a scope stands: its budget's table and its number there.
struct ScopePlace: Hashable, Comparable {
    let table: Int
    let scope: Int

    static func < (one: ScopePlace, other: ScopePlace) -> Bool {
        (one.table, one.scope) < (other.table, other.scope)
    }
}

/// What one group of batches, or one tick, would change: gathered before the commit, applied after
/// it. Only the writer touches it.
struct BudgetStaging {
    struct Late: Hashable {
        let place: ScopePlace
        let period: Period
    }

    struct Rolled: Hashable {
        let place: ScopePlace
        /// Unix seconds.
        let second: Int64
    }

    /// Spend of rolling budgets, by second.
    private(set) var rolled: [Rolled: Int64] = [:]
    /// Unix nanoseconds of the group or tick; 0 while rows are applied again at start.
    var now: Int64 = 0

    /// Spend in the current period, by table and scope, and the scopes that have some.
    private(set) var current: [[Int64]] = []
    private(set) var touched: [[Int]] = []
    /// Spend in other periods.
    private(set) var late: [Late: Int64] = [:]
    /// Every amount with its time, for the minute rings.
    private(set) var amounts: [(table: Int, scope: Int, nanos: Int64, at: Int64)] = []
    private(set) var refused: [Int] = []
    /// Scopes as they will be, thresholds evaluated.
    var scopes: [(place: ScopePlace, scope: BudgetScope)] = []
    /// Tables whose current period will be another.
    var periods: [(table: Int, period: Period)] = []
    /// Tables of which it is stored what the period of this start has taken over.
    var carried: [(table: Int, start: Int64)] = []

    mutating func prepare(tables: Int) {
        while current.count < tables {
            current.append([])
            touched.append([])
            refused.append(0)
        }
    }

    @inline(__always)
    mutating func add(
        _ nanos: Int64, table: Int, scope: Int, at timestamp: Int64, currentPeriod: Period,
        rule: PeriodRule
    ) {
        amounts.append((table, scope, nanos, timestamp))
        let seconds = timestamp / 1_000_000_000
        let place = ScopePlace(table: table, scope: scope)
        guard !rule.isRolling else {
            rolled[Rolled(place: place, second: seconds), default: 0] += nanos
            return
        }
        guard currentPeriod.contains(seconds) else {
            let period = rule.period(containing: seconds)
            late[Late(place: place, period: period), default: 0] += nanos
            return
        }
        if current[table].count <= scope {
            current[table].append(
                contentsOf: repeatElement(0, count: scope + 1 - current[table].count))
        }
        if current[table][scope] == 0 { touched[table].append(scope) }
        // An amount of 0 would be listed again, which does no harm.
        current[table][scope] += nanos
    }

    /// The scope as it will be.
    mutating func stage(_ copy: BudgetScope, table: Int, scope: Int) {
        scopes.append((ScopePlace(table: table, scope: scope), copy))
    }

    mutating func refuse(table: Int) { refused[table] += 1 }

    mutating func clear() {
        for table in touched.indices {
            for scope in touched[table] { current[table][scope] = 0 }
            touched[table].removeAll(keepingCapacity: true)
            refused[table] = 0
        }
        late.removeAll(keepingCapacity: true)
        rolled.removeAll(keepingCapacity: true)
        amounts.removeAll(keepingCapacity: true)
        scopes.removeAll()
        periods.removeAll()
        carried.removeAll()
    }
}
