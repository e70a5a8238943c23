internal import Alerts
internal import Crypto
internal import Usage
internal import Wire

/// PagerDuty's Events API v2. https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
enum PagerDutyMessage {
    static let publicURL = "https://events.pagerduty.com/v2/enqueue"
    static let summaryMax = 1024
    static let keyMax = 255

    static func body(_ message: Message, routingKey: String) -> [UInt8] {
        var bytes: [UInt8] = []
        func member(_ key: StaticString, _ text: String, isFirst: Bool = false) {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            bytes.append(key)
            bytes.append("\":" as StaticString)
            bytes.appendJSONString(text)
        }
        let alert = message.alert
        bytes.append(UInt8(ascii: "{"))
        member("routing_key", routingKey, isFirst: true)
        let action =
            switch message.status {
            case .resolved: "resolve"
            case .acknowledged: "acknowledge"
            case .firing, .recorded: "trigger"
            }
        member("event_action", action)
        member("dedup_key", key(alert.dedupKey))
        guard action == "trigger" else {
            bytes.append(UInt8(ascii: "}"))
            return bytes
        }
        bytes.append(",\"payload\":{" as StaticString)
        let summary = Cut.text("\(message.title): \(message.summary)", summaryMax)
        member("summary", summary, isFirst: true)
        member("source", source(of: alert))
        member("severity", alert.severity.word)
        member("timestamp", RFC3339.text(unixNanos: alert.startsAt / 1_000_000 * 1_000_000))
        member("component", "costgauge")
        if let budget = alert.budget { member("group", Cut.text(budget.name, keyMax)) }
        member("class", alert.kind.rawValue)
        bytes.append(",\"custom_details\":" as StaticString)
        alert.appendJSON(to: &bytes, top: message.top)
        bytes.append("}" as StaticString)
        member("client", "costgauge")
        if let link = message.link { member("client_url", link) }
        if let runbook = message.runbook {
            bytes.append(",\"links\":[{\"text\":\"Runbook\"" as StaticString)
            member("href", runbook)
            bytes.append("}]" as StaticString)
        }
        bytes.append("}" as StaticString)
        return bytes
    }

    /// The scope that spends, else the budget, else costgauge itself.
    private static func source(of alert: Alert) -> String {
        guard let budget = alert.budget else { return "costgauge" }
        let scope = budget.scope.map { "\($0.dimension)=\($0.value)" }.joined(separator: ",")
        return Cut.text(scope.isEmpty ? budget.name : scope, keyMax)
    }

    /// The alert's key where it fits, else its beginning and its hash: the same text for the
    /// trigger and the resolve.
    static func key(_ dedupKey: String) -> String {
        guard dedupKey.unicodeScalars.count > keyMax else { return dedupKey }
        let hash = Digest.sha256(Array(dedupKey.utf8).span).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        let scalars = dedupKey.unicodeScalars.prefix(keyMax - 1 - hash.count)
        return String(String.UnicodeScalarView(scalars)) + "#" + hash
    }
}
