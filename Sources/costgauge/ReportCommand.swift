internal import Glibc
internal import Ledger
internal import SQLite
internal import Usage

enum ReportCommand: Command {
    static let name = "report"
    static let summary =
        "prints spend, budgets and what changed; exit code 3 when a budget is used up"
    static let flags =
        QueryFlags.flags + [
            Flag("url", "URL", "ask a running costgauge instead of a data directory"),
            ServerToken.flag,
            Flag(
                "group-by", "DIMENSIONS",
                "one table, grouped by these, such as tenant,model (default: three tables)"),
            Flag(switch: "json", "one JSON object instead of tables"),
            Flag(switch: "csv", "the tables of spend as CSV"),
        ]

    /// Of each of the three tables that nobody asked for by name.
    private static let rowsMax = 20

    static func run(_ arguments: Arguments) throws -> Int32 {
        let now = SystemTime().unixNanos
        let flags = try QueryFlags(arguments, now: now)
        let groupings = try groupings(arguments)
        if arguments.isSet("json"), arguments.isSet("csv") {
            throw UsageError(description: "--json and --csv: keep one")
        }
        if arguments["url"] != nil, arguments["storage.path"] != nil {
            throw UsageError(description: "--url and --storage.path: keep one")
        }
        let report: Report
        if let url = arguments["url"] {
            report = try RunningServer.with(url, arguments) { server in
                try Report(
                    ServerReport(server: server), groupings: groupings, flags: flags, now: now)
            }
        } else {
            let database = try flags.open()
            // One transaction, so that all tables speak of the same events.
            try database.execute("begin")
            report = try Report(
                StoredReport(database: database, time: SystemTime()), groupings: groupings,
                flags: flags, now: now)
        }
        if arguments.isSet("json") {
            printOutput(report.json)
        } else if arguments.isSet("csv") {
            printOutput(report.csv)
        } else {
            let isPlain = !(environmentVariables()["NO_COLOR"] ?? "").isEmpty
            printOutput(
                ReportText(
                    report: report, hasColour: isatty(STDOUT_FILENO) == 1 && !isPlain,
                    rowsMax: arguments["group-by"] == nil ? rowsMax : nil
                ).text)
        }
        return report.status
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
}
