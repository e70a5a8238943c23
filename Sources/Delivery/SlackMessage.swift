internal import Alerts
internal import Usage
internal import Wire

/// Slack's blocks. https://docs.slack.dev/reference/block-kit/blocks
enum SlackMessage {
    static let headerMax = 150
    static let sectionMax = 3000
    static let fieldMax = 2000
    /// Of the text that notifications show.
    static let fallbackMax = 4000

    static func body(_ message: Message) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append("{\"text\":" as StaticString)
        bytes.appendJSONString(
            Cut.text(escape("\(message.title): \(message.summary)"), fallbackMax))
        bytes.append(",\"attachments\":[{\"color\":\"" as StaticString)
        bytes.append(color(message))
        bytes.append(
            "\",\"blocks\":[{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"text\":"
                as StaticString)
        bytes.appendJSONString(Cut.text("\(mark(message)) \(message.title)", headerMax))
        bytes.append("}}" as StaticString)
        section(text(message), &bytes)
        if let budget = message.alert.budget { fields(of: budget, &bytes) }
        if !message.top.isEmpty { context(message.top, &bytes) }
        let links = [(message.link, "Open in costgauge"), (message.runbook, "Runbook")]
            .compactMap { link, text in link.map { "<\(escape($0))|\(text)>" } }
            .filter { $0.unicodeScalars.count <= 1400 }
        if !links.isEmpty { section(links.joined(separator: "  ·  "), &bytes) }
        bytes.append("]}]}" as StaticString)
        return bytes
    }

    private static func text(_ message: Message) -> String {
        let summary = escape(message.summary)
        guard let budget = message.alert.budget else { return summary }
        return "`\(bar(budget))`\n\(summary)"
    }

    /// `████████████████░░░░ 82%`: twenty steps, full only from 100 % on.
    static func bar(_ budget: AlertBudget) -> String {
        let mille = budget.utilizationMille
        let full = Int(min(20, max(0, mille / 50)))
        return String(repeating: "█", count: full) + String(repeating: "░", count: 20 - full)
            + " \(mille / 10)%"
    }

    private static func section(_ text: String, _ bytes: inout [UInt8]) {
        bytes.append(
            ",{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":" as StaticString)
        bytes.appendJSONString(Cut.text(text, sectionMax))
        bytes.append("}}" as StaticString)
    }

    private static func fields(of budget: AlertBudget, _ bytes: inout [UInt8]) {
        var fields: [(String, String)] = [
            (
                "Spent",
                "\(MoneyText.dollars(budget.spent)) of \(MoneyText.dollars(budget.limit))"
            )
        ]
        if let forecast = budget.forecast {
            fields.append(("At this pace", "\(MoneyText.rough(forecast)) by the end of the period"))
        }
        fields.append(("Budget", escape(budget.name)))
        for entry in budget.scope.prefix(4) {
            fields.append((escape(entry.dimension), escape(entry.value)))
        }
        bytes.append(",{\"type\":\"section\",\"fields\":[" as StaticString)
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append("{\"type\":\"mrkdwn\",\"text\":" as StaticString)
            bytes.appendJSONString(Cut.text("*\(field.0)*\n\(field.1)", fieldMax))
            bytes.append("}" as StaticString)
        }
        bytes.append("]}" as StaticString)
    }

    private static func context(_ top: [TopSpender], _ bytes: inout [UInt8]) {
        let text = top.map {
            "\($0.dimension) \(Cut.text(escape($0.value), 200)) \(MoneyText.dollars($0.cost))"
        }.joined(separator: "  ·  ")
        bytes.append(
            ",{\"type\":\"context\",\"elements\":[{\"type\":\"mrkdwn\",\"text\":" as StaticString)
        bytes.appendJSONString(Cut.text("Most spent by: \(text)", sectionMax))
        bytes.append("}]}" as StaticString)
    }

    /// Names come from events: without this `<!channel>` in one would call everybody.
    /// https://docs.slack.dev/messaging/formatting-message-text#escaping
    static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    private static func color(_ message: Message) -> String {
        if message.status == .resolved { return "#2eb67d" }
        return switch message.alert.severity {
        case .critical: "#e01e5a"
        case .warning: "#ecb22e"
        case .info: "#36c5f0"
        }
    }

    static func mark(_ message: Message) -> String {
        if message.status == .resolved { return "✅" }
        return switch message.alert.severity {
        case .critical: "🚨"
        case .warning: "⚠️"
        case .info: "ℹ️"
        }
    }
}
