public import Usage

/// Something that a budget tells: what an alert is made of.
public struct BudgetEvent: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// `crossed` are the thresholds newly passed, ascending; `threshold` is the highest.
        case crossed(
            threshold: BudgetDefinition.Threshold, crossed: [BudgetDefinition.Threshold], arm: Int)
        /// In a period that is over for too long: kept, not sent.
        case recorded(
            threshold: BudgetDefinition.Threshold, crossed: [BudgetDefinition.Threshold])
        case resolved(threshold: BudgetDefinition.Threshold, arm: Int, reason: ResolveReason)
        case burning(secondsLeft: Int64, arm: Int)
        /// Without a reason the pace is back to what the budget allows.
        case burnEnded(arm: Int, reason: ResolveReason?)
        /// Its scope's calls are denied from now on, whatever the next period brings.
        case paused
        /// So many of its calls were denied within five minutes.
        case denied(count: Int)
        /// Without a reason nobody was denied any more.
        case deniedEnded(reason: ResolveReason?)
        /// The projection to the period's end has passed the limit.
        case forecast(Projection)
        /// Without a reason the projection has come back, or the period has ended.
        case forecastEnded(reason: ResolveReason?)
    }

    public let kind: Kind
    public let budget: BudgetDefinition
    /// The values of the budget's `each` dimensions.
    public let scope: [(dimension: Dimension, value: String)]
    /// As in keys.
    public let scopeText: String
    public let period: Period
    public let spent: NanoUSD
    public let limit: NanoUSD

    public var periodKey: String { budget.period.key(of: period) }

    public init(
        kind: Kind, budget: BudgetDefinition, scope: [(dimension: Dimension, value: String)],
        scopeText: String, period: Period, spent: NanoUSD, limit: NanoUSD
    ) {
        self.kind = kind
        self.budget = budget
        self.scope = scope
        self.scopeText = scopeText
        self.period = period
        self.spent = spent
        self.limit = limit
    }

    public static func == (left: BudgetEvent, right: BudgetEvent) -> Bool {
        left.kind == right.kind && left.budget == right.budget
            && left.scopeText == right.scopeText && left.period == right.period
            && left.spent == right.spent && left.limit == right.limit
    }
}
