internal import Logging
internal import SQLite

/// Deletes raw events past their age, a few thousand at a time between commits. Sums, roll-ups and
/// the rows that a restart applies again do not depend on what it deletes.
struct Retention {
    /// 0 keeps events for ever.
    let ageNanos: Int64
    private static let rowsPerStep = 5000
    private static let restNanos: Int64 = 60 * 1_000_000_000
    private var nextAt: Int64 = 0
    private var fault = RepeatedFault()

    init(ageNanos: Int64) {
        self.ageNanos = ageNanos
    }

    mutating func run(_ database: borrowing Database, now: Int64, _ log: Logger) {
        guard ageNanos > 0, now >= nextAt else { return }
        do throws(SQLiteError) {
            let deleted = try step(database, before: now - ageNanos)
            // A full step says that more is waiting.
            if deleted < Self.rowsPerStep { nextAt = now + Self.restNanos }
            _ = fault.cleared()
        } catch {
            nextAt = now + Self.restNanos
            if fault.occurred(error.description) {
                log.warn("cannot delete old events", ("cause", error.description))
            }
        }
    }

    /// Rows are in order of arrival, so the first one that is young enough ends the search. The
    /// last row stays: SQLite would give its number out again.
    private func step(_ database: borrowing Database, before: Int64) throws(SQLiteError) -> Int {
        let applied =
            try database.integer(
                "select cast(value as integer) from ledger_meta where key = 'applied_seq'") ?? 0
        guard let first = try database.integer("select min(seq) from events"),
            let last = try database.integer("select max(seq) from events")
        else { return 0 }
        let end = min(first + Int64(Self.rowsPerStep), applied, last)
        guard end > first else { return 0 }
        var statement = try database.prepare(
            "delete from events where seq >= ? and seq < ? and received_ns < ?")
        try statement.bind(1, first)
        try statement.bind(2, end)
        try statement.bind(3, before)
        try statement.run()
        return database.changes
    }
}
