internal import Anomalies
internal import Configuration
internal import Ledger
internal import SQLite
internal import Sidecar
internal import Store
internal import Usage
internal import Wire

extension DetectCommand {
    /// How often it would have been told, and of what, with these settings.
    static func backtest(_ arguments: Arguments) throws -> Int32 {
        guard arguments.operands.isEmpty else {
            throw UsageError(description: "--backtest reads stored history and takes no file")
        }
        var settings = AnomalySettings()
        if let file = arguments["config.file"] {
            do throws(ConfigurationFaults) {
                let text = try ConfigurationSource.contents(of: file)
                settings = try Configuration.read(
                    text, file: file, environment: environmentVariables()
                ).anomalies
            } catch {
                throw UsageError(description: error.description)
            }
        }
        try readPolicy(arguments, &settings.spend)
        if let width = try nanos(arguments, "window") {
            let seconds = width / 1_000_000_000
            guard 3600 % max(1, seconds) == 0,
                (AnomalySettings.windowSecondsMin...AnomalySettings.windowSecondsMax)
                    .contains(seconds)
            else {
                throw UsageError(
                    description: "--window: a backtest takes 1m to 1h, a whole part of an hour")
            }
            settings.windowSeconds = seconds
        }
        if let rule = arguments["rule"] { settings.rules = [try read(rule)] }
        let now = SystemTime().unixNanos
        let age = try nanos(arguments, "since") ?? 7 * 86_400_000_000_000
        let database = try DataDirectory.openForReading(
            path: arguments["storage.path"] ?? "./costgauge-data", schema: .current)
        let names = Names(hash: SeededHash(seed: 0))
        try StoredNames.read(from: database, into: names)
        let newest = try StoredEvents.bounds(in: database)?.upperBound ?? now
        let until = min(now, newest) / 1_000_000_000 / settings.windowSeconds + 1
        let result = try Backtest(
            settings: settings, since: (now - age) / 1_000_000_000,
            until: until * settings.windowSeconds
        ).run(on: database, names: names)
        printOutput(text(result))
        return 0
    }

    private static func text(_ result: Backtest.Result) -> String {
        let told = result.events.filter {
            if case .ended = $0.change { false } else { true }
        }
        let days = Double(max(1, result.until - result.since)) / 86_400
        var text =
            "\(told.count) anomalies would have been told in "
            + "\(FixedText.text(days, decimals: 1)) days, \(result.windows) windows, of "
            + "\(result.series) series; \(result.explained) more were the shadow of these\n"
        if result.isCoarse {
            text += "read from quarter hours: the calls of the time are deleted already\n"
        }
        if result.warmupSeconds > 0 {
            text +=
                "still warming up: \(DurationText.text(result.warmupSeconds * 1_000_000_000)) of "
                + "history are missing before anything is told\n"
        }
        guard !told.isEmpty else { return text }
        let rows = told.map { event in
            let anomaly = event.anomaly
            return [
                RFC3339.text(unixNanos: anomaly.startsAt * 1_000_000_000),
                anomaly.kind.description, anomaly.grade.word, anomaly.summary,
            ]
        }
        return text + "\n"
            + TextTable(head: ["WINDOW", "KIND", "SEVERITY", "WHY"], leftColumns: 4, rows: rows)
            .text
    }
}
