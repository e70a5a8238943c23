internal import Logging
internal import SQLite

/// Deletes raw events past their age, a few batches at a time between commits. Sums, roll-ups and
/// the rows that a restart applies again do not depend on what it deletes.
struct Retention {
    /// 0 keeps events for ever.
    let ageNanos: Int64
    private static let batchesPerStep = 16
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
            if deleted < Self.batchesPerStep { nextAt = now + Self.restNanos }
            _ = fault.cleared()
        } catch {
            nextAt = now + Self.restNanos
            if fault.occurred(error.description) {
                log.warn("cannot delete old events", ("cause", error.description))
            }
        }
    }

    /// Batches are in order of arrival, so the first one that is young enough ends the search. What
    /// no roll-up holds yet stays.
    private func step(_ database: borrowing Database, before: Int64) throws(SQLiteError) -> Int {
        let rolled = try RollUpTail.meta("rolled_seq", in: database)
        var select = try database.prepare(
            "select seq, seq + count - 1, received_ns from event_batches order by seq limit ?")
        try select.bind(1, Int64(Self.batchesPerStep))
        var end: Int64?
        while try select.step() {
            guard select.integer(1) <= rolled, select.integer(2) < before else { break }
            end = select.integer(0)
        }
        guard let end else { return 0 }
        try database.execute("delete from event_batches where seq <= \(end)")
        return database.changes
    }
}
