internal import SQLite

// Alerts that fire while they are silenced: nobody is told until the silence is over.
extension AlertRecorder {
    /// How often silences that end are looked for.
    static let silencesNanos: Int64 = 5_000_000_000

    /// True when the alert is kept back.
    func holdBack(
        _ alert: Alert, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Bool {
        guard silences.silence(of: alert, now: now) != nil else { return false }
        var insert = try database.prepare("insert or replace into silenced_alerts values (?)")
        try insert.bind(1, alert.id)
        try insert.run()
        hasSilenced = true
        return true
    }

    /// Tells alerts whose silence is over, if they still fire.
    func tellSilenced(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        nextSilences = now + Self.silencesNanos
        for id in try silenced(in: database) {
            let alert = try AlertTable.alert(id, in: database)
            if let alert, alert.status == .firing {
                if silences.silence(of: alert, now: now) != nil { continue }
                try tell(alert, in: database, now: now)
            }
            var delete = try database.prepare("delete from silenced_alerts where alert = ?")
            try delete.bind(1, id)
            try delete.run()
        }
        hasSilenced = try !silenced(in: database).isEmpty
    }

    func silenced(in database: borrowing Database) throws(SQLiteError) -> [String] {
        var select = try database.prepare("select alert from silenced_alerts order by alert")
        var ids: [String] = []
        while try select.step() { ids.append(select.text(0)) }
        return ids
    }
}
