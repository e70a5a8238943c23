internal import Aggregation
internal import Ledger
internal import SQLite
internal import TimeZones
internal import Usage
internal import Wire

/// Where what a budget counts is read back from. The sums by one dimension are read in no time;
/// whatever looks at more than one, or cuts hours, needs the roll-ups, of which there are nearly as
/// many as events where users are many.
enum PastSpend: Hashable {
    /// By hour, or by UTC day.
    case sums(Dimension?)
    /// By quarter hour.
    case rollUps([Dimension])

    /// - Parameter isWhole: asked whether spans of so many seconds, counted from 1970 in UTC, are
    ///   never cut by what the budget counts by.
    init(_ budget: BudgetDefinition, isWhole: (_ seconds: Int64) -> Bool) {
        let dimensions = budget.dimensions
        if dimensions.count <= 1, let seconds = RollUpsTable.sumsSeconds(by: dimensions.first),
            isWhole(seconds)
        {
            self = .sums(dimensions.first)
        } else {
            self = .rollUps(dimensions)
        }
    }

    /// - Parameter since: Unix seconds; what lies before it in the same span is read too.
    func read(
        since: Int64, withTail: Bool = false, from database: borrowing Database,
        _ body: (_ event: CostEvent, _ cost: NanoUSD) -> Void
    ) throws(SQLiteError) {
        switch self {
        case .sums(let dimension):
            try RollUpsTable.readSums(
                by: dimension, since: since, withTail: withTail, from: database, body)
        case .rollUps(let dimensions):
            try RollUpsTable.read(
                dimensions, since: since, withTail: withTail, from: database, body)
        }
    }
}

/// Adds past spend up by the wanted scopes of one budget and by local days.
struct DaySums {
    /// Days since 1970 with nano-dollars, for each of the wanted scopes.
    private(set) var days: [[Int64]]
    let firstDay: Int64
    private let places: [LabelKey: Int]
    private var matcher: BudgetMatcher
    private let zone: Zone
    private let rows = EventRows()
    /// Spend comes in the order of time: the local day of the last moment.
    private var seen: (nanos: Int64, day: Int) = (.min, 0)

    /// - Parameter places: the wanted scopes, numbered from 0.
    init(
        _ budget: BudgetDefinition, names: Names, places: [LabelKey: Int], from: Int64, to: Int64
    ) {
        self.places = places
        zone = budget.period.zone
        matcher = BudgetMatcher(budget, names: names)
        firstDay = floorDivide(from, 86_400) - 2
        let count = Int(floorDivide(to, 86_400) + 2 - firstDay)
        days = Array(repeating: [Int64](repeating: 0, count: count), count: places.count + 1)
    }

    mutating func add(_ event: CostEvent, _ cost: NanoUSD) {
        guard cost > .zero else { return }
        let (places, elsewhere) = (places, places.count)
        // All other scopes share the last place: the matcher remembers that they are not wanted.
        guard
            case .scope(let place) = matcher.scope(
                of: event, in: rows, { values, _ in places[values] ?? elsewhere }),
            place < elsewhere
        else { return }
        if event.timestamp != seen.nanos {
            let local = zone.local(event.timestamp / 1_000_000_000)
            let day = Int(floorDivide(local, 86_400) - firstDay)
            seen = (event.timestamp, min(max(day, 0), days[place].count - 1))
        }
        days[place][seen.day] += cost.nanos
    }

    /// Spend by local day (days since 1970), for one of the wanted scopes.
    func amounts(of place: Int) -> [Int64: Int64] {
        var amounts: [Int64: Int64] = [:]
        for (index, nanos) in days[place].enumerated() where nanos > 0 {
            amounts[firstDay + Int64(index)] = nanos
        }
        return amounts
    }
}
