internal import Alerts
internal import HTTPClient
internal import Ledger
internal import Logging
internal import SQLite
internal import Usage

/// The deliverer's state and its one step, on the deliverer's thread.
final class DeliveryWorker {
    let services: DelivererServices
    let inbox: DeliveryInbox
    private let box: DatabaseBox
    var queue = DeliveryQueue()
    private(set) var receivers: [String: Receiver] = [:]
    /// How far the outbox was read, by receiver.
    private var cursors: [String: Cursor] = [:]
    /// Receivers that are not configured and for which something waits, and since when.
    var absent: [String: UInt64] = [:]
    var lookForAbsentAt: UInt64 = 0
    /// Under way, by sequence.
    private var flying: [Int64: Delivery] = [:]
    /// States that are not in the store yet, by sequence.
    private var unsaved: [Int64: Delivery] = [:]
    /// On their way into the store.
    private var saving: [Int64: Delivery] = [:]
    private var isSaving = false
    private var saveAgainAt: UInt64 = 0
    private var counts: [String: DeliveryReadings.Receiver] = [:]
    private var mustCountDead = true
    /// Keys of the alerts that tell of a failing receiver.
    var alarms: [String: String] = [:]
    var resends = Resends()
    private var heartbeats: Heartbeats
    private(set) var isStopping = false

    private static let pageRows = 1000
    private static let saveAgainNanos: UInt64 = 1_000_000_000
    /// With more than this waiting, top spenders are not looked up: the news must get out.
    private static let topWaitingMax = 20
    static let second: UInt64 = 1_000_000_000

    private struct Cursor {
        var sequence: Int64 = 0
        /// The outbox may hold more behind it.
        var hasMore = true
        /// What lies behind it, as last counted, and when.
        var rest = 0
        var countedAt: UInt64 = 0
    }

    private final class DatabaseBox {
        let database: Database
        init(_ database: consuming Database) { self.database = database }
    }

    init(services: DelivererServices, inbox: DeliveryInbox) throws(SQLiteError) {
        self.services = services
        self.inbox = inbox
        heartbeats = Heartbeats(services: services, inbox: inbox)
        box = DatabaseBox(try services.open())
        for key in try AlertTable.firingKeys(of: .deliveryFailed, in: box.database) {
            let parts = key.split(separator: "/")
            if parts.count == 3 { alarms[String(parts[1])] = key }
        }
    }

    /// Sees what is committed.
    func read<Value>(
        _ body: (borrowing Database) throws(SQLiteError) -> Value
    ) throws(SQLiteError) -> Value { try body(box.database) }

    /// Nothing is under way and nothing is left to store.
    var isIdle: Bool { flying.isEmpty && unsaved.isEmpty && !isSaving }

    /// Takes in what happened, sends what is due. Answers when the next one is.
    func turn() -> UInt64? {
        let news = inbox.take()
        if news.isStopping { isStopping = true }
        for stored in news.stored { saved(stored.sequences, stored.isDurable) }
        for (delivery, receiver, outcome) in news.results { ended(delivery, receiver, outcome) }
        for (receiver, outcome) in news.resent { resent(receiver, outcome) }
        if let new = news.receivers { configure(new) }
        if let new = news.heartbeat { heartbeats.configure(new) }
        for outcome in news.heartbeats { heartbeats.ended(outcome) }
        if news.hasDead { mustCountDead = true }
        if news.hasNew { for name in cursors.keys { cursors[name]?.hasMore = true } }
        var next: UInt64?
        if !isStopping {
            refill()
            next = sendDue()
            tellOfFailures()
            giveUpOnAbsent()
            next = Self.earlier(next, resendDue())
            next = Self.earlier(next, heartbeats.beat())
        }
        countDead()
        save()
        if !unsaved.isEmpty, !isSaving { next = Self.earlier(next, saveAgainAt) }
        return next
    }

    private static func earlier(_ left: UInt64?, _ right: UInt64?) -> UInt64? {
        guard let left, let right else { return left ?? right }
        return min(left, right)
    }

    var readings: DeliveryReadings {
        var readings = DeliveryReadings()
        readings.heartbeat = heartbeats.readings
        for name in receivers.keys.sorted() {
            var entry = counts[name] ?? DeliveryReadings.Receiver(name: name)
            entry.waiting = queue.count(of: name) + (cursors[name]?.rest ?? 0)
            entry.oldest = queue.oldest(of: name)
            readings.receivers.append(entry)
        }
        return readings
    }

    func count(_ receiver: String, _ change: (inout DeliveryReadings.Receiver) -> Void) {
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
        queue.configure(new)
        forgetClosed()
        for receiver in new where cursors[receiver.name] == nil {
            cursors[receiver.name] = Cursor()
        }
        lookForAbsentAt = 0
        resends.configure(new, now: services.time.monotonicNanos)
        for name in alarms.keys.sorted() where receivers[name] == nil {
            endAlarm(name, "the receiver is no longer configured")
        }
    }

    /// A receiver that comes back is read from its first row on.
    private func forgetClosed() {
        for name in cursors.keys where !queue.knows(name) { cursors[name] = nil }
    }

