internal import Alerts
internal import Ledger
internal import Logging
internal import SQLite
internal import Usage

// A receiver that cannot be reached is told to the others.
extension DeliveryWorker {
    /// A receiver that has failed for so long is told of.
    static let alarmNanos: UInt64 = 600_000_000_000
    /// What waits for a receiver that is no longer configured waits so long for its return.
    static let absenceNanos: UInt64 = 3_600_000_000_000
    private static let absenceCheckNanos: UInt64 = 60_000_000_000

    func tellOfFailures() {
        let now = services.time.monotonicNanos
        for name in receivers.keys.sorted() where alarms[name] == nil {
            guard let since = queue.failingSince(name), now >= since + Self.alarmNanos else {
                continue
            }
            let waiting = readings.receivers.first { $0.name == name }?.waiting ?? 0
            raiseAlarm(
                name,
                "it has taken nothing for \((now - since) / 60_000_000_000) minutes; "
                    + "\(waiting) notifications wait for it")
        }
    }

    func raiseAlarm(_ receiver: String, _ cause: String) {
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

    func endAlarm(_ receiver: String, _ resolution: String) {
        guard let key = alarms.removeValue(forKey: receiver) else { return }
        let recorder = services.recorder
        let now = services.time.unixNanos
        services.write { database throws(SQLiteError) in
            try recorder.resolve(key, resolution, in: database, now: now)
        } _: { _ in
        }
    }

    /// Rows of receivers that are gone for good become dead letters; one that was only taken out
    /// and put in again by reloads finds its rows as they were.
    func giveUpOnAbsent() {
        let now = services.time.monotonicNanos
        guard now >= lookForAbsentAt else { return }
        lookForAbsentAt = now + Self.absenceCheckNanos
        let waited = try? read { database throws(SQLiteError) in
            try DeliveryTable.receiversWaitedFor(in: database)
        }
        guard let waited else { return }
        let gone = waited.filter { receivers[$0] == nil }
        for name in absent.keys where !gone.contains(name) { absent[name] = nil }
        for name in gone {
            guard let since = absent[name] else {
                absent[name] = now
                services.log.warn(
                    "notifications wait for a receiver that is not configured; they are given up "
                        + "in an hour", ("receiver", name))
                continue
            }
            guard now >= since + Self.absenceNanos else { continue }
            giveUp(on: name)
        }
    }

    private func giveUp(on receiver: String) {
        absent[receiver] = nil
        let reason = "the receiver is no longer configured"
        let now = services.time.unixNanos
        let inbox = inbox
        services.log.error(
            "notifications were given up", ("receiver", receiver), ("cause", reason))
        services.write { database throws(SQLiteError) in
            try DeliveryTable.giveUp(on: receiver, reason, in: database, now: now)
        } _: { _ in
            inbox.put { $0.hasDead = true }
        }
    }
}
