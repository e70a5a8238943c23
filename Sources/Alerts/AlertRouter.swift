internal import Budgets
public import Usage

/// What routing needs to know of a receiver; how to reach it is Delivery's matter.
public struct ReceiverProfile: Equatable, Sendable {
    public var name: String
    /// Lesser alerts are not sent to it.
    public var minSeverity: Severity
    /// It is told when an alert is over.
    public var sendsResolved: Bool

    public init(name: String, minSeverity: Severity = .info, sendsResolved: Bool = false) {
        self.name = name
        self.minSeverity = minSeverity
        self.sendsResolved = sendsResolved
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

        public init(match: [Match], receivers: [String], continues: Bool = false) {
            self.match = match
            self.receivers = receivers
            self.continues = continues
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

    public init(receivers: [ReceiverProfile], routes: [Route] = []) {
        self.receivers = receivers
        self.routes = routes
    }

    /// The names of the receivers, each once, in the order of their definition.
    public func receivers(for alert: Alert) -> [String] {
        let wanted = routed(alert)
        return receivers.filter { receiver in
            wanted.contains(receiver.name) && alert.severity >= receiver.minSeverity
                // Whoever cannot be reached is not told of it.
                && !(alert.kind == .deliveryFailed && alert.field("receiver") == receiver.name)
        }.map(\.name)
    }

    private func routed(_ alert: Alert) -> Set<String> {
        guard !routes.isEmpty else { return Set(receivers.map(\.name)) }
        var wanted: Set<String> = []
        for route in routes where route.matches(alert) {
            wanted.formUnion(route.receivers)
            if !route.continues { break }
        }
        return wanted
    }

    public func sendsResolved(_ receiver: String) -> Bool {
        receivers.first { $0.name == receiver }?.sendsResolved ?? false
    }
}

extension AlertRouter.Route {
    func matches(_ alert: Alert) -> Bool {
        match.allSatisfy { $0.pattern.matches(alert.field($0.field) ?? "") }
    }
}
