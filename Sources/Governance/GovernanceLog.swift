internal import Files
public import Ledger
public import Logging
public import SQLite
public import Usage
internal import Wire

/// Keeps the audit: each change as a row in the transaction that makes it, and, once that is
/// committed, as a line of `governance_events.jsonl` for programs that ship logs. The rows are the
/// truth; a crash between commit and line leaves the line out.
public final class GovernanceLog: CommitParticipant, @unchecked Sendable {
    // Every field belongs to the writer's thread.

    public static let fileName = "governance_events.jsonl"
    /// Then the file becomes `.1`, the one before `.2`, and so on.
    public static let fileBytesMax = 100 << 20
    public static let filesMax = 5

    private let file: BoundedLog
    private let retentionNanos: Int64
    private let log: Logger
    private var pending: [UInt8] = []
    private var fault = RepeatedFault()
    private var nextPrune: Int64 = 0
    private static let pruneNanos: Int64 = 3600 * 1_000_000_000

    /// - Parameter retentionNanos: how long rows are kept; 0 keeps them.
    public init(
        directory: String, retentionNanos: Int64, log: Logger, fileBytesMax: Int = fileBytesMax
    ) {
        file = BoundedLog(
            path: directory + "/" + Self.fileName, bytesMax: fileBytesMax, filesMax: Self.filesMax)
        self.retentionNanos = retentionNanos
        self.log = log
    }

    /// In the transaction of the change.
    public func record(
        _ event: GovernanceEvent, in database: borrowing Database
    ) throws(SQLiteError) {
        try GovernanceTable.insert(event, into: database)
        event.appendJSON(to: &pending)
        pending.append(UInt8(ascii: "\n"))
    }

    /// A line of the file alone: one JSON object.
    public func note(_ line: [UInt8]) {
        pending += line
        pending.append(UInt8(ascii: "\n"))
    }

    public func committed() {
        guard !pending.isEmpty else { return }
        if file.append(pending) {
            _ = fault.cleared()
        } else if fault.occurred("refused") {
            log.warn(
                "changes are in the store, but the disk refused their lines",
                ("file", Self.fileName))
        }
        pending.removeAll()
    }

    public func rolledBack() { pending.removeAll() }
    public func isDue(now: Int64) -> Bool { retentionNanos > 0 && now >= nextPrune }

    public func tick(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        nextPrune = now + Self.pruneNanos
        try GovernanceTable.prune(database, before: now - retentionNanos)
    }

    public func recover(from database: borrowing Database, now: Int64) {}
    public func replay(_ rows: EventRows) {}
    public func prepare(_ group: [EventBatch], in database: borrowing Database, now: Int64) {}
    public func checkpoint(in database: borrowing Database, now: Int64) {}
    public func checkpointEnded(isDurable: Bool) {}
}
