internal import Aggregation
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
        let readings = readings
        let rows = Self.rows(readings)
        writeStates(rows, to: &page)
        writeThresholds(readings, rows.labels, to: &page)
        page.begin(
            MetricFamily(
                "costgauge_budget_unwatched_events", .counter,
                "Events of scopes that found no room: their spend is not watched."))
        for (budget, events) in engine.refusedEvents {
            page.sample([("budget", budget)], integer: events)
        }
        writeAdmission(to: &page)
    }

    private func writeStates(_ rows: SampleRows, to page: inout PageWriter) {
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
        _ readings: BudgetReadings, _ labels: LabelText, to page: inout PageWriter
    ) {
        page.begin(
            MetricFamily(
                "costgauge_budget_threshold_crossed", .gauge,
                "1 once this part of the limit is spent."))
        let extras = readings.budgets.map { budget in
            budget.thresholds.map { labelBytes([("threshold", $0.text)]) }
        }
        for (number, row) in readings.rows.enumerated() {
            for (index, extra) in extras[row.budget].enumerated() {
                page.sample(
                    labels[number], extra: extra, integer: Int64(row.crossed >> index & 1))
            }
        }
    }

    private static func rows(_ readings: BudgetReadings) -> SampleRows {
        var values: [Int64] = []
        values.reserveCapacity(readings.rows.count * Slot.allCases.count)
        let shown = readings.budgets.map { $0.period.isRolling ? 0b01_1111 : 0b11_1111 as Int64 }
        for row in readings.rows {
            values.append(row.limit.nanos)
            values.append(row.spent.nanos)
            values.append(row.reserved.nanos)
            values.append(row.utilizationNanos)
            values.append(row.isBurning ? 1 : 0)
            values.append(row.periodEnd)
            values.append(shown[row.budget])
        }
        return SampleRows(
            labels: labels(readings), values: values, width: Slot.allCases.count,
            shown: Slot.shown.rawValue, created: [])
    }

    private static func labels(_ readings: BudgetReadings) -> LabelText {
        var text = LabelText()
        var line: [UInt8] = []
        let openings = readings.budgets.map { budget in
            line.removeAll(keepingCapacity: true)
            line.appendLabel("budget", budget.name)
            return line
        }
        let names = readings.budgets.map { $0.each.map { Array(",\($0.labelName)".utf8) } }
        readings.names.withTable { texts in
            var value: [UInt8] = []
            for row in readings.rows {
                line.removeAll(keepingCapacity: true)
                line += openings[row.budget]
                for (index, name) in names[row.budget].enumerated() where row.values[index] != 0 {
                    value.removeAll(keepingCapacity: true)
                    texts.append(row.values[index], to: &value)
                    line.appendLabel(name, value[...])
                }
                text.append(line)
            }
        }
        return text
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

    /// As many scopes as there is room for, those of the highest utilisation.
    private var readings: BudgetReadings {
        var left = samplesMax
        var readings = engine.readings(countMax: Self.scopesMax)
        let end = readings.rows.firstIndex { row in
            left -= 6 + readings.budgets[row.budget].thresholds.count
            return left < 0
        }
        if let end { readings.rows.removeSubrange(end...) }
        return readings
    }
}
