internal import Budgets
internal import Usage
internal import Wire

/// The state of budgets. Gauges: those of a removed budget disappear.
struct BudgetPage {
    let engine: BudgetEngine
    /// Samples that may be written; scopes of low utilisation are left out first.
    let samplesMax: Int

    /// However much room there is.
    static let scopesMax = 1000

    /// The values of a row; the last one tells what is shown.
    private enum Slot: Int, CaseIterable {
        case limit, spent, reserved, utilization, burning, periodEnd, shown

        func column(isAmount: Bool) -> SampleColumn {
            SampleColumn(values: 1 << Int64(rawValue), extra: [], isAmount: isAmount)
        }
    }

    func write(to page: inout PageWriter) {
        let statuses = statuses()
        let rows = Self.rows(statuses)
        writeStatuses(rows, to: &page)
        writeThresholds(statuses, rows.labels, to: &page)
        page.begin(
            MetricFamily(
                "costgauge_budget_unwatched_events", .counter,
                "Events of scopes that found no room: their spend is not watched."))
        for (budget, events) in engine.refusedEvents {
            page.sample([("budget", budget)], integer: events)
        }
        writeAdmission(to: &page)
    }

    private func writeStatuses(_ rows: SampleRows, to page: inout PageWriter) {
        func gauge(
            _ slot: Slot, _ name: String, _ help: String, unit: String = "", isAmount: Bool = false
        ) {
            page.begin(MetricFamily(name, .gauge, unit: unit, help))
            page.samples(rows, [slot.column(isAmount: isAmount)])
        }
        gauge(
            .limit, "costgauge_budget_limit_usd", "The limit of the present period in US dollars.",
            unit: "usd", isAmount: true)
        gauge(
            .spent, "costgauge_budget_spent_usd",
            "What was spent in the present period in US dollars.", unit: "usd", isAmount: true)
        gauge(
            .reserved, "costgauge_budget_reserved_usd",
            "What calls under way may still spend, in US dollars.", unit: "usd", isAmount: true)
        // A ratio counts in thousand-millionths, as amounts do.
        gauge(
            .utilization, "costgauge_budget_utilization_ratio",
            "Spent by limit; 1 is the whole budget.", unit: "ratio", isAmount: true)
        gauge(
            .burning, "costgauge_budget_burning",
            "1 while the pace would use up the rest long before the period ends.")
        gauge(
            .periodEnd, "costgauge_budget_period_end_timestamp_seconds",
            "When the present period ends; rolling budgets have no end.", unit: "seconds")
    }

    private func writeThresholds(
        _ statuses: [BudgetStatus], _ labels: LabelText, to page: inout PageWriter
    ) {
        page.begin(
            MetricFamily(
                "costgauge_budget_threshold_crossed", .gauge,
                "1 once this part of the limit is spent."))
        var thresholds: [Int64: [UInt8]] = [:]
        for (row, status) in statuses.enumerated() {
            for (threshold, isCrossed) in zip(status.budget.thresholds, status.crossed) {
                let extra =
                    thresholds[threshold.ratioNanos] ?? labelBytes([("threshold", threshold.text)])
                thresholds[threshold.ratioNanos] = extra
                page.sample(labels[row], extra: extra) {
                    $0.append(isCrossed ? UInt8(ascii: "1") : UInt8(ascii: "0"))
                }
            }
        }
    }

    private static func rows(_ statuses: [BudgetStatus]) -> SampleRows {
        var text = LabelText()
        var values: [Int64] = []
        values.reserveCapacity(statuses.count * Slot.allCases.count)
        var line: [UInt8] = []
        for status in statuses {
            line.removeAll(keepingCapacity: true)
            line.appendLabel("budget", status.budget.name)
            for (dimension, value) in status.scope where !value.isEmpty {
                line.append(UInt8(ascii: ","))
                line.appendLabel(dimension.labelName, value)
            }
            text.append(line)
            let shown: Int64 = status.budget.period.isRolling ? 0b01_1111 : 0b11_1111
            values += [
                status.limit.nanos, status.spent.nanos, status.reserved.nanos,
                status.utilizationNanos, status.isBurning ? 1 : 0, status.period.end, shown,
            ]
        }
        return SampleRows(
            labels: text, values: values, width: Slot.allCases.count, shown: Slot.shown.rawValue,
            created: [])
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
}
