public import Usage

/// Where metrics are pushed to, and how.
public struct PushSettings: Equatable, Sendable {
    public enum Temporality: String, CaseIterable, Sendable {
        case cumulative, delta
    }

    public struct Header: Equatable, Sendable {
        public var name: String
        public var value: Secret

        public init(name: String, value: Secret) {
            self.name = name
            self.value = value
        }
    }

    /// The whole address, `/v1/metrics` included. May hold credentials.
    public var url: Secret
    public var intervalNanos: UInt64 = 15_000_000_000
    public var timeoutMillis = 10_000
    public var headers: [Header] = []
    public var isCompressed = true
    public var temporality = Temporality.cumulative
    /// In their order; `service.name` is among them.
    public var resource: [(name: String, value: String)] = []

    public init(url: Secret) { self.url = url }

    public static func == (left: PushSettings, right: PushSettings) -> Bool {
        left.url == right.url && left.intervalNanos == right.intervalNanos
            && left.timeoutMillis == right.timeoutMillis && left.headers == right.headers
            && left.isCompressed == right.isCompressed && left.temporality == right.temporality
            && left.resource.map(\.name) == right.resource.map(\.name)
            && left.resource.map(\.value) == right.resource.map(\.value)
    }

    /// An endpoint is a base: the signal's path goes behind it.
    public static func url(base: String) -> String {
        base.hasSuffix("/") ? base + "v1/metrics" : base + "/v1/metrics"
    }
}
