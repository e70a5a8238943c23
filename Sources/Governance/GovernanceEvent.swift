internal import Wire

/// A change of what is watched, told or allowed: who made it, what it was about, and how that was
/// before and after.
public struct GovernanceEvent: Equatable, Sendable {
    public enum Action: String, CaseIterable, Sendable {
        case budgetCreate = "budget_create"
        case budgetUpdate = "budget_update"
        case budgetDelete = "budget_delete"
        case budgetReset = "budget_reset"
        case scopeLimitSet = "scope_limit_set"
        case scopeLimitDelete = "scope_limit_delete"
        case scopeReset = "scope_reset"
        case scopePause = "scope_pause"
        case scopeUnpause = "scope_unpause"
        case silenceCreate = "silence_create"
        case silenceDelete = "silence_delete"
        case featureCreate = "feature_create"
        case featureUpdate = "feature_update"
        case featureDelete = "feature_delete"
        case priceStore = "price_store"
        case priceWithdraw = "price_withdraw"
    }

    /// Grows with each event; 0 before it is stored.
    public var sequence: Int64 = 0
    /// Unix nanoseconds.
    public let at: Int64
    /// The name of the token, `anonymous` where there are none, or `costgauge` itself.
    public let who: String
    public let action: Action
    /// `budgets/tenant-monthly`, `scopes/tenant/acme`: as in the paths below `/v1`.
    public let target: String
    public let reason: String
    /// JSON; empty: there was, or is, nothing.
    public let before: [UInt8]
    public let after: [UInt8]

    public init(
        at: Int64, who: String, action: Action, target: String, reason: String = "",
        before: [UInt8] = [], after: [UInt8] = []
    ) {
        self.at = at
        self.who = who
        self.action = action
        self.target = target
        self.reason = reason
        self.before = before
        self.after = after
    }

    /// What costgauge does by itself.
    public static let itself = "costgauge"

    /// Appends one JSON object without a line end.
    public func appendJSON(to bytes: inout [UInt8]) {
        bytes.append("{\"event\":\"\(action.rawValue)\"")
        if sequence > 0 { bytes.append(",\"id\":\"\(sequence)\"") }
        bytes.append(",\"timestamp\":\"\(RFC3339.text(unixNanos: at / 1_000_000 * 1_000_000))\"")
        for (key, text) in [("who", who), ("target", target), ("reason", reason)]
        where !text.isEmpty {
            bytes.append(",\"\(key)\":")
            bytes.appendJSONString(text)
        }
        for (key, json) in [("before", before), ("after", after)] where !json.isEmpty {
            bytes.append(",\"\(key)\":")
            bytes += json
        }
        bytes.append(UInt8(ascii: "}"))
    }
}
