internal import Aggregation
internal import Ledger
public import SQLite
internal import TimeZones
public import Usage
internal import Wire

/// Where a scope's spend leads.
public struct BudgetForecast: Sendable {
    public let status: BudgetStatus
    public let projection: Projection
    /// Spend by local day (days since 1970), the running one last.
    public let days: [(day: Int64, amount: NanoUSD)]
}

extension BudgetEngine {
    /// Forecasts of the scopes of highest utilisation, from the roll-ups of the last weeks.
    ///
    /// Rolling budgets have no end to project to. Budgets that look at conversations, tasks or
    /// requests have none: roll-ups do not keep those.
    public func forecasts(
        countMax: Int, ofTenant tenant: String? = nil, now: Int64, in database: borrowing Database,
        where isWanted: (BudgetDefinition) -> Bool = { _ in true }
    ) throws(SQLiteError) -> [BudgetForecast] {
        let places = places(countMax: countMax, ofTenant: tenant) { budget in
            budget.dimensions.allSatisfy(\.isLabel) && !budget.period.isRolling && isWanted(budget)
        }
        let seconds = now / 1_000_000_000
        var readers: [DayReader] = []
        for (index, place) in places.enumerated() {
            let name = place.status.budget.name
            if let known = readers.firstIndex(where: { $0.name == name }) {
                readers[known].places[place.values] = index
            } else {
                var reader = DayReader(place.status.budget, names: names)
                reader.places[place.values] = index
                readers.append(reader)
            }
        }
        var days = [[Int64: Int64]](repeating: [:], count: places.count)
        let since = seconds - (Projection.historyDays + 1) * 86_400
        let first = places.map { min(since, $0.status.period.start) }.min() ?? since
        let rows = EventRows()
        let reach = max(first, seconds - 400 * 86_400)
        let sources = readers.map { $0.source(from: reach, to: seconds) }
        for source in Set(sources) {
            try source.read(since: reach, from: database) { event, cost in
                guard cost > .zero else { return }
                for reader in readers.indices where sources[reader] == source {
                    guard let (place, day) = readers[reader].place(of: event, in: rows) else {
                        continue
                    }
                    days[place][day, default: 0] += cost.nanos
                }
            }
        }
        return places.enumerated().map { index, place in
            let offset = place.status.budget.period.zone.offset(at: seconds)
            return forecast(place.status, days[index], now: seconds, offset: offset)
        }
    }

    private func forecast(
        _ status: BudgetStatus, _ days: [Int64: Int64], now: Int64, offset: Int64
    ) -> BudgetForecast {
        let today = floorDivide(now + offset, 86_400)
        let series = days.sorted { $0.key < $1.key }.map {
            (day: $0.key, amount: NanoUSD(nanos: $0.value))
        }
        let first = max(today - Projection.historyDays, series.first?.day ?? today)
        let shown = (first...max(first, today)).map { day in
            (day: day, amount: NanoUSD(nanos: days[day] ?? 0))
        }
        return BudgetForecast(
            status: status,
            projection: Projection(
                Projection.Input(
                    days: series, spent: status.spent, limit: status.limit, period: status.period,
                    now: now, offsetSeconds: offset)),
            days: shown)
    }
}

/// Tells to which of the wanted scopes of one budget a roll-up belongs, and to which local day.
private struct DayReader {
    let name: String
    var places: [LabelKey: Int] = [:]
    private var matcher: BudgetMatcher
    private let budget: BudgetDefinition

    /// Where the days come from: sums by one dimension are read in no time; whatever looks at more
    /// needs the roll-ups.
    enum Source: Hashable {
        case hourly(Dimension?)
        case rollUps

        func read(
            since: Int64, from database: borrowing Database,
            _ body: (_ event: CostEvent, _ cost: NanoUSD) -> Void
        ) throws(SQLiteError) {
            switch self {
            case .hourly(let dimension):
                try RollUpsTable.readHourly(by: dimension, since: since, from: database, body)
            case .rollUps:
                try RollUpsTable.read(since: since, withTail: true, from: database, body)
            }
        }
    }

    /// Days that begin within an hour cannot be made of hours.
    func source(from: Int64, to: Int64) -> Source {
        let dimensions = Set(budget.dimensions)
        let zone = budget.period.zone
        guard dimensions.count <= 1, RollUpsTable.hasHourly(dimensions.first),
            zone.offset(at: from) % 3600 == 0, zone.offset(at: to) % 3600 == 0
        else { return .rollUps }
        return .hourly(dimensions.first)
    }

    init(_ budget: BudgetDefinition, names: Names) {
        name = budget.name
        self.budget = budget
        matcher = BudgetMatcher(budget, names: names)
    }

    mutating func place(of event: CostEvent, in rows: EventRows) -> (place: Int, day: Int64)? {
        let places = places
        guard
            case .scope(let place) = matcher.scope(
                of: event, in: rows, { values, _ in places[values] })
        else { return nil }
        let seconds = event.timestamp / 1_000_000_000
        return (place, floorDivide(budget.period.zone.local(seconds), 86_400))
    }
}
