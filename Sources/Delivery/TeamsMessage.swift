internal import Alerts
internal import Usage
internal import Wire

/// An Adaptive Card for a workflow's webhook. https://adaptivecards.io/explorer/
///
/// Everything that comes from events stands in text runs, which know no Markdown: a name cannot
/// make links. A message may have 28 KB; the cuts below keep it under that with every character
/// escaped.
enum TeamsMessage {
    static let bytesMax = 28_000
    static let titleMax = 300
    static let summaryMax = 2000
    static let valueMax = 120
    private static let linkMax = 2000

    static func body(_ message: Message) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(
            "{\"type\":\"message\",\"attachments\":[{\"contentType\":\"application/vnd.microsoft.card.adaptive\","
                as StaticString)
        bytes.append(
            "\"contentUrl\":null,\"content\":{\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\","
                as StaticString)
        bytes.append("\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"body\":[" as StaticString)
        block(
            [
                (
                    Cut.text("\(SlackMessage.mark(message)) \(message.title)", titleMax),
                    ",\"weight\":\"Bolder\",\"size\":\"Large\",\"color\":\"\(color(message))\""
                )
            ], &bytes)
        bytes.append(UInt8(ascii: ","))
        block([(Cut.text(message.summary, summaryMax), "")], &bytes)
        for fact in facts(of: message) {
            bytes.append(UInt8(ascii: ","))
            block(
                [
                    (Cut.text(fact.0, valueMax) + "  ", ",\"weight\":\"Bolder\""),
                    (Cut.text(fact.1, valueMax), ""),
                ], &bytes)
        }
        bytes.append("]" as StaticString)
        let links = [("Open in costgauge", message.link), ("Runbook", message.runbook)]
            .compactMap { title, url in url.map { (title, $0) } }
            .filter { $0.1.utf8.count <= linkMax }
        for (index, link) in links.enumerated() {
            bytes.append(index == 0 ? ",\"actions\":[" : ",")
            bytes.append("{\"type\":\"Action.OpenUrl\",\"title\":\"\(link.0)\",\"url\":")
            bytes.appendJSONString(link.1)
            bytes.append(UInt8(ascii: "}"))
        }
        if !links.isEmpty { bytes.append(UInt8(ascii: "]")) }
        bytes.append(",\"msteams\":{\"width\":\"Full\"}}}]}" as StaticString)
        return bytes
    }

    /// One line of runs: each its text and further members.
    private static func block(_ runs: [(String, String)], _ bytes: inout [UInt8]) {
        bytes.append("{\"type\":\"RichTextBlock\",\"inlines\":[" as StaticString)
        for (index, run) in runs.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append("{\"type\":\"TextRun\",\"text\":" as StaticString)
            bytes.appendJSONString(run.0)
            bytes.append(run.1)
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append("]}" as StaticString)
    }

    private static func facts(of message: Message) -> [(String, String)] {
        var facts = Facts.of(message.alert)
        for spender in message.top.prefix(3) {
            facts.append(
                (spender.dimension, "\(spender.value) \(MoneyText.dollars(spender.cost))"))
        }
        return facts
    }

    private static func color(_ message: Message) -> String {
        if message.status == .resolved { return "Good" }
        return switch message.alert.severity {
        case .critical: "Attention"
        case .warning: "Warning"
        case .info: "Accent"
        }
    }
}

/// What a person wants to see of an alert beside its text, in a table.
enum Facts {
    private static let scopeMax = 4

    static func of(_ alert: Alert) -> [(String, String)] {
        guard let budget = alert.budget else {
            return alert.details.filter { !["anomaly", "dimension", "value"].contains($0.name) }
                .prefix(6).map { ($0.name, $0.value) }
        }
        var facts = [
            (
                "Spent", "\(MoneyText.dollars(budget.spent)) of \(MoneyText.dollars(budget.limit))"
            ),
            ("Budget", budget.name),
        ]
        if let forecast = budget.forecast {
            facts.append(("At this pace", "\(MoneyText.rough(forecast)) by the end of the period"))
        }
        return facts + budget.scope.prefix(scopeMax).map { ($0.dimension, $0.value) }
    }
}
