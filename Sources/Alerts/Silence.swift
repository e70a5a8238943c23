internal import Usage

/// Alerts that nobody is to be told of for a while, such as during a planned load test. They are
/// stored all the same, and those that still fire when it ends are told then.
public struct Silence: Equatable, Sendable {
    public let id: String
    /// All must hold; never empty.
    public let match: [AlertRouter.Match]
    public let author: String
    public let reason: String
    /// Unix nanoseconds; `startsAt` belongs to it, `endsAt` does not.
    public let startsAt: Int64
    public let endsAt: Int64
    /// Of the configuration file, not of the API.
    public let isConfigured: Bool

    /// That are not over, of the file and of the API each.
    public static let countMax = 1000
    public static let matchesMax = 16

    public init(
        id: String, match: [AlertRouter.Match], author: String, reason: String, startsAt: Int64,
        endsAt: Int64, isConfigured: Bool = false
    ) {
        self.id = id
        self.match = match
        self.author = author
        self.reason = reason
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.isConfigured = isConfigured
    }

    public func covers(_ alert: Alert, now: Int64) -> Bool {
        startsAt <= now && now < endsAt
            && match.allSatisfy { $0.pattern.matches(alert.field($0.field) ?? "") }
    }

    /// What alerts can be matched by, besides the dimensions of budgets and anomalies.
    public static let fields = ["kind", "severity", "budget", "receiver", "anomaly_kind"]

    public static func isField(_ name: String) -> Bool {
        fields.contains(name) || Dimension(name) != nil
    }
}
