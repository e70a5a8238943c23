public import Usage

/// Whether a call with given dimensions counts against a budget, and why not.
public struct BudgetExplanation: Sendable {
    public let budget: BudgetDefinition
    /// What keeps the call out, in the order of the definition; empty: it counts.
    public let obstacles: [String]
    /// The values of `each`, as far as the call has them.
    public let scope: [(dimension: Dimension, value: String)]
    /// By the definition: of the first override that matches, or the common one.
    public let limit: NanoUSD
    /// The override that decides the limit, counted from 0.
    public let override: Int?

    /// - Parameter values: what the call carries; what is missing or empty, it lacks.
    public init(_ budget: BudgetDefinition, values: [Dimension: String]) {
        self.budget = budget
        func matches(_ match: BudgetDefinition.Match) -> Bool {
            match.pattern.matches(values[match.dimension] ?? "")
        }
        var obstacles: [String] = []
        for match in budget.match where !matches(match) {
            let value = values[match.dimension] ?? ""
            obstacles.append(
                value.isEmpty
                    ? "\(match.dimension) is missing, and match wants \(match.pattern)"
                    : "\(match.dimension) \"\(value)\" does not match \(match.pattern)")
        }
        for dimension in budget.each where (values[dimension] ?? "").isEmpty {
            obstacles.append("\(dimension) is missing, and each names it")
        }
        self.obstacles = obstacles
        scope = budget.each.compactMap { dimension in
            values[dimension].map { (dimension, $0) }
        }
        override = budget.overrides.firstIndex { $0.when.allSatisfy(matches) }
        limit = override.map { budget.overrides[$0].limit } ?? budget.limit
    }

    public var scopeText: String { ScopeText.write(scope) }
}
