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
    /// How often it was told before while it fires.
    public var round: Int
    public var top: [TopSpender]
    /// Where to look at it.
    public var link: String?
    /// What to do about it.
    public var runbook: String?

    public init(
        alert: Alert, status: AlertStatus, round: Int = 0, top: [TopSpender] = [],
        link: String? = nil
    ) {
        self.alert = alert
        self.status = status
        self.round = round
        self.top = top
        self.link = link
        if status != alert.status {
            self.alert.status = status
            if status == .firing { self.alert.endsAt = nil }
        }
    }

    var title: String {
        switch status {
        case .resolved: "Resolved: \(alert.title)"
        case .acknowledged: "Acknowledged: \(alert.title)"
        case .firing where round > 0: "Still firing: \(alert.title)"
        case .firing, .recorded: alert.title
        }
    }

    /// What has happened, and once it is over, why.
    var summary: String {
        guard status == .resolved, let resolution = alert.resolution else { return alert.summary }
        return "\(alert.summary). It is over: \(resolution)."
    }

    /// The same on every attempt and different for each notification.
    var id: String {
        "\(alert.id)-\(status.rawValue)" + (round > 0 ? "-\(round)" : "")
    }

    /// With the words that a receiver's templates give it.
    func worded(for receiver: Receiver) -> Message {
        var message = self
        let wording = receiver.wording
        message.runbook = wording.runbook.map { $0.render(self, escape: PercentEncoding.encode) }
        let source = message
        if let title = wording.title {
            message.alert.title = Cut.text(title.render(source), Template.titleMax)
        }
        if let text = wording.text {
            message.alert.summary = Cut.text(text.render(source), Template.textMax)
        }
        return message
    }
}

extension Receiver {
    /// The request that tells `message`; nil for receivers that are not reached over the network.
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
        case .alertmanager: return resend([message], now: now)
        case .teams(let url):
            request = HTTPClientRequest(url: url.reveal(), body: TeamsMessage.body(message))
        case .email(let mailbox):
            request = HTTPClientRequest(
                url: mailbox.url, body: EmailMessage.body(message, mailbox, now: now))
            request.mail = mailbox.envelope
            prepare(&request)
            return request
        case .log: return nil
        }
        request.headers.append(("Content-Type", "application/json"))
        prepare(&request)
        return request
    }

    /// The request that tells an Alertmanager of several alerts.
    func resend(_ messages: [Message], now: Int64) -> HTTPClientRequest {
        var url = ""
        if case .alertmanager(let base) = kind { url = base.reveal() }
        if url.hasSuffix("/") { url.removeLast() }
        var request = HTTPClientRequest(
            url: url + "/api/v2/alerts", body: AlertmanagerMessage.body(messages, now: now))
        request.headers.append(("Content-Type", "application/json"))
        prepare(&request)
        return request
    }

    private func prepare(_ request: inout HTTPClientRequest) {
        request.headers += headers.map { ($0.name, $0.value.reveal()) }
        request.totalMillis = timeoutMillis
        request.connectMillis = min(5000, timeoutMillis)
        request.proxy = proxy?.reveal()
        request.authorities = authorities
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
