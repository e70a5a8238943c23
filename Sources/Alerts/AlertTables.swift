internal import JSON
public import SQLite
internal import Usage
internal import Wire

/// What became of telling one receiver of an alert.
public enum DeliveryState: String, CaseIterable, Sendable {
    case pending, delivered
    /// Given up: a dead letter, kept until it is replayed or too old.
    case dead
    /// Came in a storm of alerts and waits for the digest of its minute.
    case held
    /// Told by a digest.
    case digested
}

/// One row of the outbox: an alert, or its end, on its way to one receiver.
public struct Delivery: Equatable, Sendable {
    /// Grows with each delivery and each replay.
    public var sequence: Int64
    public let id: String
    public let alert: String
    /// Which of the alert's notifications: that it fires or that it is over.
    public let status: AlertStatus
    public let receiver: String
    public let dedupKey: String
    public var state: DeliveryState
    public var attempts: Int
    /// Unix nanoseconds.
    public let created: Int64
    /// When trying began: its creation, or the last replay.
    public var since: Int64
    public var next: Int64
    public var ended: Int64?
    /// HTTP status of the last attempt.
    public var answer: Int?
    /// What was wrong with the last attempt; holds no secrets.
    public var error: String?
    /// 0, and for the n-th repeat of a notification n.
    public var round = 0

    public init(
        sequence: Int64, id: String, alert: String, status: AlertStatus, receiver: String,
        dedupKey: String, created: Int64
    ) {
        self.sequence = sequence
        self.id = id
        self.alert = alert
        self.status = status
        self.receiver = receiver
        self.dedupKey = dedupKey
        state = .pending
        attempts = 0
        self.created = created
        since = created
        next = created
    }
}

