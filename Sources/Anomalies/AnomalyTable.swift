internal import JSON
public import SQLite
internal import Usage
internal import Wire

/// The rows of anomalies. Writes come from the writer's transactions only.
public enum AnomalyTable {
    private static let columns =
        """
        id, kind, dimension, value, grade, status, start, detected_ns, ends_ns, observed_nanousd,
        expected_nanousd, ratio_mille, span, title, summary, top, silence, cause, acknowledged_ns,
        acknowledged_by, note, snoozed_until_ns, horizon, last_seen, name
        """

    static func write(
        _ anomaly: Anomaly, horizon: Int, lastSeen: Int64, name: NameID,
        in database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare(
            """
            insert into anomalies (\(columns))
            values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            on conflict (id) do update set
                grade = excluded.grade, status = excluded.status, ends_ns = excluded.ends_ns,
                observed_nanousd = excluded.observed_nanousd,
                expected_nanousd = excluded.expected_nanousd, ratio_mille = excluded.ratio_mille,
                span = excluded.span, title = excluded.title, summary = excluded.summary,
                top = excluded.top, silence = excluded.silence, cause = excluded.cause,
                horizon = excluded.horizon, last_seen = excluded.last_seen
            """)
        let integers: [(Int32, Int64?)] = [
            (1, anomaly.id), (5, Int64(anomaly.grade.rawValue)), (7, anomaly.startsAt),
            (8, anomaly.detectedAt), (9, anomaly.endsAt), (10, anomaly.observed.nanos),
            (11, anomaly.expected.nanos), (12, mille(anomaly.ratio)), (13, anomaly.spanSeconds),
            (18, anomaly.cause), (19, anomaly.acknowledged?.at), (22, anomaly.snoozedUntil),
            (23, Int64(horizon)), (24, lastSeen), (25, Int64(name)),
        ]
        for (index, value) in integers { try insert.bind(index, optional: value) }
        let texts: [(Int32, String)] = [
            (2, anomaly.kind.description), (3, anomaly.dimension.description), (4, anomaly.value),
            (6, anomaly.status.stored), (14, anomaly.title), (15, anomaly.summary),
            (16, json(anomaly.top).text),
        ]
        for (index, value) in texts { try insert.bind(index, value) }
        if let silence = anomaly.silence { try insert.bind(17, silence.rawValue) }
        try insert.run()
    }

    static func mille(_ ratio: Double) -> Int64 {
        Int64((min(max(ratio, -1e12), 1e12) * 1000).rounded())
    }

