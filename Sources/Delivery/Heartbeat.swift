internal import Alerts
internal import HTTPClient
internal import Logging
public import Usage
internal import Wire

/// A dead man's switch: an address that is called again and again while all is well. Whoever is
/// there tells people when the calls stop, which costgauge itself could not.
public struct HeartbeatSettings: Equatable, Sendable {
    public static let intervalNanos: Int64 = 60_000_000_000

    public var url: Secret
    public var intervalNanos: Int64
    public var timeoutMillis = 10_000

    public init(url: Secret, intervalNanos: Int64 = Self.intervalNanos) {
        self.url = url
        self.intervalNanos = intervalNanos
    }
}

/// Sends the heartbeats. One that fails is not repeated: the next one comes soon.
struct Heartbeats {
    private let services: DelivererServices
    private let inbox: DeliveryInbox
    private var settings: HeartbeatSettings?
    private var counts = DeliveryReadings.Heartbeat()
    private var due: UInt64 = 0
    private var isInFlight = false
    private var lastFailure: String?

    init(services: DelivererServices, inbox: DeliveryInbox) {
        self.services = services
        self.inbox = inbox
    }

    var readings: DeliveryReadings.Heartbeat? { settings == nil ? nil : counts }

    mutating func configure(_ new: HeartbeatSettings?) {
        guard new != settings else { return }
        settings = new
        due = 0
    }

    /// Answers when the next one is due.
    mutating func beat() -> UInt64? {
        guard let settings else { return nil }
        let now = services.time.monotonicNanos
        guard now >= due else { return due }
        due = now + UInt64(settings.intervalNanos)
        guard !isInFlight, services.isHealthy() else { return due }
        isInFlight = true
        let time = RFC3339.text(unixNanos: services.time.unixNanos / 1_000_000 * 1_000_000)
        var request = HTTPClientRequest(
            url: settings.url.reveal(),
            headers: [(name: "Content-Type", value: "application/json")],
            body: Array("{\"type\":\"heartbeat\",\"timestamp\":\"\(time)\"}".utf8))
        request.totalMillis = settings.timeoutMillis
        let inbox = inbox
        services.transport.send(request) { outcome in
            inbox.put { $0.heartbeats.append(outcome) }
        }
        return due
    }

    mutating func ended(_ outcome: HTTPClientOutcome) {
        isInFlight = false
        let failure: String? =
            switch outcome {
            case .success(let answer) where (200..<300).contains(answer.status): nil
            case .success(let answer): "answered \(answer.status)"
            case .failure(let failure): failure.description
            }
        guard let failure else {
            counts.sent += 1
            lastFailure = nil
            return
        }
        counts.failed += 1
        if failure != lastFailure {
            services.log.warn("a heartbeat did not arrive", ("cause", failure))
        }
        lastFailure = failure
    }
}
