public import SQLite
internal import Usage

/// The rows of the outbox. Writes come from the writer's transactions only.
public enum DeliveryTable {
    static let columns =
        """
        seq, id, alert, status, receiver, dedup_key, state, attempts, created_ns, since_ns, next_ns,
        ended_ns, answer, error, round
        """

    static func insert(
        id: String, alert: String, _ status: AlertStatus, receiver: String, dedupKey: String,
        state: DeliveryState = .pending, round: Int = 0, into database: borrowing Database,
        now: Int64
    ) throws(SQLiteError) {
        var statement = try database.prepare(
            """
            insert into deliveries (id, alert, status, receiver, dedup_key, state, created_ns,
                since_ns, next_ns, round)
            values (?, ?, ?, ?, ?, ?, ?7, ?7, ?7, ?8)
            """)
        let texts = [id, alert, status.rawValue, receiver, dedupKey, state.rawValue]
        for (index, text) in texts.enumerated() { try statement.bind(Int32(index) + 1, text) }
        try statement.bind(7, now)
        try statement.bind(8, Int64(round))
        try statement.run()
    }

    /// Who was to be told that an alert fires, by itself and not in a digest.
    static func receiversTold(
        of alert: String, in database: borrowing Database
    ) throws(SQLiteError) -> [String] {
        var select = try database.prepare(
            """
            select receiver from deliveries
            where alert = ? and status = 'firing' and state not in ('held', 'digested')
            group by receiver order by min(seq)
            """)
        try select.bind(1, alert)
        var receivers: [String] = []
        while try select.step() { receivers.append(select.text(0)) }
        return receivers
    }

    /// What waits for a receiver behind `sequence`, in order.
    public static func pending(
        for receiver: String, after sequence: Int64, limit: Int, in database: borrowing Database
    ) throws(SQLiteError) -> [Delivery] {
        var select = try database.prepare(
            """
            select \(columns) from deliveries where state = 'pending' and receiver = ? and seq > ?
            order by seq limit ?
            """)
        try select.bind(1, receiver)
        try select.bind(2, sequence)
        try select.bind(3, Int64(limit))
        return try read(&select)
    }

    /// How many wait for a receiver behind `sequence`.
    public static func pendingCount(
        for receiver: String, after sequence: Int64, in database: borrowing Database
    ) throws(SQLiteError) -> Int {
        var select = try database.prepare(
            """
            select count(*) from deliveries where state = 'pending' and receiver = ? and seq > ?
            """)
        try select.bind(1, receiver)
        try select.bind(2, sequence)
        return try select.step() ? Int(select.integer(0)) : 0
    }

    /// The receivers for which something waits, configured or not.
    public static func receiversWaitedFor(
        in database: borrowing Database
    ) throws(SQLiteError) -> [String] {
        var select = try database.prepare(
            "select distinct receiver from deliveries where state = 'pending' order by receiver")
        var names: [String] = []
        while try select.step() { names.append(select.text(0)) }
        return names
    }

    /// Makes dead letters of all that waits for a receiver.
    public static func giveUp(
        on receiver: String, _ reason: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        var statement = try database.prepare(
            """
            update deliveries set state = 'dead', ended_ns = ?, error = ?
            where state = 'pending' and receiver = ?
            """)
        try statement.bind(1, now)
        try statement.bind(2, reason)
        try statement.bind(3, receiver)
        try statement.run()
    }

    /// Youngest first; filters that are nil let everything through.
    public static func list(
        state: DeliveryState?, receiver: String?, alert: String?, before: Int64?, limit: Int,
        in database: borrowing Database
    ) throws(SQLiteError) -> [Delivery] {
        var select = try database.prepare(
            """
            select \(columns) from deliveries
            where (?1 = '' or state = ?1) and (?2 = '' or receiver = ?2) and (?3 = '' or alert = ?3)
                and seq < ?4
            order by seq desc limit ?5
            """)
        try select.bind(1, state?.rawValue ?? "")
        try select.bind(2, receiver ?? "")
        try select.bind(3, alert ?? "")
        try select.bind(4, before ?? .max)
        try select.bind(5, Int64(limit))
        return try read(&select)
    }

