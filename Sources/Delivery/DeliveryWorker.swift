internal import Alerts
internal import HTTPClient
internal import Ledger
internal import Logging
internal import SQLite
internal import Usage

/// The deliverer's state and its one step, on the deliverer's thread.
final class DeliveryWorker {
    private let services: DelivererServices
    private let inbox: DeliveryInbox
    private let database: DatabaseBox
    private var queue = DeliveryQueue()
    private var receivers: [String: Receiver] = [:]
    /// Up to here the outbox was read.
    private var lastSequence: Int64 = 0
    /// The outbox may hold more behind `lastSequence`.
    private var hasMore = true
    private var inFlight = 0
    /// States that are not in the store yet, by sequence.
    private var unsaved: [Int64: Delivery] = [:]
    /// On their way into the store.
    private var saving: [Int64: Delivery] = [:]
    private var isSaving = false
    private var saveAgainAt: UInt64 = 0
    private var counts: [String: DeliveryReadings.Receiver] = [:]
    private var mustCountDead = true
    /// Keys of the alerts that tell of a failing receiver.
    private var alarms: [String: String] = [:]
    private(set) var isStopping = false

    /// A receiver that has failed for so long is told of.
    static let alarmNanos: UInt64 = 600_000_000_000
    private static let pageRows = 1000
    private static let saveAgainNanos: UInt64 = 1_000_000_000
    /// With more than this waiting, top spenders are not looked up: the news must get out.
    private static let topWaitingMax = 20

    private final class DatabaseBox {
        let database: Database
        init(_ database: consuming Database) { self.database = database }
    }

    init(services: DelivererServices, inbox: DeliveryInbox) throws(SQLiteError) {
        self.services = services
        self.inbox = inbox
        database = DatabaseBox(try services.open())
        for key in try AlertTable.firingKeys(of: .deliveryFailed, in: database.database) {
            let parts = key.split(separator: "/")
            if parts.count == 3 { alarms[String(parts[1])] = key }
        }
    }

    /// Nothing is under way and nothing is left to store.
    var isIdle: Bool { inFlight == 0 && unsaved.isEmpty && !isSaving }

    /// Takes in what happened, sends what is due. Answers when the next one is.
    func turn() -> UInt64? {
        let news = inbox.take()
        if news.isStopping { isStopping = true }
        for stored in news.stored { saved(stored.sequences, stored.isDurable) }
        for (delivery, outcome) in news.results { ended(delivery, outcome) }
        if let new = news.receivers { configure(new) }
        if news.hasNew { hasMore = true }
        var next: UInt64?
        if !isStopping {
            refill()
            next = sendDue()
            tellOfFailures()
        }
        countDead()
        save()
        if !unsaved.isEmpty, !isSaving { next = min(next ?? .max, saveAgainAt) }
        return next
    }

    var readings: DeliveryReadings {
        var readings = DeliveryReadings()
        for name in receivers.keys.sorted() {
            var entry = counts[name] ?? DeliveryReadings.Receiver(name: name)
            (entry.waiting, entry.oldest) = queue.waiting(for: name)
            readings.receivers.append(entry)
        }
        return readings
    }

    private func count(
        _ receiver: String, _ change: (inout DeliveryReadings.Receiver) -> Void
    ) {
        var entry = counts[receiver] ?? DeliveryReadings.Receiver(name: receiver)
        change(&entry)
        counts[receiver] = entry
    }
}

// In.
extension DeliveryWorker {
    private func configure(_ new: [Receiver]) {
        receivers = [:]
        for receiver in new { receivers[receiver.name] = receiver }
        for delivery in queue.configure(new) { giveUp(delivery) }
        for name in alarms.keys.sorted() where receivers[name] == nil {
            endAlarm(name, "the receiver is no longer configured")
        }
    }

    private func giveUp(_ delivery: Delivery) {
        var delivery = delivery
        delivery.state = .dead
        delivery.ended = services.time.unixNanos
        delivery.error = "the receiver is no longer configured"
        keep(delivery)
        services.log.warn(
            "a notification was given up", ("receiver", delivery.receiver),
            ("delivery", delivery.id), ("cause", "the receiver is no longer configured"))
    }

    private func refill() {
        while hasMore, queue.count < Deliverer.itemsMax {
            do throws(SQLiteError) {
                let limit = min(Self.pageRows, Deliverer.itemsMax - queue.count)
                let page = try DeliveryTable.pending(
                    after: lastSequence, limit: limit, in: database.database)
                for delivery in page { add(delivery) }
                hasMore = page.count == limit
            } catch {
                services.log.warn("cannot read the outbox", ("cause", error.description))
                return
            }
        }
    }

    private func add(_ delivery: Delivery) {
        lastSequence = delivery.sequence
        guard queue.knows(delivery.receiver) else { return giveUp(delivery) }
        let now = services.time.monotonicNanos
        let unixNow = services.time.unixNanos
        // The wall clock may have moved since; no wait is longer than the longest step.
        let wait = min(900_000_000_000, max(0, delivery.next - unixNow))
        let age = max(0, unixNow - delivery.since)
        queue.add(
            delivery, since: Int64(clamping: now) - age,
            due: now + (delivery.attempts == 0 ? 0 : UInt64(wait)))
    }

    private func ended(_ sent: Delivery, _ outcome: HTTPClientOutcome) {
        inFlight -= 1
        guard let receiver = receivers[sent.receiver] else { return }
        settle(sent, Verdict(outcome, from: receiver, now: services.time.unixNanos))
    }

