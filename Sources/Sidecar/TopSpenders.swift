internal import Alerts
internal import Budgets
internal import Ledger
internal import SQLite
internal import Usage

/// Who spends most of a budget, looked up when its alert is sent.
struct TopSpenders: Sendable {
    let budgets: BudgetEngine
    /// Of each dimension.
    private static let countMax = 3
    private static let dimensions: [Dimension] = [.tenant, .feature, .user, .model]

    /// The largest of the first two dimensions that the alert's scope does not fix already. Empty
    /// when roll-ups do not tell which spend is the budget's.
    func find(_ alert: Alert, in database: borrowing Database) -> [TopSpender] {
        guard let budget = alert.budget,
            let definition = budgets.definitions.first(where: { $0.name == budget.name })
        else { return [] }
        let fixed = definition.match.map(\.dimension)
        guard (fixed + definition.each).allSatisfy(SpendQuery.groupable.contains) else { return [] }
        return Self.dimensions.filter { !definition.each.contains($0) }.prefix(2)
            .flatMap { dimension in
                largest(dimension, of: budget, definition, in: database)
            }
    }

    private func largest(
        _ dimension: Dimension, of budget: AlertBudget, _ definition: BudgetDefinition,
        in database: borrowing Database
    ) -> [TopSpender] {
        // A rolling budget's time ends within the quarter hour whose spend told of it.
        let unit = SpendQuery.stepUnit
        let end = (budget.periodEnd + unit - 1) / unit * unit
        let query = SpendQuery(
            groupBy: [dimension] + definition.match.map(\.dimension).filter { $0 != dimension },
            since: budget.periodStart * 1_000_000_000, until: end * 1_000_000_000,
            filters: zip(definition.each, budget.scope).map { ($0, $1.value) })
        guard let rows = try? query.run(on: database) else { return [] }
        var sums: [String: NanoUSD] = [:]
        for row in rows where !row.values[0].isEmpty {
            let matches = definition.match.allSatisfy { match in
                let index = query.groupBy.firstIndex(of: match.dimension)
                return index.map { match.pattern.matches(row.values[$0]) } ?? false
            }
            if matches { sums[row.values[0], default: .zero] += row.cost }
        }
        return sums.filter { $0.value > .zero }
            .sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Self.countMax)
            .map { TopSpender(dimension: dimension.description, value: $0.key, cost: $0.value) }
    }
}
