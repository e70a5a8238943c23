internal import Budgets
public import Usage

/// What routing needs to know of a receiver; how to reach it is Delivery's matter.
public struct ReceiverProfile: Equatable, Sendable {
    public var name: String
    /// Lesser alerts are not sent to it.
    public var minSeverity: Severity
    /// It is told when an alert is over.
    public var sendsResolved: Bool
    /// It is told when somebody looks at an alert.
    public var sendsAcknowledged: Bool
    /// It groups and repeats by itself: no digests, no repeats of ours.
    public var groupsAlerts: Bool

    public init(
        name: String, minSeverity: Severity = .info, sendsResolved: Bool = false,
        sendsAcknowledged: Bool = false, groupsAlerts: Bool = false
    ) {
        self.name = name
        self.minSeverity = minSeverity
        self.sendsResolved = sendsResolved
        self.sendsAcknowledged = sendsAcknowledged
        self.groupsAlerts = groupsAlerts
    }
}

/// Which receivers an alert goes to: those of the first route that matches, and of the following
/// ones as long as routes say `continue`. Without routes, every receiver.
public struct AlertRouter: Equatable, Sendable {
    public struct Route: Equatable, Sendable {
        /// Fields of the alert and what they must look like; none: every alert.
        public let match: [Match]
        public let receivers: [String]
        public let continues: Bool
        /// A critical alert that fires is told again after so long; 0: it is not.
        public let repeatNanos: Int64

        public init(
            match: [Match], receivers: [String], continues: Bool = false, repeatNanos: Int64 = 0
        ) {
            self.match = match
            self.receivers = receivers
            self.continues = continues
            self.repeatNanos = repeatNanos
        }
    }

    public struct Match: Equatable, Sendable {
        public let field: String
        public let pattern: Pattern

        public init(field: String, pattern: Pattern) {
            self.field = field
            self.pattern = pattern
        }
    }

    public let receivers: [ReceiverProfile]
    public let routes: [Route]
    /// Past so many new alerts to one receiver within a minute the others of that minute are told
    /// as one; 0: never.
    public let stormLimit: Int

    public init(receivers: [ReceiverProfile], routes: [Route] = [], stormLimit: Int = 0) {
        self.receivers = receivers
        self.routes = routes
        self.stormLimit = stormLimit
    }

    /// The receivers, each once, in the order of their definition.
    public func receivers(for alert: Alert) -> [ReceiverProfile] {
        let wanted = routed(alert)
        return receivers.filter { receiver in
            wanted[receiver.name] != nil && isFor(receiver, alert)
        }
    }

    private func isFor(_ receiver: ReceiverProfile, _ alert: Alert) -> Bool {
        alert.severity >= receiver.minSeverity
            // Whoever cannot be reached is not told of it.
            && !(alert.kind == .deliveryFailed && alert.field("receiver") == receiver.name)
    }

    /// By receiver, after how long the alert is to be told again while it fires.
    func repeats(of alert: Alert) -> [String: Int64] {
        guard alert.severity == .critical else { return [:] }
        let wanted = routed(alert)
        var repeats: [String: Int64] = [:]
        for receiver in receivers where !receiver.groupsAlerts && isFor(receiver, alert) {
            if let nanos = wanted[receiver.name], nanos > 0 { repeats[receiver.name] = nanos }
        }
        return repeats
    }

    var hasRepeats: Bool { routes.contains { $0.repeatNanos > 0 } }

    /// Who is wanted, with the shortest interval of the routes that want them.
    private func routed(_ alert: Alert) -> [String: Int64] {
        var wanted: [String: Int64] = [:]
        guard !routes.isEmpty else {
            for receiver in receivers { wanted[receiver.name] = 0 }
            return wanted
        }
        for route in routes where route.matches(alert) {
            for name in route.receivers {
                let both = [wanted[name] ?? 0, route.repeatNanos].filter { $0 > 0 }
                wanted[name] = both.min() ?? 0
            }
            if !route.continues { break }
        }
        return wanted
    }

    public func profile(_ receiver: String) -> ReceiverProfile? {
        receivers.first { $0.name == receiver }
    }
}

extension AlertRouter.Route {
    func matches(_ alert: Alert) -> Bool {
        match.allSatisfy { $0.pattern.matches(alert.field($0.field) ?? "") }
    }
}
