internal import JSON
public import Usage
internal import Wire

public enum AlertKind: String, CaseIterable, Sendable {
    case budgetThreshold = "budget_threshold"
    case budgetBurn = "budget_burn"
    case budgetForecast = "budget_forecast"
    case budgetDenied = "budget_denied"
    case unpricedModel = "unpriced_model"
    case anomaly
    case budgetPaused = "budget_paused"
    case deliveryFailed = "delivery_failed"
    case ingestStalled = "ingest_stalled"
    /// Stands for the alerts of one minute that were too many to be told one by one.
    case alertStorm = "alert_storm"
    case test
}

public enum AlertStatus: String, CaseIterable, Sendable {
    case firing, resolved
    /// Kept for the record; nobody was told.
    case recorded
    /// It fires and somebody has said that they look at it. Stored alerts stay `firing`; this is
    /// what a notification tells.
    case acknowledged
}

/// The budget part of an alert. Amounts live here and in texts, never in what identifies the alert.
public struct AlertBudget: Equatable, Sendable {
    public var name: String
    public var scope: [Entry]
    public var periodStart: Int64
    public var periodEnd: Int64
    public var limit: NanoUSD
    public var spent: NanoUSD
    /// As text: `0.9`; nil for alerts that are about no threshold.
    public var threshold: String?
    public var crossed: [String]
    public var forecast: NanoUSD?
    /// Unix seconds at which the pace passes the limit.
    public var breachAt: Int64?

    public init(
        name: String, scope: [Entry], periodStart: Int64, periodEnd: Int64, limit: NanoUSD,
        spent: NanoUSD, threshold: String? = nil, crossed: [String] = [], forecast: NanoUSD? = nil,
        breachAt: Int64? = nil
    ) {
        self.name = name
        self.scope = scope
        self.periodStart = periodStart
        self.periodEnd = periodEnd
        self.limit = limit
        self.spent = spent
        self.threshold = threshold
        self.crossed = crossed
        self.forecast = forecast
        self.breachAt = breachAt
    }

    public struct Entry: Equatable, Sendable {
        public let dimension: String
        public let value: String

        public init(dimension: String, value: String) {
            self.dimension = dimension
            self.value = value
        }
    }

    /// In thousandths of the limit, rounded down.
    public var utilizationMille: Int64 {
        Int64(clamping: Int128(spent.nanos) * 1000 / Int128(max(1, limit.nanos)))
    }
}

/// Who spends most of what an alert is about.
public struct TopSpender: Equatable, Sendable {
    public let dimension: String
    public let value: String
    public let cost: NanoUSD

    public init(dimension: String, value: String, cost: NanoUSD) {
        self.dimension = dimension
        self.value = value
        self.cost = cost
    }
}

/// Something that people are told, and, later, that it is over.
public struct Alert: Equatable, Sendable {
    public let id: String
    /// The same for the same cause, whatever happens in between: receivers collapse copies by it.
    public var dedupKey: String
    public let kind: AlertKind
    public var status: AlertStatus
    public let severity: Severity
    public var title: String
    public var summary: String
    /// Unix nanoseconds.
    public let startsAt: Int64
    public var endsAt: Int64?
    public var budget: AlertBudget?
    /// What else it is about, such as the receiver that cannot be reached; routes match on them.
    public var details: [Detail] = []
    /// Why it is over, once it is.
    public var resolution: String?
    /// Who looks at it, if somebody said so.
    public var acknowledged: Acknowledgement?

    public struct Acknowledgement: Equatable, Sendable {
        /// Unix nanoseconds.
        public let at: Int64
        /// As given; may be empty.
        public let by: String

        public init(at: Int64, by: String) {
            self.at = at
            self.by = by
        }
    }

    public struct Detail: Equatable, Sendable {
        public let name: String
        public let value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(
        id: String, dedupKey: String, kind: AlertKind, status: AlertStatus = .firing,
        severity: Severity, title: String, summary: String, startsAt: Int64, endsAt: Int64? = nil,
        budget: AlertBudget? = nil, details: [Detail] = []
    ) {
        self.id = id
        self.dedupKey = dedupKey
        self.kind = kind
        self.status = status
        self.severity = severity
        self.title = title
        self.summary = summary
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.budget = budget
        self.details = details
    }

    /// `budget_threshold.firing`.
    public var type: String { "\(kind.rawValue).\(status.rawValue)" }

    /// Fields of alerts that are no dimension.
    public static let fields = [
        "kind", "severity", "status", "title", "summary", "dedup_key", "budget", "threshold",
        "receiver", "source", "anomaly_kind", "grade", "dimension", "value",
    ]

    /// The value of a field that routes match on; nil when the alert has none such.
    public func field(_ name: String) -> String? {
        switch name {
        case "kind": kind.rawValue
        case "severity": severity.word
        case "status": status.rawValue
        case "title": title
        case "summary": summary
        case "dedup_key": dedupKey
        case "budget": budget?.name
        case "threshold": budget?.threshold
        default:
            budget?.scope.first { $0.dimension == name }?.value
                ?? details.first { $0.name == name }?.value
        }
    }
}
