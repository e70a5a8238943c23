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
    private typealias Place = (values: LabelKey, status: BudgetStatus)

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
        let since = seconds - (Projection.historyDays + 1) * 86_400
        let first = places.map { min(since, $0.status.period.start) }.min() ?? since
        let reach = max(first, seconds - 400 * 86_400)
        var days = [[Int64: Int64]](repeating: [:], count: places.count)
        for (source, budgets) in sources(of: places, from: reach, to: seconds) {
            var sums = budgets.map { indices in
                DaySums(
                    places[indices[0]].status.budget, names: names,
                    places: Dictionary(
                        indices.enumerated().map { (places[$1].values, $0) },
                        uniquingKeysWith: { $1 }),
                    from: reach, to: seconds)
            }
            try source.read(since: reach, withTail: true, from: database) { event, cost in
                for index in sums.indices { sums[index].add(event, cost) }
            }
            for (sums, indices) in zip(sums, budgets) {
                for (number, index) in indices.enumerated() {
                    days[index] = sums.amounts(of: number)
                }
            }
        }
        return places.enumerated().map { index, place in
            let offset = place.status.budget.period.zone.offset(at: seconds)
            return forecast(place.status, days[index], now: seconds, offset: offset)
        }
    }

    /// The places of each budget, by where their days come from: one pass over the roll-ups serves
    /// every budget that needs them.
    private func sources(
        of places: [Place], from: Int64, to: Int64
    ) -> [PastSpend: [[Int]]] {
        var sources: [PastSpend: [[Int]]] = [:]
        var shared: [Dimension] = []
        var needRollUps: [[Int]] = []
        let byBudget = Dictionary(grouping: places.indices) { places[$0].status.budget.name }
        for indices in byBudget.values {
            let budget = places[indices[0]].status.budget
            let zone = budget.period.zone
            // A change to summer time and back is weeks long.
            let moments = Array(stride(from: from, to: to, by: 14 * 86_400)) + [to]
            let source = PastSpend(budget) { span in
                moments.allSatisfy { zone.offset(at: $0) % span == 0 }
            }
            if case .rollUps(let dimensions) = source {
                shared += dimensions.filter { !shared.contains($0) }
                needRollUps.append(indices)
            } else {
                sources[source, default: []].append(indices)
            }
        }
        if !needRollUps.isEmpty { sources[.rollUps(shared)] = needRollUps }
        return sources
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
