public import JSON
internal import SQLite
internal import Usage
internal import Wire

enum SilenceTable {
    /// Silences that are over can be listed for this long.
    private static let keptNanos: Int64 = 30 * 86_400 * 1_000_000_000

    static func insert(
        _ silence: Silence, into database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare("insert into silences values (?, ?, ?, ?, ?, ?)")
        var match: [UInt8] = []
        silence.appendMatch(to: &match)
        try insert.bind(1, silence.id)
        try insert.bind(2, text: match.span)
        try insert.bind(3, silence.author)
        try insert.bind(4, silence.reason)
        try insert.bind(5, silence.startsAt)
        try insert.bind(6, silence.endsAt)
        try insert.run()
    }

    static func delete(_ id: String, from database: borrowing Database) throws(SQLiteError) {
        var delete = try database.prepare("delete from silences where id = ?")
        try delete.bind(1, id)
        try delete.run()
    }

    static func prune(_ database: borrowing Database, now: Int64) throws(SQLiteError) {
        try database.execute("delete from silences where ends_ns < \(now - keptNanos)")
    }

    static func all(in database: borrowing Database) throws(SQLiteError) -> [Silence] {
        var select = try database.prepare(
            """
            select id, match, author, reason, starts_ns, ends_ns from silences
            order by starts_ns, id
            """)
        var silences: [Silence] = []
        while try select.step() {
            guard let json = try? JSONValue.read(select.bytes(1)),
                let match = AlertRouter.Match.list(json)
            else { continue }
            silences.append(
                Silence(
                    id: select.text(0), match: match, author: select.text(2),
                    reason: select.text(3), startsAt: select.integer(4), endsAt: select.integer(5)))
        }
        return silences
    }
}

extension AlertRouter.Match {
    /// `{"kind": "budget_threshold", "tenant": ["a", "b"]}`; nil when it is anything else.
    public static func list(_ json: JSONValue) -> [AlertRouter.Match]? {
        guard let members = json.members else { return nil }
        var list: [AlertRouter.Match] = []
        for (field, value) in members {
            let texts = value.array?.map(\.string) ?? [value.string]
            let found = texts.compactMap { $0 }
            guard !found.isEmpty, found.count == texts.count else { return nil }
            list.append(AlertRouter.Match(field: field, pattern: Pattern(found)))
        }
        return list
    }
}

extension Silence {
    /// As `AlertRouter.Match.list` reads it.
    public func appendMatch(to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, match) in self.match.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.appendJSONString(match.field)
            bytes.append(UInt8(ascii: ":"))
            if match.pattern.texts.count == 1 {
                bytes.appendJSONString(match.pattern.texts[0])
                continue
            }
            for (place, text) in match.pattern.texts.enumerated() {
                bytes.append(UInt8(ascii: place == 0 ? "[" : ","))
                bytes.appendJSONString(text)
            }
            bytes.append(UInt8(ascii: "]"))
        }
        bytes.append(UInt8(ascii: "}"))
    }
}
