public import SQLite
internal import Synchronization
internal import Usage

// What is told again while it fires, and who has said that they look at it.
extension AlertRecorder {
    private static let repeatCheckNanos: Int64 = 10_000_000_000
    /// Firing alerts that are looked at in one go, oldest first.
    static let repeatAlertsMax = 1000

    func isRepeatDue(now: Int64) -> Bool {
        now >= nextRepeat && router.withLock { $0.hasRepeats }
    }

    /// Tells criticals again whose last notification is older than their route says, unless they
    /// are silenced. A receiver that still waits for the last one, because it is down, gets no
    /// second.
    func tellAgain(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        nextRepeat = now + Self.repeatCheckNanos
        let alerts = try AlertTable.unattended(
            severity: .critical, limit: Self.repeatAlertsMax, in: database)
        for alert in alerts where silences.silence(of: alert, now: now) == nil {
            let repeats = router.withLock { $0.repeats(of: alert) }
            for (receiver, nanos) in repeats.sorted(by: { $0.key < $1.key }) {
                let last = try DeliveryTable.lastFiring(of: alert.id, to: receiver, in: database)
                guard let last, last.state != .pending, last.state != .held,
                    last.created + nanos <= now
                else { continue }
                try deliver(
                    alert.id, .firing, to: receiver, alert.dedupKey, round: last.round + 1,
                    in: database, now: now)
            }
        }
    }

    /// Remembers who looks at a firing alert and tells those receivers that keep track of it. False
    /// when the alert does not fire.
    @discardableResult
    public func acknowledge(
        _ dedupKey: String, by: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Bool {
        let id = try AlertTable.acknowledge(dedupKey, by: by, in: database, now: now)
        guard let id else { return false }
        for receiver in try DeliveryTable.receiversTold(of: id, in: database)
        where router.withLock({ $0.profile(receiver)?.sendsAcknowledged ?? false }) {
            try deliver(id, .acknowledged, to: receiver, dedupKey, in: database, now: now)
        }
        return true
    }
}

extension AlertTable {
    /// Alerts that fire and that nobody has acknowledged, oldest first.
    static func unattended(
        severity: Severity, limit: Int, in database: borrowing Database
    ) throws(SQLiteError) -> [Alert] {
        var select = try database.prepare(
            """
            select \(columns) from alerts
            where status = 'firing' and acked_ns is null and severity = ?
            order by starts_ns limit ?
            """)
        try select.bind(1, severity.word)
        try select.bind(2, Int64(limit))
        return try readAll(&select)
    }

    /// Its id; nil when no alert of that key fires.
    static func acknowledge(
        _ dedupKey: String, by: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> String? {
        var update = try database.prepare(
            """
            update alerts set acked_ns = ?, acked_by = ?
            where dedup_key = ? and status = 'firing' returning id
            """)
        try update.bind(1, now)
        try update.bind(2, by)
        try update.bind(3, dedupKey)
        var id: String?
        while try update.step() { id = update.text(0) }
        return id
    }
}

extension DeliveryTable {
    /// The last notification of a receiver that an alert fires.
    static func lastFiring(
        of alert: String, to receiver: String, in database: borrowing Database
    ) throws(SQLiteError) -> Delivery? {
        var select = try database.prepare(
            """
            select \(columns) from deliveries
            where alert = ? and receiver = ? and status = 'firing'
            order by seq desc limit 1
            """)
        try select.bind(1, alert)
        try select.bind(2, receiver)
        return try read(&select).first
    }
}
