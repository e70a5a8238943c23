public import Budgets
public import Usage
internal import Wire

/// What a call with given dimensions touches: the budgets, how each stands, and whom their alerts
/// would reach.
public struct Explanation {
    private let values: [(dimension: Dimension, value: String)]
    private let budgets: [BudgetExplanation]
    private let pauses: [ScopePause]
    private let status: (BudgetExplanation) -> BudgetStatus?
    private let receivers: (Alert) -> [String]

    /// - Parameters:
    ///   - pauses: all that are in force.
    ///   - status: how a scope stands; nil when that is not known or it never spent.
    ///   - receivers: whom an alert would reach.
    public init(
        _ values: [(dimension: Dimension, value: String)], definitions: [BudgetDefinition],
        pauses: [ScopePause], status: @escaping (BudgetExplanation) -> BudgetStatus?,
        receivers: @escaping (Alert) -> [String]
    ) {
        self.values = values
        let known = Dictionary(values.map { ($0.dimension, $0.value) }) { $1 }
        budgets = definitions.map { BudgetExplanation($0, values: known) }
        self.pauses = pauses.filter { known[$0.dimension] == $0.value }
        self.status = status
        self.receivers = receivers
    }

    public var json: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append("{\"dimensions\":" as StaticString)
        Self.append(values, to: &bytes)
        bytes.append(",\"paused\":[" as StaticString)
        for (index, pause) in pauses.enumerated() {
            bytes.append(index > 0 ? "," : "")
            bytes.append("{\"dimension\":" as StaticString)
            bytes.appendJSONString(pause.dimension.description)
            bytes.append(",\"value\":" as StaticString)
            bytes.appendJSONString(pause.value)
            bytes.append(",\"reason\":" as StaticString)
            bytes.appendJSONString(pause.reason)
            bytes.append("}" as StaticString)
        }
        bytes.append("],\"budgets\":[" as StaticString)
        for (index, budget) in budgets.enumerated() {
            bytes.append(index > 0 ? "," : "")
            append(budget, to: &bytes)
        }
        bytes.append("]}" as StaticString)
        return bytes
    }

    private func append(_ entry: BudgetExplanation, to bytes: inout [UInt8]) {
        bytes.append("{\"name\":" as StaticString)
        bytes.appendJSONString(entry.budget.name)
        bytes.append(",\"counts\":\(entry.obstacles.isEmpty),\"why_not\":[")
        for (index, obstacle) in entry.obstacles.enumerated() {
            bytes.append(index > 0 ? "," : "")
            bytes.appendJSONString(obstacle)
        }
        bytes.append("]" as StaticString)
        if entry.obstacles.isEmpty { appendScope(entry, to: &bytes) }
        bytes.append("}" as StaticString)
    }

    private func appendScope(_ entry: BudgetExplanation, to bytes: inout [UInt8]) {
        let status = status(entry)
        let limit = status?.limit ?? entry.limit
        bytes.append(",\"scope\":" as StaticString)
        Self.append(entry.scope, to: &bytes)
        bytes.append(",\"limit_usd\":\"\(limit.decimal)\"")
        if let override = entry.override { bytes.append(",\"override\":\(override)") }
        if let status {
            bytes.append(",\"spent_usd\":\"\(status.spent.decimal)\"")
            bytes.append(",\"reserved_usd\":\"\(status.reserved.decimal)\",\"utilization\":")
            FixedPoint.append(status.utilizationNanos / 1_000_000, scale: 3, to: &bytes)
            let end = RFC3339.text(unixNanos: status.period.end * 1_000_000_000)
            bytes.append(",\"period_end\":\"\(end)\",\"burning\":\(status.isBurning)")
        }
        let mode = entry.budget.enforcement?.mode.rawValue
        bytes.append(",\"enforce\":\(mode.map { "\"\($0)\"" } ?? "null"),\"alerts\":[")
        for (index, alert) in alerts(of: entry, limit).enumerated() {
            bytes.append(index > 0 ? "," : "")
            bytes.append("{\"kind\":\"\(alert.kind.rawValue)\"")
            if let at = alert.budget?.threshold { bytes.append(",\"threshold\":\(at)") }
            bytes.append(",\"severity\":\"\(alert.severity.word)\",\"receivers\":[")
            for (place, receiver) in receivers(alert).enumerated() {
                bytes.append(place > 0 ? "," : "")
                bytes.appendJSONString(receiver)
            }
            bytes.append("]}" as StaticString)
        }
        bytes.append("]" as StaticString)
    }

    /// One of each that the budget can raise, as routes would see it.
    private func alerts(of entry: BudgetExplanation, _ limit: NanoUSD) -> [Alert] {
        func alert(_ kind: AlertKind, _ severity: Severity, _ threshold: String? = nil) -> Alert {
            Alert(
                id: "", dedupKey: "", kind: kind, severity: severity, title: "", summary: "",
                startsAt: 0,
                budget: AlertBudget(
                    name: entry.budget.name,
                    scope: entry.scope.map {
                        AlertBudget.Entry(dimension: $0.dimension.description, value: $0.value)
                    },
                    periodStart: 0, periodEnd: 0, limit: limit, spent: .zero, threshold: threshold))
        }
        var alerts = entry.budget.thresholds.map {
            alert(.budgetThreshold, $0.severity, $0.text)
        }
        if entry.budget.burns { alerts.append(alert(.budgetBurn, .critical)) }
        if entry.budget.forecasts { alerts.append(alert(.budgetForecast, .warning)) }
        if let enforcement = entry.budget.enforcement, enforcement.mode == .enforce {
            alerts.append(alert(.budgetDenied, .warning))
            if enforcement.pausesAutomatically { alerts.append(alert(.budgetPaused, .critical)) }
        }
        return alerts
    }

    private static func append(
        _ values: [(dimension: Dimension, value: String)], to bytes: inout [UInt8]
    ) {
        bytes.append("{" as StaticString)
        for (index, entry) in values.enumerated() {
            bytes.append(index > 0 ? "," : "")
            bytes.appendJSONString(entry.dimension.description)
            bytes.append(":" as StaticString)
            bytes.appendJSONString(entry.value)
        }
        bytes.append("}" as StaticString)
    }
}
