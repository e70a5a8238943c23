public import SQLite

public enum GovernanceSchema {
    public static let tables = """
        create table governance_events (
            seq integer primary key autoincrement,
            at_ns integer not null,
            who text not null,
            action text not null,
            target text not null,
            reason text not null,
            before text,
            after text
        );
        create index governance_events_by_time on governance_events (at_ns);
        """
}

/// The rows of the audit. Writes come from the writer's transactions only.
public enum GovernanceTable {
    static func insert(
        _ event: GovernanceEvent, into database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare(
            """
            insert into governance_events (at_ns, who, action, target, reason, before, after)
            values (?, ?, ?, ?, ?, ?, ?)
            """)
        try insert.bind(1, event.at)
        try insert.bind(2, event.who)
        try insert.bind(3, event.action.rawValue)
        try insert.bind(4, event.target)
        try insert.bind(5, event.reason)
        if !event.before.isEmpty { try insert.bind(6, text: event.before.span) }
        if !event.after.isEmpty { try insert.bind(7, text: event.after.span) }
        try insert.run()
    }

    /// Youngest first.
    ///
    /// - Parameter before: the sequence of the last one of the page before.
    public static func list(
        action: GovernanceEvent.Action?, who: String?, target: String?, before: Int64?, limit: Int,
        in database: borrowing Database
    ) throws(SQLiteError) -> [GovernanceEvent] {
        var select = try database.prepare(
            """
            select seq, at_ns, who, action, target, reason, before, after from governance_events
            where (?1 = '' or action = ?1) and (?2 = '' or who = ?2) and (?3 = '' or target = ?3)
                and seq < ?4
            order by seq desc limit ?5
            """)
        try select.bind(1, action?.rawValue ?? "")
        try select.bind(2, who ?? "")
        try select.bind(3, target ?? "")
        try select.bind(4, before ?? .max)
        try select.bind(5, Int64(limit))
        var events: [GovernanceEvent] = []
        while try select.step() {
            guard let action = GovernanceEvent.Action(rawValue: select.text(3)) else { continue }
            var event = GovernanceEvent(
                at: select.integer(1), who: select.text(2), action: action,
                target: select.text(4), reason: select.text(5),
                before: select.isNull(6) ? [] : select.bytes(6),
                after: select.isNull(7) ? [] : select.bytes(7))
            event.sequence = select.integer(0)
            events.append(event)
        }
        return events
    }

    static func prune(_ database: borrowing Database, before: Int64) throws(SQLiteError) {
        try database.execute("delete from governance_events where at_ns < \(before)")
    }
}