    private func refill() {
        for name in cursors.keys.sorted() where receivers[name] != nil {
            do throws(SQLiteError) {
                try refill(name)
            } catch {
                services.log.warn("cannot read the outbox", ("cause", error.description))
                return
            }
        }
    }

    private func refill(_ name: String) throws(SQLiteError) {
        guard var cursor = cursors[name] else { return }
        defer { cursors[name] = cursor }
        while cursor.hasMore {
            let limit = min(Self.pageRows, queue.room(for: name))
            if limit == 0 { break }
            let page = try DeliveryTable.pending(
                for: name, after: cursor.sequence, limit: limit, in: box.database)
            for delivery in page { add(delivery) }
            cursor.rest = max(0, cursor.rest - page.count)
            cursor.sequence = page.last?.sequence ?? cursor.sequence
            cursor.hasMore = page.count == limit
        }
        guard cursor.hasMore else {
            cursor.rest = 0
            return
        }
        let now = services.time.monotonicNanos
        guard now >= cursor.countedAt + Self.second || cursor.countedAt == 0 else { return }
        cursor.countedAt = now
        cursor.rest = try DeliveryTable.pendingCount(
            for: name, after: cursor.sequence, in: box.database)
    }

    private func add(_ stored: Delivery) {
        // A younger state may be on its way into the store.
        let delivery = unsaved[stored.sequence] ?? saving[stored.sequence] ?? stored
        guard delivery.state == .pending, flying[stored.sequence] == nil else { return }
        let now = services.time.monotonicNanos
        let unixNow = services.time.unixNanos
        // The wall clock may have moved since; no wait is longer than the longest step.
        let wait = min(900_000_000_000, max(0, delivery.next - unixNow))
        let age = max(0, unixNow - delivery.since)
        queue.add(
            delivery, since: Int64(clamping: now) - age,
            due: now + (delivery.attempts == 0 ? 0 : UInt64(wait)))
    }

    private func ended(_ sent: Delivery, _ receiver: Receiver, _ outcome: HTTPClientOutcome) {
        guard flying[sent.sequence] != nil else { return }
        settle(sent, Verdict(outcome, from: receiver, now: services.time.unixNanos))
    }

    /// A stop waits no longer for these: what is known is stored.
    func giveUpWaiting() {
        for delivery in flying.values.sorted(by: { $0.sequence < $1.sequence }) {
            settle(
                delivery,
                .failed(
                    status: nil, error: "costgauge stopped before it answered; it may have arrived",
                    pauseNanos: nil))
        }
    }

    private func settle(_ sent: Delivery, _ verdict: Verdict) {
        flying[sent.sequence] = nil
        let result = queue.ended(
            sent, verdict, now: services.time.monotonicNanos, unixNow: services.time.unixNanos
        ) { services.random() % $0 }
        guard let result else { return }
        if receivers[sent.receiver] == nil { forgetClosed() }
        keep(result)
        switch result.state {
        case .delivered:
            count(result.receiver) { $0.delivered += 1 }
            services.log.info(
                "a notification was delivered", ("receiver", result.receiver),
                ("alert", result.alert), ("status", result.status.rawValue),
                ("attempts", "\(result.attempts)"))
            if let note = result.error {
                services.log.warn(
                    "a notification was delivered in part", ("receiver", result.receiver),
                    ("delivery", result.id), ("cause", note))
            }
            endAlarm(result.receiver, "it takes notifications again")
        case .dead:
            count(result.receiver) { $0.dead += 1 }
            services.log.error(
                "a notification was given up", ("receiver", result.receiver),
                ("delivery", result.id), ("attempts", "\(result.attempts)"),
                ("cause", result.error ?? ""))
            raiseAlarm(result.receiver, "a notification was given up: \(result.error ?? "")")
        default:
            count(result.receiver) { $0.failed += 1 }
            services.log.warn(
                "a notification was not delivered and is tried again",
                ("receiver", result.receiver), ("delivery", result.id),
                ("attempts", "\(result.attempts)"), ("cause", result.error ?? ""))
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
            let message = message(for: delivery, to: receiver)
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
        flying[delivery.sequence] = delivery
        let inbox = inbox
        services.transport.send(request) { outcome in
            inbox.put { $0.results.append((delivery, receiver, outcome)) }
        }
    }

    private func message(for delivery: Delivery, to receiver: Receiver) -> Message? {
        guard let alert = try? AlertTable.alert(delivery.alert, in: box.database) else {
            return nil
        }
        var top: [TopSpender] = []
        if queue.count(of: delivery.receiver) <= Self.topWaitingMax {
            top = services.top(alert, box.database)
        }
        return Message(
            alert: alert, status: delivery.status, round: delivery.round, top: top,
            link: services.link(alert.id)
        ).worded(for: receiver)
    }
}

// Into the store.
extension DeliveryWorker {
    func keep(_ delivery: Delivery) {
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
        guard let letters = try? DeliveryTable.deadLetters(in: box.database) else { return }
        mustCountDead = false
        for name in Set(counts.keys).union(receivers.keys) { count(name) { $0.deadLetters = 0 } }
        for letter in letters { count(letter.receiver) { $0.deadLetters = letter.count } }
    }
}
