internal import Ledger
internal import Usage
internal import Wire

// The report for programs.
extension Report {
    /// One object and a line break.
    var json: String {
        var bytes: [UInt8] = []
        bytes.append("{\"total\":" as StaticString)
        Self.append(total, [], to: &bytes)
        for (key, time) in [("since", range.since), ("until", range.until)] {
            guard let time else { continue }
            bytes.append(",\"\(key)\":\"\(RFC3339.text(unixNanos: time))\"")
        }
        for section in sections {
            bytes.append(",\"by_" as StaticString)
            bytes.append(section.dimensions.map(\.description).joined(separator: "_"))
            bytes.append("\":" as StaticString)
            Self.list(section.rows, to: &bytes) { Self.append($0, section.dimensions, to: &$1) }
        }
        bytes.append(",\"budgets\":" as StaticString)
        Self.list(budgets, to: &bytes) { budget, bytes in
            var members = [
                ("name", budget.name), ("scope", budget.scope),
                ("limit_usd", budget.limit.decimal), ("spent_usd", budget.spent.decimal),
                ("period_end", RFC3339.text(unixNanos: budget.periodEnd * 1_000_000_000)),
            ]
            if let forecast = budget.forecast { members.append(("forecast_usd", forecast.decimal)) }
            if let at = budget.breachAt {
                members.append(("breach_at", RFC3339.text(unixNanos: at * 1_000_000_000)))
            }
            Self.append(members, to: &bytes)
            bytes.append(",\"breached\":\(budget.isBreached)}")
        }
        bytes.append(",\"movers\":" as StaticString)
        Self.list(movers, to: &bytes) { mover, bytes in
            Self.append(
                [
                    ("dimension", mover.dimension.description), ("value", mover.value),
                    ("before_usd", mover.before.decimal), ("now_usd", mover.now.decimal),
                ], to: &bytes)
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(",\"anomalies\":" as StaticString)
        Self.list(anomalies, to: &bytes) { anomaly, bytes in
            Self.append(
                [
                    ("severity", anomaly.severity), ("title", anomaly.title),
                    ("summary", anomaly.summary),
                ], to: &bytes)
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append("}\n" as StaticString)
        return bytes.text
    }

    /// An object that is still open.
    private static func append(_ members: [(String, String)], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, member) in members.enumerated() {
            bytes.append("\(index > 0 ? "," : "")\"\(member.0)\":")
            bytes.appendJSONString(member.1)
        }
    }

    private static func list<Item>(
        _ items: [Item], to bytes: inout [UInt8], _ append: (Item, inout [UInt8]) -> Void
    ) {
        bytes.append(UInt8(ascii: "["))
        for (index, item) in items.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            append(item, &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private static func append(
        _ row: SpendQuery.Row, _ dimensions: [Dimension], to bytes: inout [UInt8]
    ) {
        append(
            zip(dimensions, row.values).map { ($0.description, $1) }
                + [("cost_usd", row.cost.decimal)], to: &bytes)
        for (name, count) in [
            ("calls", row.events), ("unpriced_calls", row.unpricedEvents),
            ("input_tokens", row.inputTokens), ("output_tokens", row.outputTokens),
        ] {
            bytes.append(",\"\(name)\":")
            bytes.appendDecimal(count)
        }
        bytes.append("}" as StaticString)
    }

    /// RFC 4180 with a head. One grouping has a column for each dimension; several are told apart
    /// by the columns `by` and `value`.
    var csv: String {
        let isOne = sections.count == 1
        let names =
            isOne ? sections.flatMap(\.dimensions).map(\.description) : ["by", "value"]
        var lines = [
            names + ["cost_usd", "calls", "unpriced_calls", "input_tokens", "output_tokens"]
        ]
        for section in sections {
            for row in section.rows {
                let by = section.dimensions.map(\.description)
                lines.append(
                    (isOne ? [] : by) + row.values.map(Self.harmless) + [
                        row.cost.decimal, String(row.events), String(row.unpricedEvents),
                        String(row.inputTokens), String(row.outputTokens),
                    ])
            }
        }
        return lines.map { $0.map(Self.cell).joined(separator: ",") + "\r\n" }.joined()
    }

    /// Spreadsheets take a cell that begins like this for a formula, and clients choose names
    /// (https://owasp.org/www-community/attacks/CSV_Injection): with a quote before it is text.
    private static func harmless(_ name: String) -> String {
        guard let first = name.unicodeScalars.first, "=+-@\t\r\n".unicodeScalars.contains(first)
        else { return name }
        return "'" + name
    }

    private static func cell(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x22 && $0 != 0x2c }
        if isPlain { return text }
        return "\""
            + text.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }
}
