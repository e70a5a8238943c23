public import Usage

/// A call that asks whether it may go ahead: its dimensions, as an event would carry them, and what
/// it will cost at most.
public struct AdmissionRequest: Sendable {
    public var event: CostEvent
    public var rows: EventRows
    public var estimate: NanoUSD

    public init(event: CostEvent, rows: EventRows, estimate: NanoUSD) {
        self.event = event
        self.rows = rows
        self.estimate = estimate
    }
}

public enum AdmissionVerdict: String, CaseIterable, Sendable {
    case allow, throttle, deny
}

public enum AdmissionReason: String, Sendable {
    /// Nothing stands against it.
    case withinBudget = "within_budget"
    /// No budget watches such calls.
    case noBudget = "no_budget"
    /// Past the soft limit: go ahead after `delay_seconds`.
    case softLimit = "soft_limit"
    case hardLimit = "hard_limit"
    /// What is reserved by calls under way leaves no room; a part of it comes back.
    case reserved
    /// A dimension value of the call is paused.
    case paused
    /// The store cannot write, and the budget says what then.
    case unsure
}

/// The budget that a decision is about, as it stood at that moment.
public struct AdmissionBudget: Equatable, Sendable {
    public struct Entry: Equatable, Sendable {
        public let dimension: Dimension
        public let value: String
    }

    public let name: String
    public let scope: [Entry]
    public let limit: NanoUSD
    public let spent: NanoUSD
    public internal(set) var reserved: NanoUSD
    public let period: Period

    public var remaining: NanoUSD {
        NanoUSD(nanos: max(0, limit.nanos - spent.nanos - reserved.nanos))
    }

    /// Spent and reserved, in thousandths of the limit, rounded down.
    public var utilizationMille: Int64 {
        let used = Int128(spent.nanos) + Int128(reserved.nanos)
        return Int64(clamping: used * 1000 / Int128(max(1, limit.nanos)))
    }
}

public struct AdmissionDecision: Equatable, Sendable {
    public var verdict: AdmissionVerdict
    public var reason: AdmissionReason
    public let estimate: NanoUSD
    /// The tightest of the budgets that watch the call; of a denial, one that denies.
    public internal(set) var budget: AdmissionBudget?
    /// With a throttle: waiting so long before the call makes the rest last until the period ends.
    public var delayMillis: Int64 = 0
    /// With a denial: when asking again makes sense.
    public var retryAfterSeconds: Int64 = 0
    /// The pause that denies.
    public var pause: ScopePause?

    /// Longer than this no call is asked to wait.
    public static let delayMillisMax: Int64 = 60_000
    /// Until reserved amounts are settled, some seconds.
    static let retryReservedSeconds: Int64 = 5
    static let retryPausedSeconds: Int64 = 60
}

/// A dimension value whose calls are all denied.
public struct ScopePause: Equatable, Sendable {
    public let dimension: Dimension
    public let value: String
    public let reason: String
    /// Paused by a budget that ran over, and by which.
    public let budget: String?
    /// Unix nanoseconds.
    public let since: Int64

    public init(
        dimension: Dimension, value: String, reason: String, budget: String?, since: Int64
    ) {
        self.dimension = dimension
        self.value = value
        self.reason = reason
        self.budget = budget
        self.since = since
    }

    /// As in keys: `tenant=acme`.
    public var scopeText: String { ScopeText.write([(dimension, value)]) }
}
