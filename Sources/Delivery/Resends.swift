internal import Alerts
internal import HTTPClient
internal import Logging
internal import SQLite
internal import Usage

/// What an Alertmanager is told again every minute. It forgets an alert whose `endsAt` has passed,
/// so whatever fires is sent with one that lies ahead, and whatever is over some minutes more with
/// the end that it had. https://prometheus.io/docs/alerting/latest/clients/
///
/// Nothing of it is stored: after a restart the next minute brings it again.
struct Resends {
    static let intervalNanos: UInt64 = 60_000_000_000
    /// Of the alerts in one request.
    static let batchMax = 500
    /// A batch that the receiver's rate or breaker did not allow is looked at again after so long.
    static let againNanos: UInt64 = 1_000_000_000
    /// What is over is sent again for so long.
    static let resolvedNanos: Int64 = 15 * 60_000_000_000

    private struct Round {
        /// When the next one begins.
        var due: UInt64
        /// Alerts whose turn has come: behind this id. Nil: between two rounds.
        var after: String?
        var isInFlight = false
    }

    private var rounds: [String: Round] = [:]

    mutating func configure(_ receivers: [Receiver], now: UInt64) {
        var new: [String: Round] = [:]
        for receiver in receivers {
            guard case .alertmanager = receiver.kind else { continue }
            new[receiver.name] =
                rounds[receiver.name] ?? Round(due: now + Self.intervalNanos, after: nil)
        }
        rounds = new
    }

    /// Those that may be sent a batch now, and behind which alert it begins.
    mutating func ready(now: UInt64) -> [(receiver: String, after: String)] {
        for name in rounds.keys {
            guard let round = rounds[name], round.after == nil, round.due <= now else { continue }
            rounds[name]?.due = now + Self.intervalNanos
            rounds[name]?.after = ""
        }
        return rounds.keys.sorted().compactMap { name in
            guard let round = rounds[name], !round.isInFlight else { return nil }
            return round.after.map { (name, $0) }
        }
    }

    /// A batch up to that alert is under way; nil: the round is over.
    mutating func sent(_ receiver: String, upTo alert: String?, isInFlight: Bool) {
        rounds[receiver]?.after = alert
        rounds[receiver]?.isInFlight = isInFlight
    }

    mutating func ended(_ receiver: String) { rounds[receiver]?.isInFlight = false }

    /// When something is due that waits for nothing else.
    func next(now: UInt64) -> UInt64? {
        rounds.values.compactMap { round in
            round.after == nil ? round.due : round.isInFlight ? nil : now + Self.againNanos
        }.min()
    }
}

extension DeliveryWorker {
    /// Sends the next batch to whoever is due. Answers when to come again.
    func resendDue() -> UInt64? {
        let now = services.time.monotonicNanos
        let unixNow = services.time.unixNanos
        for (name, after) in resends.ready(now: now) {
            guard let receiver = receivers[name], queue.takesTurn(name, now: now) else { continue }
            let batch = try? read { database throws(SQLiteError) in
                try AlertTable.toRepeat(
                    to: name, after: after, limit: Resends.batchMax,
                    endedSince: unixNow - Resends.resolvedNanos, in: database)
            }
            guard let batch, let last = batch.last else {
                resends.sent(name, upTo: nil, isInFlight: false)
                continue
            }
            let messages = batch.map { alert in
                Message(alert: alert, status: alert.status, link: services.link(alert.id))
                    .worded(for: receiver)
            }
            resends.sent(
                name, upTo: batch.count == Resends.batchMax ? last.id : nil, isInFlight: true)
            let inbox = inbox
            services.transport.send(receiver.resend(messages, now: unixNow)) { outcome in
                inbox.put { $0.resent.append((receiver, outcome)) }
            }
        }
        return resends.next(now: now)
    }

    /// A receiver that is down is noticed by its resends too.
    func resent(_ receiver: Receiver, _ outcome: HTTPClientOutcome) {
        resends.ended(receiver.name)
        let now = services.time.monotonicNanos
        switch Verdict(outcome, from: receiver, now: services.time.unixNanos) {
        case .delivered:
            queue.answered(receiver.name, now: now)
            endAlarm(receiver.name, "it takes notifications again")
        case .failed(_, let error, let pause):
            queue.failed(receiver.name, pause: pause, now: now)
            services.log.warn(
                "firing alerts were not sent again", ("receiver", receiver.name), ("cause", error))
        case .refused(_, let error):
            queue.answered(receiver.name, now: now)
            services.log.warn(
                "firing alerts were not sent again", ("receiver", receiver.name), ("cause", error))
        }
    }
}