    private func settle(_ sent: Delivery, _ verdict: Verdict) {
        let result = queue.ended(
            sent, verdict, now: services.time.monotonicNanos, unixNow: services.time.unixNanos
        ) { services.random() % $0 }
        guard let result else { return }
        keep(result)
        switch result.state {
        case .delivered:
            count(result.receiver) { $0.delivered += 1 }
            services.log.info(
                "a notification was delivered", ("receiver", result.receiver),
                ("alert", result.alert), ("status", result.status.rawValue),
                ("attempts", "\(result.attempts)"))
            endAlarm(result.receiver, "it takes notifications again")
        case .pending:
            count(result.receiver) { $0.failed += 1 }
            services.log.warn(
                "a notification was not delivered and is tried again",
                ("receiver", result.receiver), ("delivery", result.id),
                ("attempts", "\(result.attempts)"), ("cause", result.error ?? ""))
        case .dead:
            count(result.receiver) { $0.dead += 1 }
            services.log.error(
                "a notification was given up", ("receiver", result.receiver),
                ("delivery", result.id), ("attempts", "\(result.attempts)"),
                ("cause", result.error ?? ""))
            raiseAlarm(result.receiver, "a notification was given up: \(result.error ?? "")")
        }
    }
}

// Out.
extension DeliveryWorker {
    private func sendDue() -> UInt64? {
        while true {
            switch queue.next(now: services.time.monotonicNanos) {
            case .wait(let until): return until
            case .send(let delivery): send(delivery)
            }
        }
    }

    private func send(_ delivery: Delivery) {
        guard let receiver = receivers[delivery.receiver],
            let message = message(for: delivery)
        else {
            settle(delivery, .refused(status: nil, error: "its alert is no longer stored"))
            return
        }
        let now = services.time.unixNanos
        guard let request = receiver.request(message, now: now) else {
            message.write(to: services.log)
            settle(delivery, .delivered(status: 200))
            return
        }
        inFlight += 1
        let inbox = inbox
        services.transport.send(request) { outcome in
            inbox.put { $0.results.append((delivery, outcome)) }
        }
    }

    private func message(for delivery: Delivery) -> Message? {
        guard let alert = try? AlertTable.alert(delivery.alert, in: database.database) else {
            return nil
        }
        var message = Message(
            alert: alert, status: delivery.status, link: services.link(alert.id))
        if queue.waiting(for: delivery.receiver).count <= Self.topWaitingMax {
            message.top = services.top(alert, database.database)
        }
        return message
    }
}

// Into the store.
extension DeliveryWorker {
    private func keep(_ delivery: Delivery) {
        unsaved[delivery.sequence] = delivery
        if delivery.state == .dead { mustCountDead = true }
    }

    private func save() {
        guard !unsaved.isEmpty, !isSaving, services.time.monotonicNanos >= saveAgainAt else {
            return
        }
        isSaving = true
        let changed = unsaved.values.sorted { $0.sequence < $1.sequence }
        let inbox = inbox
        services.write { database throws(SQLiteError) in
            for delivery in changed { try DeliveryTable.update(delivery, in: database) }
        } _: { isDurable in
            inbox.put {
                $0.stored.append((sequences: changed.map(\.sequence), isDurable: isDurable))
            }
        }
        for delivery in changed { saving[delivery.sequence] = delivery }
        unsaved.removeAll()
    }

    private func saved(_ sequences: [Int64], _ isDurable: Bool) {
        isSaving = false
        for sequence in sequences {
            guard let delivery = saving.removeValue(forKey: sequence), !isDurable,
                unsaved[sequence] == nil
            else { continue }
            unsaved[sequence] = delivery
        }
        if !isDurable { saveAgainAt = services.time.monotonicNanos + Self.saveAgainNanos }
        mustCountDead = true
    }

    private func countDead() {
        guard mustCountDead, !isSaving else { return }
        guard let letters = try? DeliveryTable.deadLetters(in: database.database) else { return }
        mustCountDead = false
        for name in Set(counts.keys).union(receivers.keys) { count(name) { $0.deadLetters = 0 } }
        for letter in letters { count(letter.receiver) { $0.deadLetters = letter.count } }
    }
}

// A receiver that cannot be reached is told to the others.
extension DeliveryWorker {
    private func tellOfFailures() {
        let now = services.time.monotonicNanos
        for name in receivers.keys.sorted() where alarms[name] == nil {
            guard let since = queue.failingSince(name), now >= since + Self.alarmNanos else {
                continue
            }
            let waiting = queue.waiting(for: name).count
            raiseAlarm(
                name,
                "it has taken nothing for \((now - since) / 60_000_000_000) minutes; "
                    + "\(waiting) notifications wait for it")
        }
    }

    private func raiseAlarm(_ receiver: String, _ cause: String) {
        guard alarms[receiver] == nil else { return }
        let recorder = services.recorder
        let now = services.time.unixNanos
        let key = "delivery_failed/\(receiver)/\(now / 1_000_000_000)"
        alarms[receiver] = key
        let alert = Alert(
            id: recorder.newID("alr_"), dedupKey: key, kind: .deliveryFailed, severity: .warning,
            title: "\(receiver) does not receive alerts", summary: cause, startsAt: now,
            details: [Alert.Detail("receiver", receiver)])
        services.write { database throws(SQLiteError) in
            try recorder.raise(alert, in: database, now: now)
        } _: { _ in
        }
    }

    private func endAlarm(_ receiver: String, _ resolution: String) {
        guard let key = alarms.removeValue(forKey: receiver) else { return }
        let recorder = services.recorder
        let now = services.time.unixNanos
        services.write { database throws(SQLiteError) in
            try recorder.resolve(key, resolution, in: database, now: now)
        } _: { _ in
        }
    }
}
