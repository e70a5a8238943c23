internal import Alerts
public import HTTPClient
public import Logging
public import Usage

/// Sends a sample to a receiver and tells what it answered; nothing of it is stored.
public struct ReceiverTest: Sendable {
    public enum Outcome: Equatable, Sendable {
        case delivered(status: Int)
        case failed(String)
    }

    private let receiver: Receiver
    private let transport: any HTTPTransport
    private let time: any TimeSource
    private let id: String
    private let log: Logger

    public init(
        receiver: Receiver, transport: any HTTPTransport, time: any TimeSource, id: String,
        log: Logger
    ) {
        self.receiver = receiver
        self.transport = transport
        self.time = time
        self.id = id
        self.log = log
    }

    /// `completion` runs once, on any thread.
    public func run(_ completion: @escaping @Sendable (Outcome) -> Void) {
        send(.firing) { outcome in
            // A test must leave no incident open.
            switch (receiver.kind, outcome) {
            case (.pagerDuty, .delivered), (.alertmanager, .delivered):
                send(.resolved, completion)
            default: completion(outcome)
            }
        }
    }

    private func send(_ status: AlertStatus, _ completion: @escaping @Sendable (Outcome) -> Void) {
        let now = time.unixNanos
        let message = Message(alert: sample(now), status: status).worded(for: receiver)
        guard let request = receiver.request(message, now: now) else {
            message.write(to: log)
            return completion(.delivered(status: 200))
        }
        transport.send(request) { outcome in
            switch Verdict(outcome, from: receiver, now: now) {
            case .delivered(let status, nil): completion(.delivered(status: status))
            case .delivered(_, let note?): completion(.failed(note))
            case .failed(_, let error, _), .refused(_, let error): completion(.failed(error))
            }
        }
    }

    private func sample(_ now: Int64) -> Alert {
        var alert = Alert(
            id: id, dedupKey: "test/\(receiver.name)/\(now / 1_000_000_000)", kind: .test,
            severity: .warning, title: "Test: acme has used 92% of tenant-monthly",
            summary: "This is a test of costgauge: $92.10 of $100.00 this month",
            startsAt: now)
        let day: Int64 = 86_400
        let today = now / 1_000_000_000 / day * day
        var budget = AlertBudget(
            name: "tenant-monthly",
            scope: [AlertBudget.Entry(dimension: "tenant", value: "acme")],
            periodStart: today - 20 * day, periodEnd: today + 10 * day,
            limit: NanoUSD(nanos: 100_000_000_000), spent: NanoUSD(nanos: 92_100_000_000))
        budget.threshold = "0.9"
        budget.crossed = ["0.9"]
        budget.forecast = NanoUSD(nanos: 131_020_000_000)
        alert.budget = budget
        return alert
    }
}

extension Message {
    /// The notification of a `log` receiver.
    func write(to log: Logger) {
        log.warn(
            "alert: " + title, ("kind", alert.kind.rawValue), ("status", status.rawValue),
            ("severity", alert.severity.word), ("summary", summary), ("alert", alert.id),
            ("dedup_key", alert.dedupKey))
    }
}
