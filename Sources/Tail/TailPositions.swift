public import Ledger
public import SQLite
internal import Synchronization
public import Usage

/// Keeps the positions of tailed files: each commits in the transaction of the events before it, so
/// that a crash neither loses nor repeats a line.
public final class TailPositions: CommitParticipant {
    private struct State {
        var positions: [SourcePosition] = []
    }

    /// A file that has not been seen for so long is forgotten.
    static let ageNanosMax: Int64 = 90 * 86_400_000_000_000

    /// As they were at the start, and as files were left since.
    private let state = Mutex(State())

    public init() {}

    func find(device: UInt64, inode: UInt64) -> SourcePosition? {
        state.withLock { $0.positions.first { $0.device == device && $0.inode == inode } }
    }

    var known: [SourcePosition] { state.withLock { $0.positions } }

    /// A file is no longer open; its inode may come back as another one.
    func leave(_ position: SourcePosition) {
        state.withLock { state in
            state.positions.removeAll {
                $0.device == position.device && $0.inode == position.inode
            }
            state.positions.append(position)
        }
    }

    public func recover(from database: borrowing Database, now: Int64) throws(SQLiteError) {
        var select = try database.prepare(
            """
            select path, device, inode, generation, head_hash, head_bytes, position
            from tail_positions where seen_ns > ? order by seen_ns
            """)
        try select.bind(1, now - Self.ageNanosMax)
        var positions: [SourcePosition] = []
        while try select.step() {
            positions.append(
                SourcePosition(
                    path: select.text(0), device: UInt64(bitPattern: select.integer(1)),
                    inode: UInt64(bitPattern: select.integer(2)), generation: select.integer(3),
                    headHash: UInt64(bitPattern: select.integer(4)),
                    headBytes: Int(select.integer(5)), offset: select.integer(6)))
        }
        state.withLock { $0.positions = positions }
    }

    public func prepare(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for batch in group {
            guard let position = batch.position else { continue }
            // What the ledger refused is not read past.
            if batch.rows.events.first?.flags.contains(.refused) == true { continue }
            try Self.write(position, in: database, now: now)
        }
    }

    static func write(
        _ position: SourcePosition, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        var insert = try database.prepare(
            """
            insert or replace into tail_positions
                (device, inode, path, generation, head_hash, head_bytes, position, seen_ns)
            values (?, ?, ?, ?, ?, ?, ?, ?)
            """)
        try insert.bind(1, Int64(bitPattern: position.device))
        try insert.bind(2, Int64(bitPattern: position.inode))
        try insert.bind(3, position.path)
        try insert.bind(4, position.generation)
        try insert.bind(5, Int64(bitPattern: position.headHash))
        try insert.bind(6, Int64(position.headBytes))
        try insert.bind(7, position.offset)
        try insert.bind(8, now)
        try insert.run()
    }

    public func checkpoint(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        var delete = try database.prepare("delete from tail_positions where seen_ns <= ?")
        try delete.bind(1, now - Self.ageNanosMax)
        try delete.run()
    }

    // Positions are kept by the store alone.
    public func replay(_ rows: EventRows) {}
    public func committed() {}
    public func rolledBack() {}
    public func isDue(now: Int64) -> Bool { false }
    public func tick(in database: borrowing Database, now: Int64) {}
    public func checkpointEnded(isDurable: Bool) {}
}
