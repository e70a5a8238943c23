internal import Alerts
internal import Usage
internal import Wire

/// A text with places for the fields of an alert:
///
///     {{tenant}} of {{budget|no budget}}: {{title}}
///
/// `{{name}}` stands for a field and is empty where an alert has none such; `{{name|words}}` stands
/// for the words then. Nothing else has a meaning.
public struct Template: Equatable, Sendable {
    /// Why a text is no template.
    public struct Fault: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    private enum Part: Equatable {
        case text(String)
        case field(String, otherwise: String)
    }

    /// Of what is rendered, in characters.
    static let titleMax = 300
    static let textMax = 3000

    private let parts: [Part]

    /// Fields beside those that routes match on and the dimensions.
    static let amounts = [
        "limit", "spent", "remaining", "percent", "forecast", "scope", "period_start", "period_end",
        "breach_at", "starts_at", "ends_at", "resolution", "observed_usd", "expected_usd", "top",
        "link", "runbook",
    ]

    public static let names = Alert.fields + amounts

    public init(_ text: String) throws(Fault) {
        var parts: [Part] = []
        var rest = text[...]
        while let open = rest.firstRange(of: "{{") {
            if open.lowerBound > rest.startIndex {
                parts.append(.text(String(rest[..<open.lowerBound])))
            }
            guard let close = rest[open.upperBound...].firstRange(of: "}}") else {
                throw Fault(description: "has a {{ without its }}")
            }
            parts.append(try Self.field(rest[open.upperBound..<close.lowerBound]))
            rest = rest[close.upperBound...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
    }

    private static func field(_ text: Substring) throws(Fault) -> Part {
        let halves = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        let name = halves[0].drop { $0 == " " }.prefix { $0 != " " }
        guard names.contains(String(name)) || Dimension(String(name)) != nil else {
            throw Fault(
                description:
                    "\"\(name.prefix(100))\" is no field of an alert; there are "
                    + names.joined(separator: ", ") + " and the dimensions, such as tenant")
        }
        return .field(String(name), otherwise: halves.count > 1 ? String(halves[1]) : "")
    }

    /// - Parameter escape: applied to each field, not to the text around.
    func render(_ message: Message, escape: (String) -> String = { $0 }) -> String {
        var result = ""
        for part in parts {
            switch part {
            case .text(let text): result += text
            case .field(let name, let otherwise):
                let value = Self.value(name, message) ?? ""
                result += escape(value.isEmpty ? otherwise : value)
            }
        }
        return result
    }

    private static func value(_ name: String, _ message: Message) -> String? {
        let alert = message.alert
        switch name {
        case "starts_at": return time(alert.startsAt)
        case "ends_at": return alert.endsAt.map(time)
        case "resolution": return alert.resolution
        case "link": return message.link
        case "runbook": return message.runbook
        case "top":
            return message.top.map {
                "\($0.dimension) \($0.value) \(MoneyText.dollars($0.cost))"
            }.joined(separator: ", ")
        default: break
        }
        if let budget = alert.budget, let text = value(name, budget) { return text }
        return alert.field(name)
    }

    private static func value(_ name: String, _ budget: AlertBudget) -> String? {
        switch name {
        case "limit": return MoneyText.dollars(budget.limit)
        case "spent": return MoneyText.dollars(budget.spent)
        case "remaining":
            return MoneyText.dollars(
                NanoUSD(nanos: max(0, budget.limit.nanos - budget.spent.nanos)))
        case "percent": return "\(budget.utilizationMille / 10)"
        case "forecast": return budget.forecast.map { MoneyText.rough($0) }
        case "scope":
            return budget.scope.map { "\($0.dimension)=\($0.value)" }.joined(separator: ",")
        case "period_start": return time(budget.periodStart * 1_000_000_000)
        case "period_end": return time(budget.periodEnd * 1_000_000_000)
        case "breach_at": return budget.breachAt.map { time($0 * 1_000_000_000) }
        default: return nil
        }
    }

    private static func time(_ nanos: Int64) -> String {
        RFC3339.text(unixNanos: nanos / 1_000_000_000 * 1_000_000_000)
    }
}
