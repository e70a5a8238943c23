internal import Alerts
internal import Usage
internal import Wire

/// Alertmanager's API v2. https://prometheus.io/docs/alerting/latest/alerts_api/
///
/// Labels are what an alert is; amounts, texts and times change while it fires and are annotations.
/// Names keep to the letters that every release accepts.
enum AlertmanagerMessage {
    /// How far ahead the end of a firing alert lies: as far as Prometheus puts it, four times the
    /// interval of the resends.
    static let aheadNanos: Int64 = 240_000_000_000

    static func body(_ messages: [Message], now: Int64) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        for (index, message) in messages.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            append(message, now: now, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }

    private static func append(_ message: Message, now: Int64, to bytes: inout [UInt8]) {
        let alert = message.alert
        bytes.append("{\"labels\":" as StaticString)
        append(labels(of: alert), to: &bytes)
        bytes.append(",\"annotations\":" as StaticString)
        append(annotations(of: message), to: &bytes)
        // An end before its start is refused.
        let end =
            message.status == .resolved
            ? max(alert.startsAt, min(alert.endsAt ?? now, now)) : now + aheadNanos
        bytes.append(",\"startsAt\":\"\(time(alert.startsAt))\",\"endsAt\":\"\(time(end))\"")
        bytes.append(",\"generatorURL\":" as StaticString)
        bytes.appendJSONString(message.link ?? "")
        bytes.append(UInt8(ascii: "}"))
    }

    private static func time(_ nanos: Int64) -> String {
        RFC3339.text(unixNanos: nanos / 1_000_000 * 1_000_000)
    }

    private static func append(_ members: [(String, String)], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, member) in members.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.appendJSONString(member.0)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(member.1)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    static func labels(of alert: Alert) -> [(String, String)] {
        var labels = [
            ("alertname", alertName(alert.kind)), ("severity", alert.severity.word),
            ("service", "costgauge"), ("kind", alert.kind.rawValue),
            ("dedup_key", alert.dedupKey),
        ]
        func add(_ name: String, _ value: String) {
            let name = labelName(name)
            if !value.isEmpty, !labels.contains(where: { $0.0 == name }) {
                labels.append((name, value))
            }
        }
        if let budget = alert.budget {
            add("budget", budget.name)
            for entry in budget.scope { add(entry.dimension, entry.value) }
            if let threshold = budget.threshold { add("threshold", threshold) }
        }
        for detail in alert.details where !isAmount(detail.name) { add(detail.name, detail.value) }
        return labels
    }

    private static func annotations(of message: Message) -> [(String, String)] {
        let alert = message.alert
        var annotations = [("summary", message.title), ("description", message.summary)]
        if let budget = alert.budget {
            let mille = budget.utilizationMille
            annotations += [
                ("spent_usd", budget.spent.decimal), ("limit_usd", budget.limit.decimal),
                ("utilization_percent", "\(mille / 10)"),
            ]
            if let forecast = budget.forecast {
                annotations.append(("forecast_usd", forecast.decimal))
            }
        }
        for detail in alert.details where isAmount(detail.name) {
            annotations.append((labelName(detail.name), detail.value))
        }
        if !message.top.isEmpty {
            let top = message.top.map {
                "\($0.dimension) \($0.value) \(MoneyText.dollars($0.cost))"
            }
            annotations.append(("top", top.joined(separator: ", ")))
        }
        if let link = message.link { annotations.append(("link", link)) }
        if let runbook = message.runbook { annotations.append(("runbook_url", runbook)) }
        return annotations
    }

    private static func isAmount(_ detail: String) -> Bool { detail.hasSuffix("_usd") }

    /// `CostgaugeBudgetThreshold`.
    private static func alertName(_ kind: AlertKind) -> String {
        "Costgauge"
            + kind.rawValue.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }
            .joined()
    }

    /// `tags.team` is `tags_team`.
    private static func labelName(_ name: String) -> String {
        var result = ""
        for byte in name.utf8 {
            let isPlain =
                (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || (0x30...0x39).contains(byte)
            result.append(isPlain ? Character(Unicode.Scalar(byte)) : "_")
        }
        let first = result.utf8.first ?? 0x30
        return (0x30...0x39).contains(first) ? "_" + result : result
    }
}
