internal import Anomalies
internal import Configuration
internal import Glibc
internal import Wire

enum DetectCommand: Command {
    static let name = "detect"
    static let summary =
        "runs an anomaly detector over a CSV file, or over stored history with --backtest"
    static let operands = "FILE.csv"
    static let operandsMax = 1
    static let flags = [
        Flag("window", "DURATION", "width of a row of spend (default: the rows' own distance)"),
        Flag("min-usd", "DOLLARS", "spend within a day under which nothing is told (default 3)"),
        Flag("min-events", "N", "events within a day under which nothing is told (default 10)"),
        Flag("warmup", "DURATION", "history before the first verdict on spend (default 7d)"),
        Flag("cooldown", "DURATION", "between two verdicts of the same rank (default 24h)"),
        Flag(switch: "drops", "tells spend that stopped, too (default; --no-drops does not)"),
        Flag("rule", "RULE", "a simple rule instead: ratio:2:7d or sigma:3:7d"),
        Flag(switch: "anomalies-only", "prints only the rows that are anomalies"),
        Flag(switch: "backtest", "what would have been told of stored history, instead of a file"),
        Flag("since", "TIME", "begin of the backtest, such as 14d (default 7d)"),
        Flag("storage.path", "DIR", "data directory of the backtest (default ./costgauge-data)"),
        Flag("config.file", "FILE", "configuration whose anomalies section the backtest tries"),
    ]

    static func run(_ arguments: Arguments) throws -> Int32 {
        if arguments.isSet("backtest") { return try backtest(arguments) }
        for flag in ["since", "storage.path", "config.file"] where arguments[flag] != nil {
            throw UsageError(description: "--\(flag) is for --backtest")
        }
        guard let file = arguments.operands.first else {
            throw UsageError(description: "name the file: costgauge detect FILE.csv")
        }
        var detect = DetectCSV()
        if let width = try nanos(arguments, "window") {
            detect.bucketSeconds = max(1, width / 1_000_000_000)
        }
        try readPolicy(arguments, &detect.policy)
        if let rule = arguments["rule"] { detect.rules = [try read(rule)] }
        detect.writesAnomaliesOnly = arguments.isSet("anomalies-only")
        let text = try contents(of: file)
        do throws(DetectFault) {
            signal(SIGPIPE, SIG_IGN)
            write(try detect.run(text), to: STDOUT_FILENO)
            return 0
        } catch {
            throw UsageError(description: "\(file): \(error)")
        }
    }

    private static let bytesMax = 256 << 20

    private static func contents(of file: String) throws(UsageError) -> [UInt8] {
        do throws(FileError) {
            return try readFile(file == "-" ? "/dev/stdin" : file, bytesMax: bytesMax)
        } catch {
            throw UsageError(description: "\(file): cannot read it: \(error.cause)")
        }
    }

    static func readPolicy(
        _ arguments: Arguments, _ policy: inout SpendPolicy
    ) throws(UsageError) {
        policy.minDollars = try number(arguments, "min-usd", default: policy.minDollars)
        policy.minEvents = try number(arguments, "min-events", default: policy.minEvents)
        if let warmup = try nanos(arguments, "warmup") {
            policy.warmupDays = Double(warmup) / 86_400e9
        }
        if let cooldown = try nanos(arguments, "cooldown") {
            policy.cooldownSeconds = Double(cooldown) / 1e9
        }
        if arguments["drops"] == "false" { policy.watchesDrops = false }
    }

    private static func number(
        _ arguments: Arguments, _ name: String, default fallback: Double
    ) throws(UsageError) -> Double {
        guard let text = arguments[name] else { return fallback }
        guard let number = Double(text), number.isFinite, number >= 0 else {
            throw UsageError(description: "--\(name): \"\(text)\" is not a number from 0 on")
        }
        return number
    }

    static func nanos(
        _ arguments: Arguments, _ name: String
    ) throws(UsageError) -> Int64? {
        guard let text = arguments[name] else { return nil }
        guard let nanos = DurationText.nanos(text) else {
            throw UsageError(
                description: "--\(name): \"\(text)\" is not a duration such as 5m, 24h or 7d")
        }
        return nanos
    }

    /// `ratio:2:7d`.
    static func read(_ text: String) throws(UsageError) -> SpendRule {
        let parts = text.split(separator: ":").map(String.init)
        let day: Int64 = 86_400_000_000_000
        guard (2...3).contains(parts.count), let kind = SpendRule.Kind(rawValue: parts[0]),
            let over = Double(parts[1]), over.isFinite, over > 0,
            let baseline = parts.count > 2 ? DurationText.nanos(parts[2]) : 7 * day,
            baseline % day == 0, (1...Int64(SpendRule.daysMax)).contains(baseline / day)
        else {
            throw UsageError(
                description: "--rule: \"\(text)\" is no rule; write ratio:2:7d or sigma:3:7d, with "
                    + "a baseline of 1d to \(SpendRule.daysMax)d")
        }
        return SpendRule(kind: kind, over: over, baselineDays: Int(baseline / day))
    }
}
