internal import Alerts
internal import Budgets
internal import Configuration
internal import HTTPClient
internal import JSON
internal import Sidecar
internal import Synchronization
internal import Threading
internal import Usage
internal import Wire

enum ExplainCommand: Command {
    static let name = "explain"
    static let summary =
        "tells which budgets and receivers a call touches, and why it misses others"
    static let operands = "DIMENSION=VALUE..."
    static let operandsMax = 32
    static let flags = [
        Flag("config.file", "FILE", "configuration in YAML (default: built-in defaults)"),
        Flag("url", "URL", "asks this running costgauge, such as http://127.0.0.1:10838"),
        ServerToken.flag,
        Flag(switch: "json", "prints JSON"),
    ]

    static func run(_ arguments: Arguments) throws -> Int32 {
        let values = try arguments.operands.map { operand in try value(operand) }
        for (index, entry) in values.enumerated()
        where values[..<index].contains(where: { $0.dimension == entry.dimension }) {
            throw UsageError(description: "\(entry.dimension) stands twice; keep one")
        }
        let json =
            try arguments["url"].map {
                try ask($0, values, headers: ServerToken.headers(arguments))
            }
            ?? byConfiguration(values, file: arguments["config.file"])
        if arguments.isSet("json") {
            write(json + [0x0a], to: 1)
        } else {
            printOutput(ExplanationText.text(try JSONValue.read(json)))
        }
        return 0
    }

    private static func value(
        _ operand: String
    ) throws(UsageError) -> (dimension: Dimension, value: String) {
        let parts = operand.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let dimension = Dimension(String(parts[0])), !parts[1].isEmpty
        else {
            throw UsageError(
                description:
                    "\"\(operand)\" is not DIMENSION=VALUE, such as tenant=acme; there are "
                    + Dimension.fixed.map(\.description).joined(separator: ", ") + " and tags.NAME")
        }
        return (dimension, String(parts[1]))
    }

    private static func byConfiguration(
        _ values: [(dimension: Dimension, value: String)], file: String?
    ) throws -> [UInt8] {
        let text = try file.map { path throws(ConfigurationFaults) in
            try ConfigurationSource.contents(of: path)
        }
        let configuration = try Configuration.read(
            text ?? [], file: file ?? "defaults", environment: environmentVariables(),
            secretFiles: .system)
        var values = values
        let tenant = configuration.defaultTenant
        if !values.contains(where: { $0.dimension == .tenant }), !tenant.isEmpty {
            values.insert((.tenant, tenant), at: 0)
        }
        let router = configuration.alerts.router
        return Explanation(
            values, definitions: configuration.budgets, pauses: [], status: { _ in nil },
            receivers: { router.receivers(for: $0).map(\.name) }
        ).json
    }

    private static func ask(
        _ url: String, _ values: [(dimension: Dimension, value: String)],
        headers: [(name: String, value: String)]
    ) throws -> [UInt8] {
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        let query = values.map { entry in
            "\(PercentEncoding.encode(entry.dimension.description))=\(PercentEncoding.encode(entry.value))"
        }
        var request = HTTPClientRequest(
            url: base + "/v1/explain?" + query.joined(separator: "&"), method: "GET",
            headers: headers + [(name: "Accept", value: "application/json")], body: [],
            totalMillis: 60_000)
        request.connectMillis = 5000
        request.responseBytesMax = 16 << 20
        let client = HTTPClient(userAgent: "costgauge/\(Version.number)")
        client.start()
        defer { client.stop() }
        let done = WakeSignal()
        let result = Mutex<HTTPClientOutcome>(.failure(.stopped))
        client.send(request) { outcome in
            result.withLock { $0 = outcome }
            done.notify()
        }
        done.wait()
        switch result.withLock({ $0 }) {
        case .failure(let failure):
            throw UsageError(description: "--url: \(base) cannot be asked: \(failure.description)")
        case .success(let answer):
            guard answer.status == 200 else {
                let text = String(decoding: answer.body.prefix(500), as: UTF8.self)
                throw UsageError(description: "--url: \(base) answered \(answer.status): \(text)")
            }
            return answer.body
        }
    }
}

/// An explanation for people.
enum ExplanationText {
    static func text(_ json: JSONValue) -> String {
        func words(_ value: JSONValue?) -> String {
            (value?.members ?? []).map { "\($0.key)=\($0.value.string ?? "")" }
                .joined(separator: " ")
        }
        let budgets = json["budgets"]?.array ?? []
        var text = "a call with \(words(json["dimensions"]))\n"
        for pause in json["paused"]?.array ?? [] {
            text += "  is denied: \(pause["dimension"]?.string ?? "") "
            text += "\(pause["value"]?.string ?? "") is paused"
            let reason = pause["reason"]?.string ?? ""
            text += reason.isEmpty ? "\n" : " (\(reason))\n"
        }
        for budget in budgets where budget["counts"]?.boolean == true {
            let scope = words(budget["scope"])
            text += "counts against \(name(budget))\(scope.isEmpty ? "" : ", \(scope)")\n"
            text += "  \(standing(budget))\n"
            for alert in budget["alerts"]?.array ?? [] { text += line(alert) }
        }
        for budget in budgets where budget["counts"]?.boolean != true {
            let reasons = (budget["why_not"]?.array ?? []).compactMap(\.string)
            text += "not against \(name(budget)): \(reasons.joined(separator: "; "))\n"
        }
        if budgets.isEmpty { text += "there are no budgets\n" }
        return text
    }

    private static func name(_ budget: JSONValue) -> String { budget["name"]?.string ?? "" }

    private static func standing(_ budget: JSONValue) -> String {
        let limit = "$\(budget["limit_usd"]?.string ?? "")"
        let isOverride = budget["override"] != nil ? " (by an override)" : ""
        var text = "limit \(limit)\(isOverride)"
        if let spent = budget["spent_usd"]?.string {
            text = "$\(spent) of \(limit)\(isOverride) is used until "
            text += budget["period_end"]?.string ?? ""
        }
        switch budget["enforce"]?.string {
        case "enforce": text += "; calls that ask are slowed and denied by it"
        case "observe": text += "; what it would deny is counted"
        default: text += "; it watches and tells"
        }
        return text
    }

    private static func line(_ alert: JSONValue) -> String {
        let receivers = (alert["receivers"]?.array ?? []).compactMap(\.string)
        let at = alert["threshold"]?.literal.map { " at \($0)" } ?? ""
        return "  \(alert["kind"]?.string ?? "")\(at), \(alert["severity"]?.string ?? "") -> "
            + (receivers.isEmpty ? "nobody" : receivers.joined(separator: ", ")) + "\n"
    }
}