    private static func json(_ top: [Anomaly.Contributor]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        for (index, entry) in top.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            entry.appendJSON(to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }

    public static func anomaly(
        _ id: Int64, in database: borrowing Database
    ) throws(SQLiteError) -> Anomaly? {
        var select = try database.prepare("select \(columns) from anomalies where id = ?")
        try select.bind(1, id)
        return try select.step() ? read(select) : nil
    }

    /// Youngest first.
    public static func list(
        status: AnomalyStatus?, kind: String?, dimension: String?, value: String?, before: Int64?,
        limit: Int, in database: borrowing Database
    ) throws(SQLiteError) -> [Anomaly] {
        var select = try database.prepare(
            """
            select \(columns) from anomalies
            where (?1 = '' or status = ?1) and (?2 = '' or kind = ?2)
                and (?3 = '' or dimension = ?3) and (?4 = '' or value = ?4) and id < ?5
            order by id desc limit ?6
            """)
        try select.bind(1, status?.stored ?? "")
        try select.bind(2, kind ?? "")
        try select.bind(3, dimension ?? "")
        try select.bind(4, value ?? "")
        try select.bind(5, before ?? .max)
        try select.bind(6, Int64(limit))
        var anomalies: [Anomaly] = []
        while try select.step() { if let anomaly = read(select) { anomalies.append(anomaly) } }
        return anomalies
    }

    /// Those that are going on, with what only the engine needs of them.
    static func active(
        _ body: (Anomaly, _ horizon: Int, _ lastSeen: Int64, _ name: NameID) -> Void,
        in database: borrowing Database
    ) throws(SQLiteError) {
        var select = try database.prepare(
            "select \(columns) from anomalies where status = 'active' order by id")
        while try select.step() {
            guard let anomaly = read(select) else { continue }
            body(
                anomaly, Int(select.integer(22)), select.integer(23),
                NameID(clamping: select.integer(24)))
        }
    }

    /// Why a new anomaly like that is not told: one of its series and kind was acknowledged and was
    /// as large, or is snoozed.
    static func silence(
        of new: Anomaly, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> AnomalySilence? {
        var select = try database.prepare(
            """
            select snoozed_until_ns > ?1 from anomalies
            where dimension = ?2 and value = ?3 and kind = ?4 and (
                snoozed_until_ns > ?1
                or (acknowledged_ns is not null and grade >= ?5 and ratio_mille * 3 >= ?6 * 2))
            order by id desc
            """)
        try select.bind(1, now)
        try select.bind(2, new.dimension.description)
        try select.bind(3, new.value)
        try select.bind(4, new.kind.description)
        try select.bind(5, Int64(new.grade.rawValue))
        try select.bind(6, mille(new.ratio))
        var found: AnomalySilence?
        while try select.step() {
            if select.integer(0) == 1 { return .snoozed }
            found = .acknowledged
        }
        return found
    }

    /// False when there is no such anomaly.
    public static func acknowledge(
        _ id: Int64, _ acknowledgement: Anomaly.Acknowledgement, in database: borrowing Database
    ) throws(SQLiteError) -> Bool {
        var update = try database.prepare(
            """
            update anomalies set acknowledged_ns = ?, acknowledged_by = ?, note = ? where id = ?
            """)
        try update.bind(1, acknowledgement.at)
        try update.bind(2, acknowledgement.by)
        try update.bind(3, acknowledgement.note)
        try update.bind(4, id)
        try update.run()
        return database.changes > 0
    }

    /// Until then nothing of its series and kind is told. False when there is no such anomaly.
    public static func snooze(
        _ id: Int64, until: Int64, in database: borrowing Database
    ) throws(SQLiteError) -> Bool {
        var update = try database.prepare("update anomalies set snoozed_until_ns = ? where id = ?")
        try update.bind(1, until)
        try update.bind(2, id)
        try update.run()
        return database.changes > 0
    }

    private static func read(_ row: borrowing Statement) -> Anomaly? {
        guard let dimension = Dimension(row.text(2)),
            let kind = AnomalyKind(row.text(1), of: dimension),
            let grade = AnomalyGrade(rawValue: Int(row.integer(4))),
            let status = AnomalyStatus(stored: row.text(5))
        else { return nil }
        var anomaly = Anomaly(
            id: row.integer(0), kind: kind, dimension: dimension, value: row.text(3), grade: grade,
            status: status, startsAt: row.integer(6), detectedAt: row.integer(7),
            endsAt: row.isNull(8) ? nil : row.integer(8),
            observed: NanoUSD(nanos: row.integer(9)), expected: NanoUSD(nanos: row.integer(10)),
            ratio: Double(row.integer(11)) / 1000, spanSeconds: row.integer(12),
            title: row.text(13), summary: row.text(14))
        if let json = try? JSONValue.read(row.bytes(15)) {
            anomaly.top = (json.array ?? []).compactMap(Anomaly.Contributor.init(json:))
        }
        anomaly.silence = AnomalySilence(rawValue: row.text(16))
        anomaly.cause = row.isNull(17) ? nil : row.integer(17)
        if !row.isNull(18) {
            anomaly.acknowledged = Anomaly.Acknowledgement(
                at: row.integer(18), by: row.text(19), note: row.text(20))
        }
        anomaly.snoozedUntil = row.isNull(21) ? nil : row.integer(21)
        return anomaly
    }
}

extension Anomaly.Contributor {
    public func appendJSON(to bytes: inout [UInt8]) {
        bytes.append("{\"dimension\":" as StaticString)
        bytes.appendJSONString(dimension.description)
        bytes.append(",\"value\":" as StaticString)
        bytes.appendJSONString(value)
        bytes.append(",\"share\":" as StaticString)
        FixedPoint.append(shareMille, scale: 3, to: &bytes)
        bytes.append("}" as StaticString)
    }

    init?(json: JSONValue) {
        guard let dimension = json["dimension"]?.string.flatMap({ Dimension($0) }),
            let value = json["value"]?.string, let share = json["share"]?.literal,
            case .value(let mille) = FixedPoint.read(Array(share.utf8).span, scale: 3)
        else { return nil }
        self.init(dimension: dimension, value: value, shareMille: mille)
    }
}
