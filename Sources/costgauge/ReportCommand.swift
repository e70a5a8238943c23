internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

enum ReportCommand: Command {
    static let name = "report"
    static let summary = "prints spend by tenant, feature and model from a data directory"
    static let flags =
        QueryFlags.flags + [
            Flag(
                "group-by", "DIMENSIONS",
                "one table, grouped by these, such as tenant,model (default: three tables)"),
            Flag(switch: "json", "one JSON object instead of tables"),
        ]

    private struct Section {
        let dimensions: [Dimension]
        let rows: [SpendQuery.Row]
    }

    static func run(_ arguments: Arguments) throws -> Int32 {
        let flags = try QueryFlags(arguments, now: SystemTime().unixNanos)
        let groupings = try groupings(arguments)
        let database = try flags.open()
        // One transaction, so that all tables speak of the same events.
        try database.execute("begin")
        func rows(_ dimensions: [Dimension]) throws(SQLiteError) -> [SpendQuery.Row] {
            try SpendQuery(
                groupBy: dimensions, since: flags.since, until: flags.until, filters: flags.filters
            ).run(on: database)
        }
        let total = try rows([]).first ?? SpendQuery.Row(values: [])
        var sections: [Section] = []
        for dimensions in groupings {
            sections.append(Section(dimensions: dimensions, rows: try rows(dimensions)))
        }
        printOutput(
            arguments.isSet("json") ? json(total, sections) : text(total, sections))
        return 0
    }

    private static func groupings(_ arguments: Arguments) throws(UsageError) -> [[Dimension]] {
        guard let text = arguments["group-by"] else { return [[.tenant], [.feature], [.model]] }
        var dimensions: [Dimension] = []
        for name in text.split(separator: ",") {
            guard let dimension = Dimension(String(name)),
                SpendQuery.groupable.contains(dimension), !dimensions.contains(dimension)
            else {
                throw UsageError(
                    description: "--group-by: \"\(name)\" cannot be grouped by; there are "
                        + SpendQuery.groupable.map(\.description).joined(separator: ", "))
            }
            dimensions.append(dimension)
        }
        guard (1...3).contains(dimensions.count) else {
            throw UsageError(description: "--group-by takes one to three dimensions")
        }
        return [dimensions]
    }

    private static func text(_ total: SpendQuery.Row, _ sections: [Section]) -> String {
        var text = "Spend $\(total.cost.decimal) in \(total.events) calls"
        if total.unpricedEvents > 0 {
            text += ", and \(total.unpricedEvents) calls without a known price"
        }
        text += "\n"
        for section in sections {
            let head = section.dimensions.map { $0.description.uppercased() }
            let rows = section.rows.map { row in
                row.values.map { $0.isEmpty ? "(none)" : $0 } + [
                    row.unpricedEvents == row.events ? "unpriced" : row.cost.decimal,
                    row.unpricedEvents == row.events ? "" : share(row.cost, of: total.cost),
                    String(row.events),
                    String(row.inputTokens), String(row.outputTokens),
                ]
            }
            text += "\n"
            text +=
                TextTable(
                    head: head + ["COST USD", "SHARE", "CALLS", "INPUT TOKENS", "OUTPUT TOKENS"],
                    leftColumns: head.count, rows: rows
                ).text
        }
        return text
    }

    private static func share(_ part: NanoUSD, of total: NanoUSD) -> String {
        guard total > .zero else { return "" }
        let permille = Int(Int128(part.nanos) * 1000 / Int128(total.nanos))
        return "\(permille / 10).\(permille % 10)%"
    }

    private static func json(_ total: SpendQuery.Row, _ sections: [Section]) -> String {
        var bytes: [UInt8] = []
        bytes.append("{\"total\":" as StaticString)
        append(total, [], to: &bytes)
        for section in sections {
            bytes.append(",\"by_" as StaticString)
            bytes.append(section.dimensions.map(\.description).joined(separator: "_"))
            bytes.append("\":[" as StaticString)
            for (index, row) in section.rows.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(row, section.dimensions, to: &bytes)
            }
            bytes.append("]" as StaticString)
        }
        bytes.append("}\n" as StaticString)
        return bytes.text
    }

    private static func append(
        _ row: SpendQuery.Row, _ dimensions: [Dimension], to bytes: inout [UInt8]
    ) {
        bytes.append("{" as StaticString)
        for (dimension, value) in zip(dimensions, row.values) {
            bytes.appendJSONString(dimension.description)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(value)
            bytes.append(UInt8(ascii: ","))
        }
        bytes.append("\"cost_usd\":" as StaticString)
        bytes.appendJSONString(row.cost.decimal)
        for (name, count) in [
            ("calls", row.events), ("unpriced_calls", row.unpricedEvents),
            ("input_tokens", row.inputTokens), ("output_tokens", row.outputTokens),
        ] {
            bytes.append(",\"\(name)\":")
            bytes.appendDecimal(count)
        }
        bytes.append("}" as StaticString)
    }
}

/// Columns padded to their widest cell: text to the left, numbers to the right.
struct TextTable {
    let head: [String]
    let leftColumns: Int
    let rows: [[String]]

    var text: String {
        let all = [head] + rows.map { $0.map(Self.printable) }
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for row in all {
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line +=
                    (column > 0 ? "  " : "")
                    + (column < leftColumns ? cell + padding : padding + cell)
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }

    /// A name that a client chose cannot move the cursor or break the line.
    private static func printable(_ cell: String) -> String {
        String(
            cell.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : Character($0) })
    }
}
