internal import Budgets
internal import Usage

// Why an alert is over, for its resolved notification: "It is over: " and one of these.
extension BudgetAlerts {
    /// - Parameter told: the budget as the alert told of it.
    static func resolution(_ event: BudgetEvent, told: AlertBudget?, now: Int64) -> String {
        let isOver = event.period.end <= now / 1_000_000_000
        return switch event.kind {
        case .resolved(let threshold, _, .thresholdRemoved): removed(threshold.text)
        case .resolved(_, _, .atStart): changedMeanwhile(event, told)
        case .resolved(_, _, let reason): text(reason, event)
        case .burnEnded(_, .turnedOff?): paceOff
        case .forecastEnded(.turnedOff?): projectionOff
        case .deniedEnded(.turnedOff?): denialsOff
        case .burnEnded(_, let reason?), .forecastEnded(let reason?), .deniedEnded(let reason?):
            text(reason, event)
        case .deniedEnded: "no call was denied for five minutes"
        case .forecastEnded: isOver ? text(.periodEnded, event) : projectionBack
        default: "the pace is back to what the budget allows"
        }
    }

    private static func text(_ reason: ResolveReason, _ event: BudgetEvent) -> String {
        let (limit, spent) = (MoneyText.dollars(event.limit), MoneyText.dollars(event.spent))
        return switch reason {
        case .periodEnded: "the period has ended"
        case .limitRaised: "the limit was raised to \(limit), of which \(spent) is used"
        case .spendReduced: "spend was corrected to \(spent)"
        case .windowMoved: "spend fell to \(spent) of \(limit) \(LocalClock(event).periodWord)"
        case .idle: "nothing happened in it for long"
        case .reset: "the budget was reset"
        case .budgetRemoved: "the budget is no longer configured"
        case .budgetChanged:
            "the budget counts other spend now: \(spent) of \(limit) \(LocalClock(event).periodWord)"
        case .thresholdRemoved, .turnedOff, .atStart: "the budget was changed"
        }
    }

    /// The limit may have been raised in the configuration, or spend has left the window.
    private static func changedMeanwhile(_ event: BudgetEvent, _ told: AlertBudget?) -> String {
        if let told, event.limit > told.limit { return text(.limitRaised, event) }
        if event.budget.period.isRolling { return text(.windowMoved, event) }
        return "\(MoneyText.dollars(event.spent)) of \(MoneyText.dollars(event.limit)) is used now"
    }

    /// Why an alert of before a start or a reload, with this key, does not hold under `budget`.
    ///
    /// - Parameter budget: of the same name; nil when there is none.
    static func resolution(
        ofKey key: String, _ kind: AlertKind, told: AlertBudget, budget: BudgetDefinition?,
        now: Int64
    ) -> String {
        guard let budget else { return "the budget is no longer configured" }
        // budget_threshold/BUDGET/SCOPE/PERIOD/0.9; none of these holds a slash.
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        // What it told of ended with the moment, and did not end its alert.
        let isRolling = parts.count > 3 && parts[3].hasPrefix("rolling-")
        if told.periodEnd <= now / 1_000_000_000, !isRolling { return "the period has ended" }
        switch kind {
        case .budgetDenied:
            return budget.enforcement?.mode == .enforce
                ? "no call was denied since the restart" : denialsOff
        case .budgetForecast: return budget.forecasts ? projectionBack : projectionOff
        case .budgetBurn where !budget.burns: return paceOff
        default: break
        }
        if let threshold = told.threshold,
            !budget.thresholds.contains(where: { $0.text == threshold })
        {
            return removed(threshold)
        }
        return "the budget was changed"
    }

    private static func removed(_ threshold: String) -> String {
        "threshold \(threshold) is no longer configured"
    }

    private static let projectionBack = "the projection is back within the limit"
    private static let paceOff = "alerts about its pace are turned off"
    private static let projectionOff = "alerts about its projection are turned off"
    private static let denialsOff = "the budget denies no calls any more"
}
