internal import Alerts
internal import Ledger
internal import Usage
internal import Wire

/// The report for a terminal.
struct ReportText {
    let report: Report
    /// On a terminal whose owner did not set NO_COLOR (https://no-color.org).
    let hasColour: Bool
    /// Rows of a table of spend; nil: all. What is left out is told in one line.
    var rowsMax: Int?

    var text: String {
        var text = "Spend $\(report.total.cost.decimal) in \(report.total.events) calls"
        if report.total.unpricedEvents > 0 {
            text += ", and \(report.total.unpricedEvents) calls without a known price"
        }
        text += "\n" + span
        for section in report.sections { text += "\n" + table(section) }
        if !report.budgets.isEmpty { text += "\n" + budgets }
        if !report.movers.isEmpty { text += "\n" + movers }
        if !report.anomalies.isEmpty { text += "\n" + anomalies }
        return text
    }

    /// From when on and before when, if somebody asked for a part; sums begin on quarter hours.
    private var span: String {
        let words = [("from", report.range.since), ("before", report.range.until)].compactMap {
            word, time in time.map { "\(word) \(RFC3339.text(unixNanos: $0))" }
        }
        return words.isEmpty ? "" : words.joined(separator: ", ") + "\n"
    }

    private func table(_ section: Report.Section) -> String {
        let head = section.dimensions.map { $0.description.uppercased() }
        let shown = section.rows.prefix(rowsMax ?? .max)
        let costs = Self.aligned(shown.map(\.cost.decimal))
        let rows = zip(shown, costs).map { row, cost in
            let isUnpriced = row.unpricedEvents == row.events
            return row.values.map { $0.isEmpty ? "(none)" : $0 } + [
                isUnpriced ? "unpriced" : cost,
                isUnpriced ? "" : share(row.cost, of: report.total.cost), String(row.events),
                String(row.inputTokens), String(row.outputTokens),
            ]
        }
        let table = TextTable(
            head: head + ["COST USD", "SHARE", "CALLS", "INPUT TOKENS", "OUTPUT TOKENS"],
            leftColumns: head.count, rows: rows
        ).text
        let rest = section.rows.dropFirst(shown.count).reduce(NanoUSD.zero) {
            NanoUSD(nanos: $0.nanos + $1.cost.nanos)
        }
        let left = section.rows.count - shown.count
        guard left > 0 else { return table }
        let by = section.dimensions.map(\.description).joined(separator: ",")
        return table + "and \(left) more, $\(rest.decimal) in all; --group-by=\(by) shows them\n"
    }

    /// Exact amounts with their points under each other.
    private static func aligned(_ amounts: [String]) -> [String] {
        func fraction(_ amount: String) -> Int {
            amount.firstIndex(of: ".").map { amount.distance(from: $0, to: amount.endIndex) } ?? 0
        }
        let widest = amounts.map(fraction).max() ?? 0
        return amounts.map { $0 + String(repeating: " ", count: widest - fraction($0)) }
    }

    private func share(_ part: NanoUSD, of total: NanoUSD) -> String {
        guard total > .zero else { return "" }
        let permille = Int(Int128(part.nanos) * 1000 / Int128(total.nanos))
        return "\(permille / 10).\(permille % 10)%"
    }

    private var budgets: String {
        let shown = report.budgets.prefix(Report.budgetsMax)
        let rows = shown.map { budget in
            [
                budget.name, budget.scope.isEmpty ? "(all)" : budget.scope,
                Self.bar(permille: budget.permille), "\(budget.permille / 10)%",
                MoneyText.dollars(budget.spent), MoneyText.dollars(budget.limit),
                budget.forecast.map(MoneyText.rough) ?? "",
                budget.isBreached ? "over" : budget.breachAt.map(Self.day) ?? "",
            ]
        }
        var table = TextTable(
            head: ["BUDGET", "SCOPE", "", "USED", "SPENT", "LIMIT", "FORECAST", "BREACH"],
            leftColumns: 3, rows: rows)
        if hasColour {
            table.colours = shown.map { budget in
                if budget.isBreached { return .red }
                return budget.permille >= 750 || budget.breachAt != nil ? .yellow : nil
            }
        }
        let left = report.budgets.count - shown.count
        return table.text + (left > 0 ? "and \(left) more\n" : "")
    }

    /// Twenty cells; a full bar is the whole limit.
    private static func bar(permille: Int) -> String {
        let full = min(20, max(0, (permille * 20 + 500) / 1000))
        return String(repeating: "█", count: full) + String(repeating: "░", count: 20 - full)
    }

    /// `2026-11-30`, of UTC.
    private static func day(_ seconds: Int64) -> String {
        String(RFC3339.text(unixNanos: seconds * 1_000_000_000).prefix(10))
    }

    private var movers: String {
        let rows = report.movers.map { mover in
            let sign = mover.change > .zero ? "+" : ""
            return [
                mover.value, mover.dimension.description, MoneyText.dollars(mover.before),
                MoneyText.dollars(mover.now), sign + MoneyText.dollars(mover.change),
            ]
        }
        var table = TextTable(
            head: ["MOVED MOST", "", "BEFORE", "NOW", "CHANGE"], leftColumns: 2, rows: rows)
        if hasColour {
            table.colours = report.movers.map { $0.change > .zero ? .yellow : .green }
        }
        return table.text
    }

    private var anomalies: String {
        "ANOMALIES\n"
            + report.anomalies.map { anomaly in
                "\(anomaly.severity): \(TextTable.printable(anomaly.title))\n"
                    + "  \(TextTable.printable(anomaly.summary))\n"
            }.joined()
    }
}

/// Columns padded to their widest cell: text to the left, numbers to the right.
struct TextTable {
    /// As the terminal's own palette shows them (ECMA-48, SGR).
    enum Colour: Int { case red = 31, green, yellow }

    let head: [String]
    let leftColumns: Int
    let rows: [[String]]
    /// One for each row, or none at all.
    var colours: [Colour?] = []

    var text: String {
        let all = [head] + rows.map { $0.map(Self.printable) }
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for (index, row) in all.enumerated() {
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line +=
                    (column > 0 ? "  " : "")
                    + (column < leftColumns ? cell + padding : padding + cell)
            }
            while line.last == " " { line.removeLast() }
            if index > 0, index <= colours.count, let colour = colours[index - 1] {
                line = "\u{1b}[\(colour.rawValue)m\(line)\u{1b}[0m"
            }
            text += line + "\n"
        }
        return text
    }

    /// A name that a client chose cannot move the cursor or break the line.
    static func printable(_ cell: String) -> String {
        String(
            cell.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : Character($0) })
    }
}
