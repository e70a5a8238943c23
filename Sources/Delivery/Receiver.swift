public import Alerts
public import Usage

/// Somebody who is told of alerts, and how to reach them.
public struct Receiver: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// The address is the secret:
        /// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
        case slack(url: Secret)
        /// https://developer.pagerduty.com/docs/events-api-v2/overview/
        case pagerDuty(url: String, routingKey: Secret)
        /// https://www.standardwebhooks.com: the first secret signs, and the second too while keys
        /// are rotated. None: unsigned.
        case webhook(url: Secret, secrets: [Secret])
        /// A line in costgauge's own log.
        case log

        public var word: String {
            switch self {
            case .slack: "slack"
            case .pagerDuty: "pagerduty"
            case .webhook: "webhook"
            case .log: "log"
            }
        }
    }

    public var profile: ReceiverProfile
    public var kind: Kind
    public var timeoutMillis: Int
    /// `http://host:port`; nil: none.
    public var proxy: Secret?
    public var headers: [Header]

    public struct Header: Equatable, Sendable {
        public let name: String
        public let value: Secret

        public init(name: String, value: Secret) {
            self.name = name
            self.value = value
        }
    }

    public init(
        profile: ReceiverProfile, kind: Kind, timeoutMillis: Int = 15_000, proxy: Secret? = nil,
        headers: [Header] = []
    ) {
        self.profile = profile
        self.kind = kind
        self.timeoutMillis = timeoutMillis
        self.proxy = proxy
        self.headers = headers
    }

    public var name: String { profile.name }

    /// Time between the starts of two requests: what the services document as bearable.
    public var pauseNanos: UInt64 {
        switch kind {
        case .slack: 1_000_000_000
        case .pagerDuty: 500_000_000
        case .webhook: 20_000_000
        case .log: 0
        }
    }

    /// Requests that may be under way at once.
    public var inFlightMax: Int {
        switch kind {
        case .slack, .log: 1
        case .pagerDuty: 2
        case .webhook: 8
        }
    }
}
