internal import Budgets
internal import Usage

/// The state of budgets. Gauges: those of a removed budget disappear.
struct BudgetPage {
    let engine: BudgetEngine
    /// Samples that may be written; scopes of low utilisation are left out first.
    let samplesMax: Int

    /// However much room there is.
    static let scopesMax = 1000

    func write(to page: inout PageWriter) {
        let statuses = statuses()
        let labels = statuses.map(Self.labels)
        func gauge(
            _ name: String, _ help: String, unit: String = "", scale: Int,
            _ value: (BudgetStatus) -> Int64
        ) {
            page.begin(MetricFamily(name, .gauge, unit: unit, help))
            for (status, labels) in zip(statuses, labels) {
                page.sample(labels, value(status), scale: scale)
            }
        }
        gauge(
            "costgauge_budget_limit_usd", "The limit of the present period in US dollars.",
            unit: "usd", scale: NanoUSD.scale
        ) { $0.limit.nanos }
        gauge(
            "costgauge_budget_spent_usd", "What was spent in the present period in US dollars.",
            unit: "usd", scale: NanoUSD.scale
        ) { $0.spent.nanos }
        gauge(
            "costgauge_budget_reserved_usd",
            "What calls under way may still spend, in US dollars.", unit: "usd",
            scale: NanoUSD.scale
        ) { $0.reserved.nanos }
        gauge(
            "costgauge_budget_utilization_ratio", "Spent by limit; 1 is the whole budget.",
            unit: "ratio", scale: 9
        ) { $0.utilizationNanos }
        gauge(
            "costgauge_budget_burning",
            "1 while the pace would use up the rest long before the period ends.", scale: 0
        ) { $0.isBurning ? 1 : 0 }
        page.begin(
            MetricFamily(
                "costgauge_budget_period_end_timestamp_seconds", .gauge, unit: "seconds",
                "When the present period ends; rolling budgets have no end."))
        for (status, labels) in zip(statuses, labels) where !status.budget.period.isRolling {
            page.sample(labels, integer: status.period.end)
        }
        page.begin(
            MetricFamily(
                "costgauge_budget_threshold_crossed", .gauge,
                "1 once this part of the limit is spent."))
        for (status, labels) in zip(statuses, labels) {
            for (threshold, isCrossed) in zip(status.budget.thresholds, status.crossed) {
                page.sample(labels + [("threshold", threshold.text)], integer: isCrossed ? 1 : 0)
            }
        }
        page.begin(
            MetricFamily(
                "costgauge_budget_unwatched_events", .counter,
                "Events of scopes that found no room: their spend is not watched."))
        for (budget, events) in engine.refusedEvents {
            page.sample([("budget", budget)], integer: events)
        }
        writeAdmission(to: &page)
    }

    private func writeAdmission(to page: inout PageWriter) {
        page.begin(
            MetricFamily(
                "costgauge_admission_decisions", .counter,
                "What calls that asked first were told, by each budget that watches them."))
        for entry in engine.admissionCounts {
            page.sample(
                [("budget", entry.budget), ("decision", entry.decision)],
                integer: Int64(entry.count))
        }
        page.begin(
            MetricFamily(
                "costgauge_scope_paused", .gauge, "1 while calls of this value are denied."))
        for pause in engine.pauses where pause.dimension.isLabel {
            page.sample(
                [("dimension", pause.dimension.description), ("value", pause.value)], integer: 1)
        }
    }

    private func statuses() -> [BudgetStatus] {
        var left = samplesMax
        return engine.statuses(countMax: Self.scopesMax) { budget in
            budget.each.allSatisfy(\.isLabel)
        }.prefix { status in
            left -= 6 + status.crossed.count
            return left >= 0
        }
    }

    private static func labels(_ status: BudgetStatus) -> [(String, String)] {
        [("budget", status.budget.name)]
            + status.scope.map { ($0.dimension.labelName, $0.value) }
    }
}
