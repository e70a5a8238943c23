public import Alerts
internal import HTTPClient
internal import Usage
internal import Wire

/// What one delivery says: the alert as it is now, with what was looked up for this attempt.
public struct Message: Equatable, Sendable {
    public var alert: Alert
    /// Whether it tells that the alert fires or that it is over; the alert itself may be over
    /// already when its first notification leaves.
    public var status: AlertStatus
    public var top: [TopSpender]
    /// Where to look at it.
    public var link: String?

    public init(alert: Alert, status: AlertStatus, top: [TopSpender] = [], link: String? = nil) {
        self.alert = alert
        self.status = status
        self.top = top
        self.link = link
        if status != alert.status {
            self.alert.status = status
            if status == .firing { self.alert.endsAt = nil }
        }
    }

    var title: String { status == .resolved ? "Resolved: \(alert.title)" : alert.title }

    /// What has happened, and once it is over, why.
    var summary: String {
        guard status == .resolved, let resolution = alert.resolution else { return alert.summary }
        return "\(alert.summary). It is over: \(resolution)."
    }
}

extension Receiver {
    /// The request that tells `message`; nil for receivers that are not reached by HTTP.
    ///
    /// - Parameter now: Unix nanoseconds of this attempt.
    func request(_ message: Message, now: Int64) -> HTTPClientRequest? {
        var request: HTTPClientRequest
        switch kind {
        case .slack(let url):
            request = HTTPClientRequest(url: url.reveal(), body: SlackMessage.body(message))
        case .pagerDuty(let url, let routingKey):
            request = HTTPClientRequest(
                url: url, body: PagerDutyMessage.body(message, routingKey: routingKey.reveal()))
        case .webhook(let url, let secrets):
            let body = WebhookMessage.body(message)
            request = HTTPClientRequest(url: url.reveal(), body: body)
            request.headers = WebhookMessage.headers(
                message, body, secrets: secrets, unixSeconds: now / 1_000_000_000)
        case .log: return nil
        }
        request.headers.append(("Content-Type", "application/json"))
        request.headers += headers.map { ($0.name, $0.value.reveal()) }
        request.totalMillis = timeoutMillis
        request.connectMillis = min(5000, timeoutMillis)
        request.proxy = proxy?.reveal()
        return request
    }
}

/// Cuts texts to what a service takes.
enum Cut {
    /// At most so many characters (Unicode scalars, as services count them at most), the last one
    /// an ellipsis when something was cut off.
    static func text(_ text: String, _ max: Int) -> String {
        let scalars = text.unicodeScalars
        guard scalars.count > max else { return text }
        return String(String.UnicodeScalarView(scalars.prefix(max - 1))) + "…"
    }
}
