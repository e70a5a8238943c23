public import SQLite
public import Usage

// A price that was wrong is put right by an adjustment: a row among the events with the dimensions
// and the time of the call, no tokens, and the difference as its amount, which may be negative.
// Sums, budgets, roll-ups and a replay then need no second way.
//
// What all adjustments of one event come to stands in `adjustments`, written in the transaction of
// the adjusting row. Pricing again finds no difference and writes nothing.

/// Keeps the sums of adjustments by event.
public final class Adjustments: CommitParticipant, @unchecked Sendable {
    // Stateless: everything is in the store.

    public init() {}

    public static let tables = """
        create table adjustments (
            event integer primary key,
            times integer not null,
            nanos integer not null,
            facts integer not null
        );

        drop view cost_records;

        """ + LedgerSchema.view(withAdjustments: true)

    public func prepare(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for batch in group {
            for event in batch.rows.events where event.isAdjustment && !event.isSkipped {
                var statement = try database.prepare(
                    """
                    insert into adjustments (event, times, nanos, facts) values (?1, 1, ?2, ?3)
                    on conflict (event) do update set
                        times = times + 1, nanos = nanos + ?2, facts = ?3
                    """)
                try statement.bind(1, event.adjustedSeq)
                try statement.bind(2, event.cost)
                try statement.bind(3, Int64(event.facts))
                try statement.run()
            }
        }
    }

    public func committed() {}
    public func rolledBack() {}
    public func recover(from database: borrowing Database, now: Int64) {}
    public func replay(_ rows: EventRows) {}
    public func isDue(now: Int64) -> Bool { false }
    public func tick(in database: borrowing Database, now: Int64) {}
    public func checkpoint(in database: borrowing Database, now: Int64) {}
    public func checkpointEnded(isDurable: Bool) {}
}
