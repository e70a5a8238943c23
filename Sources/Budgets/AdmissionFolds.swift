internal import Aggregation
public import Usage
internal import Wire

/// Calls of one scope that were slowed down or denied for one reason within one minute.
public struct AdmissionFold: Sendable {
    public let verdict: AdmissionVerdict
    public let reason: AdmissionReason
    /// Empty for a pause of something that no budget watches.
    public let budget: String
    public let scope: [(dimension: Dimension, value: String)]
    /// `day` and so on; empty without a budget.
    public let period: String
    /// As the last of these calls found them.
    public internal(set) var limit: NanoUSD
    public internal(set) var spent: NanoUSD
    public internal(set) var count = 0
    /// Unix seconds at which the minute ends.
    public let endsAt: Int64

    /// One line of `governance_events.jsonl`.
    public var json: [UInt8] {
        var line: [UInt8] = []
        line.append("{\"event\":\"\(verdict == .deny ? "budget_deny" : "budget_throttle")\"")
        line.append(",\"timestamp\":\"\(RFC3339.text(unixNanos: endsAt * 1_000_000_000))\"")
        func add(_ key: String, _ text: String) {
            line.append(UInt8(ascii: ","))
            line.appendJSONString(key)
            line.append(UInt8(ascii: ":"))
            line.appendJSONString(text)
        }
        if !budget.isEmpty { add("budget", budget) }
        for entry in scope { add(entry.dimension.description, entry.value) }
        add("reason", reason.rawValue)
        if !budget.isEmpty {
            add("spent_usd", spent.decimal)
            add("limit_usd", limit.decimal)
        }
        if period == "day" {
            add("daily_spend", spent.decimal)
            add("daily_budget", limit.decimal)
        }
        line.append(",\"count\":\(count)}")
        return line
    }
}

/// Counts what calls were told, by minute, until somebody takes it.
struct AdmissionFolds: Sendable {
    struct Key: Hashable, Sendable {
        let budget: String
        let values: LabelKey
        let reason: AdmissionReason
        let minute: Int64
    }

    /// With more, further scopes of a budget count together, as calls of no scope in particular.
    static let countMax = 10_000

    private var folds: [Key: AdmissionFold] = [:]

    var isEmpty: Bool { folds.isEmpty }

    /// - Parameter make: describes the scope, or, asked for no values, the budget alone.
    mutating func note(
        _ key: Key, limit: NanoUSD, spent: NanoUSD, _ make: (LabelKey) -> AdmissionFold
    ) {
        var key = key
        if folds[key] == nil, folds.count >= Self.countMax {
            key = Key(
                budget: key.budget, values: LabelKey(), reason: key.reason, minute: key.minute)
        }
        if folds[key] == nil { folds[key] = make(key.values) }
        folds[key]?.limit = limit
        folds[key]?.spent = spent
        folds[key]?.count += 1
    }

    /// Those of minutes that are over, in their order.
    mutating func take(endedBy seconds: Int64) -> [AdmissionFold] {
        let over = folds.filter { $0.value.endsAt <= seconds }
        for key in over.keys { folds[key] = nil }
        return over.values.sorted {
            ($0.endsAt, $0.budget, ScopeText.write($0.scope))
                < ($1.endsAt, $1.budget, ScopeText.write($1.scope))
        }
    }
}