/// The rows of alerts. Writes come from the writer's transactions only.
public enum AlertTable {
    static func insert(_ alert: Alert, into database: borrowing Database) throws(SQLiteError) {
        var statement = try database.prepare(
            """
            insert into alerts (id, dedup_key, kind, status, severity, title, summary, starts_ns,
                ends_ns, budget, details, resolution)
            values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        let texts = [
            alert.id, alert.dedupKey, alert.kind.rawValue, alert.status.rawValue,
            alert.severity.word, alert.title, alert.summary,
        ]
        for (index, text) in texts.enumerated() { try statement.bind(Int32(index) + 1, text) }
        try statement.bind(8, alert.startsAt)
        if let ends = alert.endsAt { try statement.bind(9, ends) }
        if let budget = alert.budget {
            var bytes: [UInt8] = []
            budget.appendJSON(to: &bytes)
            try statement.bind(10, text: bytes.span)
        }
        if !alert.details.isEmpty {
            try statement.bind(11, text: Self.json(of: alert.details).span)
        }
        if let resolution = alert.resolution { try statement.bind(12, resolution) }
        try statement.run()
    }

    private static func json(of details: [Alert.Detail]) -> [UInt8] {
        var bytes: [UInt8] = []
        for detail in details {
            bytes.append(bytes.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            bytes.appendJSONString(detail.name)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(detail.value)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// True when the key was raised before, whatever became of it.
    public static func isKnown(_ dedupKey: String, in database: borrowing Database)
        throws(SQLiteError)
        -> Bool
    {
        var select = try database.prepare("select 1 from alerts where dedup_key = ?")
        try select.bind(1, dedupKey)
        return try select.step()
    }

    /// Ends the firing alert of that key; nil when there is none.
    static func resolve(
        _ dedupKey: String, _ resolution: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> String? {
        var update = try database.prepare(
            """
            update alerts set status = 'resolved', ends_ns = ?, resolution = ?
            where dedup_key = ? and status = 'firing' returning id
            """)
        try update.bind(1, now)
        try update.bind(2, resolution)
        try update.bind(3, dedupKey)
        var id: String?
        while try update.step() { id = update.text(0) }
        return id
    }

    static let columns =
        """
        id, dedup_key, kind, status, severity, title, summary, starts_ns, ends_ns, budget, \
        details, resolution, acked_ns, acked_by
        """

    public static func alert(
        _ id: String, in database: borrowing Database
    ) throws(SQLiteError) -> Alert? {
        var select = try database.prepare("select \(columns) from alerts where id = ?")
        try select.bind(1, id)
        return try select.step() ? read(select) : nil
    }

    /// Keys of firing alerts that are `base`, or `base/2` and so on.
    public static func firingKeys(
        of base: String, in database: borrowing Database
    ) throws(SQLiteError) -> [String] {
        // "0" follows "/" in ASCII.
        var select = try database.prepare(
            """
            select dedup_key from alerts
            where (dedup_key = ?1 or (dedup_key > ?1 || '/' and dedup_key < ?1 || '0'))
                and status = 'firing'
            """)
        try select.bind(1, base)
        var keys: [String] = []
        while try select.step() {
            let key = select.text(0)
            let rest = key.dropFirst(base.count + 1)
            if rest.allSatisfy({ $0.isASCII && $0.isNumber }) { keys.append(key) }
        }
        return keys
    }

    static func budget(
        ofFiring dedupKey: String, in database: borrowing Database
    ) throws(SQLiteError) -> AlertBudget? {
        var select = try database.prepare(
            "select budget from alerts where dedup_key = ? and status = 'firing'")
        try select.bind(1, dedupKey)
        guard try select.step(), !select.isNull(0),
            let json = try? JSONValue.read(Array(select.text(0).utf8))
        else { return nil }
        return AlertBudget(json)
    }

    /// Keys of alerts of a kind that still fire.
    public static func firingKeys(
        of kind: AlertKind, in database: borrowing Database
    ) throws(SQLiteError) -> [String] {
        var select = try database.prepare(
            "select dedup_key from alerts where kind = ? and status = 'firing' order by starts_ns")
        try select.bind(1, kind.rawValue)
        var keys: [String] = []
        while try select.step() { keys.append(select.text(0)) }
        return keys
    }

    /// Youngest first; `before` is the start and the id of the last one of the page before.
    public static func list(
        status: AlertStatus?, kind: AlertKind?, before: (starts: Int64, id: String)?, limit: Int,
        in database: borrowing Database
    ) throws(SQLiteError) -> [Alert] {
        var select = try database.prepare(
            """
            select \(columns) from alerts
            where (?1 = '' or status = ?1
                    or ?1 = 'acknowledged' and status = 'firing' and acked_ns is not null)
                and (?2 = '' or kind = ?2) and (starts_ns, id) < (?3, ?4)
            order by starts_ns desc, id desc limit ?5
            """)
        try select.bind(1, status?.rawValue ?? "")
        try select.bind(2, kind?.rawValue ?? "")
        try select.bind(3, before?.starts ?? .max)
        try select.bind(4, before?.id ?? "")
        try select.bind(5, Int64(limit))
        return try readAll(&select)
    }

    static func readAll(_ select: inout Statement) throws(SQLiteError) -> [Alert] {
        var alerts: [Alert] = []
        while try select.step() { if let alert = read(select) { alerts.append(alert) } }
        return alerts
    }

    private static func read(_ row: borrowing Statement) -> Alert? {
        guard let kind = AlertKind(rawValue: row.text(2)),
            let status = AlertStatus(rawValue: row.text(3)),
            let severity = Severity(word: row.text(4))
        else { return nil }
        var alert = Alert(
            id: row.text(0), dedupKey: row.text(1), kind: kind, status: status, severity: severity,
            title: row.text(5), summary: row.text(6), startsAt: row.integer(7),
            endsAt: row.isNull(8) ? nil : row.integer(8))
        if !row.isNull(9), let json = try? JSONValue.read(Array(row.text(9).utf8)) {
            alert.budget = AlertBudget(json)
        }
        if !row.isNull(10), let json = try? JSONValue.read(Array(row.text(10).utf8)) {
            alert.details = (json.members ?? []).map {
                Alert.Detail($0.key, $0.value.string ?? "")
            }
        }
        alert.resolution = row.isNull(11) ? nil : row.text(11)
        if !row.isNull(12) {
            alert.acknowledged = .init(at: row.integer(12), by: row.text(13))
        }
        return alert
    }

    /// Forgets alerts that are over and whose deliveries have ended.
    static func prune(_ database: borrowing Database, before: Int64) throws(SQLiteError) {
        try database.execute(
            """
            delete from deliveries where state != 'pending' and ended_ns < \(before);
            delete from alerts where status != 'firing' and ifnull(ends_ns, starts_ns) < \(before)
                and id not in (select alert from deliveries);
            """)
    }
}
