internal import Logging
internal import SQLite
internal import Wire

/// Makes old roll-ups coarser: quarter hours become hours after 35 days, hours become days after
/// 400. The rows stay in their table, under the quarter hour in which the hour or day begins, so
/// that every query and every sum over them stays as it is. All days are UTC; a budget that is new
/// and whose zone is off by a half hour sees spend of so long ago up to 30 minutes early.
struct RollUpCompaction {
    fileprivate struct Step {
        let key: String
        /// Quarter hours in one row afterwards.
        let width: Int64
        let ageNanos: Int64
    }

    private static let day: Int64 = 86_400_000_000_000
    fileprivate static let steps = [
        Step(key: "hours_up_to", width: 4, ageNanos: 35 * day),
        Step(key: "days_up_to", width: 96, ageNanos: 400 * day),
    ]
    /// One hour or day at a time, so that the writer is not kept for long.
    private static let restNanos: Int64 = 1_000_000_000
    private static let idleNanos: Int64 = 600_000_000_000
    private var nextAt: Int64 = 0
    private var fault = RepeatedFault()

    mutating func run(_ database: borrowing Database, now: Int64, _ log: Logger) {
        guard now >= nextAt else { return }
        nextAt = now + Self.idleNanos
        do throws(SQLiteError) {
            for step in Self.steps where try Self.run(step, database, now: now) {
                nextAt = now + Self.restNanos
            }
            _ = fault.cleared()
        } catch {
            if !database.isAutocommit { try? database.execute("rollback") }
            if fault.occurred(error.description) {
                log.warn("cannot make old roll-ups coarser", ("cause", error.description))
            }
        }
    }

    /// True when there was something to do.
    private static func run(
        _ step: Step, _ database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Bool {
        let end = (now - step.ageNanos) / (RollUpDelta.seconds * 1_000_000_000 * step.width)
        let done =
            try database.integer(
                "select cast(value as integer) from ledger_meta where key = '\(step.key)'") ?? 0
        guard
            let first = try database.integer(
                """
                select min(quarter) from rollups
                where quarter >= \(done) and quarter < \(end * step.width)
                """)
        else { return false }
        let from = first / step.width * step.width
        let to = from + step.width
        let sums = RollUpWriter.sums.map { "sum(\($0))" }.joined(separator: ", ")
        let additions = RollUpWriter.additions
        let keys = RollUpWriter.keys.dropFirst().joined(separator: ", ")
        try database.execute(
            """
            begin immediate;
            insert into rollups (\(RollUpWriter.names))
                select \(from), \(keys), \(sums), max(largest_nanousd) from rollups
                where quarter > \(from) and quarter < \(to) group by \(keys)
                on conflict do update set \(additions);
            delete from rollups where quarter > \(from) and quarter < \(to);
            insert or replace into ledger_meta values ('\(step.key)', '\(to)');
            commit
            """)
        return true
    }
}

/// How fine the past is stored at this moment.
struct StoredSteps {
    /// Quarter hours in one row before the quarter hour `end`; the coarsest first.
    private var steps: [(end: Int64, width: Int64)] = []

    init(_ database: borrowing Database) throws(SQLiteError) {
        for step in RollUpCompaction.steps.reversed() {
            let end = try RollUpTail.meta(step.key, in: database)
            steps.append((end, step.width))
        }
    }

    /// The quarter hour under which the sums of another one are stored. Events that came after
    /// their time had been made coarser keep their own quarter hour, behind this one.
    func start(of quarter: Int64) -> Int64 {
        let width = steps.first { quarter < $0.end }?.width ?? 1
        return floorDivide(quarter, width) * width
    }
}
