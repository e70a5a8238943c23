public import SQLite
public import Usage

/// A room that decides something from committed events and keeps it in the same transaction: what
/// it writes in `prepare` is there if and only if the events are.
///
/// All calls come from the writer's thread, but for those of recovery, which come before it starts.
public protocol CommitParticipant: AnyObject, Sendable {
    /// Reads its state back. The store holds what the last checkpoint wrote.
    func recover(from database: borrowing Database, now: Int64) throws(SQLiteError)

    /// Events that were committed after the last checkpoint; what they caused is in the store
    /// already.
    func replay(_ rows: EventRows)

    /// The last of them was replayed: the state is that of the last commit, and is read from now
    /// on.
    func recovered()

    /// Before the transaction of a group, for the events of one request if some of them name a
    /// reservation. May mark events as duplicates.
    func admit(
        _ batch: EventBatch, _ range: Range<Int>, in database: borrowing Database, now: Int64
    ) throws(SQLiteError)

    /// Before the commit of a group, in its transaction, the events inserted. Changes of the state
    /// take effect in `committed` only.
    func prepare(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError)

    /// What `prepare`, `tick` or a job wrote is durable. Called after each transaction, so it has
    /// nothing to do when none of them did.
    func committed()

    /// What `prepare`, `tick` or a job wrote is gone.
    func rolledBack()

    /// True when time alone may have changed something; then `tick` is called in a transaction.
    func isDue(now: Int64) -> Bool

    func tick(in database: borrowing Database, now: Int64) throws(SQLiteError)

    /// Recovery made something that no checkpoint holds: one follows even when no events come, or
    /// the next start would make it again.
    var needsCheckpoint: Bool { get }

    /// In the transaction that stores the ledger's sums: from here on those events are not
    /// replayed.
    func checkpoint(in database: borrowing Database, now: Int64) throws(SQLiteError)

    /// The checkpoint is durable, or it is not and comes again.
    func checkpointEnded(isDurable: Bool)
}

extension CommitParticipant {
    public var needsCheckpoint: Bool { false }

    public func recovered() {}

    public func admit(
        _ batch: EventBatch, _ range: Range<Int>, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {}
}

/// Work of another thread that must go through the one writer, in a transaction of its own.
public typealias StoreJob = @Sendable (_ database: borrowing Database) throws(SQLiteError) -> Void
