public import Alerts
public import Delivery
internal import Usage

/// Alerts raised and how telling of them stands.
public struct AlertReadings: Sendable {
    public var raised: [AlertRecorder.Count: Int] = [:]
    public var delivery = DeliveryReadings()

    public init() {}
}

struct AlertPage {
    let readings: AlertReadings
    /// Unix nanoseconds.
    let now: Int64

    func write(to page: inout PageWriter) {
        page.begin(MetricFamily("costgauge_alerts", .counter, "Alerts raised."))
        let counts = readings.raised.keys.sorted {
            ($0.kind.rawValue, $0.severity) < ($1.kind.rawValue, $1.severity)
        }
        for count in counts {
            page.sample(
                [("kind", count.kind.rawValue), ("severity", count.severity.word)],
                integer: Int64(readings.raised[count] ?? 0))
        }
        let receivers = readings.delivery.receivers
        page.begin(
            MetricFamily(
                "costgauge_notifications", .counter,
                "Attempts to notify, by what became of them: a failed one is tried again."))
        for receiver in receivers {
            for (outcome, count) in [
                ("dead", receiver.dead), ("delivered", receiver.delivered),
                ("failed", receiver.failed),
            ] {
                page.sample(
                    [("receiver", receiver.name), ("outcome", outcome)], integer: Int64(count))
            }
        }
        page.begin(
            MetricFamily(
                "costgauge_notification_queue", .gauge, "Notifications that wait for delivery."))
        for receiver in receivers {
            page.sample([("receiver", receiver.name)], integer: Int64(receiver.waiting))
        }
        page.begin(
            MetricFamily(
                "costgauge_notification_oldest_pending_seconds", .gauge, unit: "seconds",
                "How long the oldest notification has been waiting; 0 when none waits."))
        for receiver in receivers {
            let age = receiver.oldest.map { max(0, now - $0) } ?? 0
            page.sample([("receiver", receiver.name)], age, scale: 9)
        }
        let heartbeat = readings.delivery.heartbeat
        page.begin(
            MetricFamily(
                "costgauge_heartbeats", .counter,
                "Calls of the address that alerts.heartbeat names, by what became of them."))
        page.sample([("outcome", "failed")], integer: Int64(heartbeat?.failed ?? 0))
        page.sample([("outcome", "sent")], integer: Int64(heartbeat?.sent ?? 0))
        page.begin(
            MetricFamily(
                "costgauge_dead_letters", .gauge,
                "Notifications that were given up and can be replayed."))
        for receiver in receivers {
            page.sample([("receiver", receiver.name)], integer: receiver.deadLetters)
        }
    }
}
