internal import SQLite
internal import Synchronization
internal import Usage

/// Counts what each receiver is told within a minute. Past the limit the rest of that minute is
/// held back in the store and told as one digest when the minute is over.
///
/// The counts live in memory: a restart within a minute may let up to twice the limit through. What
/// is held lies in the store and is told after a restart too.
struct StormControl {
    private struct Minute {
        var began: Int64
        var count = 0
    }

    private static let minuteNanos: Int64 = 60_000_000_000

    private var minutes: [String: Minute] = [:]
    /// Receivers with held notifications, and when their digest is due.
    private(set) var due: [String: Int64] = [:]
    /// Digests that fire: their keys, by receiver.
    var open: [String: String] = [:]

    /// Counts one more and says whether it is to be held back.
    mutating func holds(_ receiver: String, limit: Int, now: Int64) -> Bool {
        guard limit > 0 else { return false }
        var minute = minutes[receiver] ?? Minute(began: now)
        if now >= minute.began + Self.minuteNanos { minute = Minute(began: now) }
        minute.count += 1
        minutes[receiver] = minute
        guard minute.count > limit else { return false }
        due[receiver] = due[receiver] ?? minute.began + Self.minuteNanos
        return true
    }

    /// Held by an earlier process.
    mutating func restore(_ receiver: String) { due[receiver] = 0 }

    func isDue(now: Int64) -> Bool {
        due.values.contains { $0 <= now }
            || open.keys.contains { hasPassed($0, now: now) }
    }

    /// No more than a digest a minute, and its end not before a quiet minute.
    func hasPassed(_ receiver: String, now: Int64) -> Bool {
        due[receiver] == nil && now >= (minutes[receiver]?.began ?? 0) + 2 * Self.minuteNanos
    }

    mutating func told(_ receiver: String) { due[receiver] = nil }
}

// The digests.
extension AlertRecorder {
    /// Kinds that a digest names, most frequent first.
    private static let kindsMax = 4

    func recoverStorm(from database: borrowing Database) throws(SQLiteError) {
        for receiver in try DeliveryTable.receiversHeld(in: database) { storm.restore(receiver) }
        for key in try AlertTable.firingKeys(of: .alertStorm, in: database) {
            let parts = key.split(separator: "/")
            if parts.count == 3 { storm.open[String(parts[1])] = key }
        }
    }

    func tellDigests(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        for receiver in storm.open.keys.sorted() where storm.hasPassed(receiver, now: now) {
            guard let key = storm.open.removeValue(forKey: receiver) else { continue }
            try resolve(key, "no more came for a minute", in: database, now: now)
        }
        for receiver in storm.due.keys.sorted() where storm.due[receiver, default: now] <= now {
            storm.told(receiver)
            if let key = storm.open.removeValue(forKey: receiver) {
                try resolve(key, "there is a younger one", in: database, now: now)
            }
            try tellDigest(to: receiver, in: database, now: now)
        }
    }

    private func tellDigest(
        to receiver: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let held = try AlertTable.held(for: receiver, in: database)
        guard let worst = held.max(by: { $0.severity < $1.severity }) else { return }
        var counts: [String: Int] = [:]
        for alert in held { counts[alert.kind.rawValue, default: 0] += 1 }
        let kinds = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let named = kinds.prefix(Self.kindsMax).map { "\($0.value) \($0.key)" }
        let criticals = held.count { $0.severity == .critical }
        var key = "alert_storm/\(receiver)/\(now / 1_000_000_000)"
        if try AlertTable.isKnown(key, in: database) { key += "a" }
        let alert = Alert(
            id: newID("alr_"), dedupKey: key, kind: .alertStorm, severity: worst.severity,
            title: "\(held.count) more alerts within a minute",
            summary:
                "\(named.joined(separator: ", "))\(kinds.count > Self.kindsMax ? " and others" : "")"
                + "; \(criticals) critical; one of the gravest: \(worst.title)",
            startsAt: now, details: [Alert.Detail("receiver", receiver)])
        try AlertTable.insert(alert, into: database)
        try deliver(alert.id, .firing, to: receiver, key, in: database, now: now)
        try DeliveryTable.endHeld(for: receiver, by: alert.id, in: database, now: now)
        countRaised(alert)
        storm.open[receiver] = key
    }
}

extension AlertTable {
    /// The alerts that are held back for a receiver.
    static func held(
        for receiver: String, in database: borrowing Database
    ) throws(SQLiteError) -> [Alert] {
        var select = try database.prepare(
            """
            select \(columns.split(separator: ", ").map { "alerts." + $0 }.joined(separator: ", "))
            from deliveries join alerts on alerts.id = deliveries.alert
            where deliveries.state = 'held' and deliveries.receiver = ? order by deliveries.seq
            """)
        try select.bind(1, receiver)
        return try readAll(&select)
    }
}

extension DeliveryTable {
    static func receiversHeld(in database: borrowing Database) throws(SQLiteError) -> [String] {
        var select = try database.prepare(
            "select distinct receiver from deliveries where state = 'held' order by receiver")
        var names: [String] = []
        while try select.step() { names.append(select.text(0)) }
        return names
    }

    static func endHeld(
        for receiver: String, by alert: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        var statement = try database.prepare(
            """
            update deliveries set state = 'digested', ended_ns = ?, error = ?
            where state = 'held' and receiver = ?
            """)
        try statement.bind(1, now)
        try statement.bind(2, "told by the digest \(alert)")
        try statement.bind(3, receiver)
        try statement.run()
    }
}
