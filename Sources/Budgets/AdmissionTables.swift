internal import SQLite
internal import Usage

public enum AdmissionSchema {
    /// A reservation is written when it is granted, settled or released. One that is `live` and
    /// past its time has expired: no write is needed for that. `used`: an ordinary event has named
    /// it since.
    public static let version4 = """
        create table reservations (
            id text primary key,
            tenant text not null,
            state text not null,
            used integer not null default 0,
            estimate_nanousd integer not null,
            body text not null,
            created_ns integer not null,
            expires_ns integer not null,
            ended_ns integer
        ) without rowid;

        create table pauses (
            dimension text not null, value text not null, reason text not null, budget text,
            since_ns integer not null,
            primary key (dimension, value)
        ) without rowid;
        """
}

enum ReservationPhase: String {
    case live, settled, released
}

struct StoredReservation {
    let id: String
    let tenant: String
    let phase: ReservationPhase
    let isUsed: Bool
    let estimate: NanoUSD
    let body: [UInt8]
    let expiresAt: Int64
}

enum ReservationTable {
    /// False when the id is taken.
    static func insert(
        _ row: StoredReservation, into database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Bool {
        guard try find(row.id, in: database) == nil else { return false }
        var insert = try database.prepare(
            """
            insert into reservations (
                id, tenant, state, estimate_nanousd, body, created_ns, expires_ns)
            values (?, ?, 'live', ?, ?, ?, ?)
            """)
        try insert.bind(1, row.id)
        try insert.bind(2, row.tenant)
        try insert.bind(3, row.estimate.nanos)
        try insert.bind(4, text: row.body.span)
        try insert.bind(5, now)
        try insert.bind(6, row.expiresAt)
        try insert.run()
        return true
    }

    static func find(
        _ id: String, in database: borrowing Database
    ) throws(SQLiteError) -> StoredReservation? {
        var select = try database.prepare("select \(columns) from reservations where id = ?")
        try select.bind(1, id)
        return try select.step() ? read(select) : nil
    }

    static func live(
        after now: Int64, in database: borrowing Database
    ) throws(SQLiteError) -> [StoredReservation] {
        var select = try database.prepare(
            """
            select \(columns) from reservations where state = 'live' and expires_ns > ?
            order by created_ns
            """)
        try select.bind(1, now)
        var rows: [StoredReservation] = []
        while try select.step() { rows.append(read(select)) }
        return rows
    }

    static func end(
        _ id: String, _ phase: ReservationPhase, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        var update = try database.prepare(
            "update reservations set state = ?, ended_ns = ? where id = ?")
        try update.bind(1, phase.rawValue)
        try update.bind(2, now)
        try update.bind(3, id)
        try update.run()
    }

    static func markUsed(_ id: String, in database: borrowing Database) throws(SQLiteError) {
        var update = try database.prepare("update reservations set used = 1 where id = ?")
        try update.bind(1, id)
        try update.run()
    }

    /// Rows stay as long as an event that names them may come again.
    static func prune(
        before: Int64, in database: borrowing Database
    ) throws(SQLiteError) {
        try database.execute("delete from reservations where expires_ns < \(before)")
    }

    private static let columns = "id, tenant, state, used, estimate_nanousd, body, expires_ns"

    private static func read(_ row: borrowing Statement) -> StoredReservation {
        StoredReservation(
            id: row.text(0), tenant: row.text(1),
            phase: ReservationPhase(rawValue: row.text(2)) ?? .live, isUsed: row.integer(3) != 0,
            estimate: NanoUSD(nanos: row.integer(4)), body: row.bytes(5),
            expiresAt: row.integer(6))
    }
}
