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
        /// One member of a cluster; each is a receiver of its own.
        /// https://prometheus.io/docs/alerting/latest/alerts_api/
        case alertmanager(url: Secret)
        /// A workflow's webhook that posts cards to a channel:
        /// https://support.microsoft.com/office/8ae491c7-0394-4861-ba59-055e33f75498
        case teams(url: Secret)
        case email(Mailbox)
        /// A line in costgauge's own log.
        case log

        public var word: String {
            switch self {
            case .slack: "slack"
            case .pagerDuty: "pagerduty"
            case .webhook: "webhook"
            case .alertmanager: "alertmanager"
            case .teams: "teams"
            case .email: "email"
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
    /// A file of certificates in PEM that its own is checked with; nil: those of the system.
    public var authorities: String?
    public var wording = Wording()

    /// Texts of its own; nil: the built-in ones.
    public struct Wording: Equatable, Sendable {
        public var title: Template?
        public var text: Template?
        public var runbook: Template?

        public init() {}
    }

    /// How mail is sent.
    public struct Mailbox: Equatable, Sendable {
        /// `smtp://host:587` or `smtps://host:465`.
        public var url: String
        public var from: String
        public var to: [String]
        public var user: String
        public var password: Secret
        /// A server that does not offer TLS is sent nothing.
        public var needsTLS: Bool

        public init(
            url: String, from: String, to: [String], user: String = "",
            password: Secret = Secret(""), needsTLS: Bool = true
        ) {
            self.url = url
            self.from = from
            self.to = to
            self.user = user
            self.password = password
            self.needsTLS = needsTLS
        }
    }

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
        case .slack, .email: 1_000_000_000
        case .pagerDuty: 500_000_000
        case .teams: 300_000_000
        case .webhook, .alertmanager: 20_000_000
        case .log: 0
        }
    }

    /// Requests that may be under way at once.
    public var inFlightMax: Int {
        switch kind {
        case .slack, .teams, .email, .log: 1
        case .pagerDuty: 2
        case .alertmanager: 4
        case .webhook: 8
        }
    }
}