    public static func delivery(
        _ id: String, in database: borrowing Database
    ) throws(SQLiteError) -> Delivery? {
        var select = try database.prepare("select \(columns) from deliveries where id = ?")
        try select.bind(1, id)
        return try read(&select).first
    }

    /// Stores what an attempt changed. A row that was replayed meanwhile has another sequence and
    /// stays as it is.
    public static func update(
        _ delivery: Delivery, in database: borrowing Database
    ) throws(SQLiteError) {
        var statement = try database.prepare(
            """
            update deliveries set state = ?, attempts = ?, next_ns = ?, ended_ns = ?, answer = ?,
                error = ?
            where seq = ?
            """)
        try statement.bind(1, delivery.state.rawValue)
        try statement.bind(2, Int64(delivery.attempts))
        try statement.bind(3, delivery.next)
        if let ended = delivery.ended { try statement.bind(4, ended) }
        if let answer = delivery.answer { try statement.bind(5, Int64(answer)) }
        if let error = delivery.error { try statement.bind(6, error) }
        try statement.bind(7, delivery.sequence)
        try statement.run()
    }

    /// Makes an ended delivery wait again, as if it was new. False when it waits already or is
    /// unknown.
    public static func replay(
        _ id: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Bool {
        // A number that was never used, also when younger rows are gone: the deliverer reads on
        // from the last one that it has seen.
        try database.execute("update sqlite_sequence set seq = seq + 1 where name = 'deliveries'")
        var statement = try database.prepare(
            """
            update deliveries set
                seq = (select seq from sqlite_sequence where name = 'deliveries'),
                state = 'pending', attempts = 0, since_ns = ?1, next_ns = ?1, ended_ns = null
            where id = ?2 and state != 'pending'
            """)
        try statement.bind(1, now)
        try statement.bind(2, id)
        try statement.run()
        return database.changes == 1
    }

    /// Dead letters by receiver.
    public static func deadLetters(
        in database: borrowing Database
    ) throws(SQLiteError) -> [(receiver: String, count: Int64)] {
        var select = try database.prepare(
            "select receiver, count(*) from deliveries where state = 'dead' group by 1 order by 1")
        var counts: [(receiver: String, count: Int64)] = []
        while try select.step() { counts.append((select.text(0), select.integer(1))) }
        return counts
    }

    static func read(_ select: inout Statement) throws(SQLiteError) -> [Delivery] {
        var deliveries: [Delivery] = []
        while try select.step() {
            guard let status = AlertStatus(rawValue: select.text(3)),
                let state = DeliveryState(rawValue: select.text(6))
            else { continue }
            var delivery = Delivery(
                sequence: select.integer(0), id: select.text(1), alert: select.text(2),
                status: status, receiver: select.text(4), dedupKey: select.text(5),
                created: select.integer(8))
            delivery.state = state
            delivery.attempts = Int(select.integer(7))
            delivery.since = select.integer(9)
            delivery.next = select.integer(10)
            delivery.ended = select.isNull(11) ? nil : select.integer(11)
            delivery.answer = select.isNull(12) ? nil : Int(select.integer(12))
            delivery.error = select.isNull(13) ? nil : select.text(13)
            delivery.round = Int(select.integer(14))
            deliveries.append(delivery)
        }
        return deliveries
    }
}

extension AlertTable {
    /// Alerts that a receiver has been told of and that fire, or that it has been told the end of
    /// since then; by id, behind `after`.
    public static func toRepeat(
        to receiver: String, after: String, limit: Int, endedSince: Int64,
        in database: borrowing Database
    ) throws(SQLiteError) -> [Alert] {
        var select = try database.prepare(
            """
            select \(columns) from alerts
            where id > ?1 and (status = 'firing' or status = 'resolved' and ends_ns > ?2)
                and exists (select 1 from deliveries
                    where alert = alerts.id and receiver = ?3 and state = 'delivered'
                        and deliveries.status = alerts.status)
            order by id limit ?4
            """)
        try select.bind(1, after)
        try select.bind(2, endedSince)
        try select.bind(3, receiver)
        try select.bind(4, Int64(limit))
        return try readAll(&select)
    }
}
