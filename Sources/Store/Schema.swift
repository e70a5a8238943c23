internal import SQLite

/// The tables of all rooms, as steps that each run once. A step that has been released is never
/// edited: a change is a new step at the end.
public struct Schema: Sendable {
    /// "CGAU": tells our files from those of other programs.
    /// https://www.sqlite.org/pragma.html#pragma_application_id
    public static let applicationID: Int32 = 0x4347_4155

    public let migrations: [String]

    public init(migrations: [String]) {
        self.migrations = migrations
    }

    public var version: Int { migrations.count }

    /// Brings a database from its version to ours, all steps in one transaction.
    func migrate(_ database: borrowing Database) throws(SQLiteError) {
        let found = Int(try database.integer("pragma user_version") ?? 0)
        guard found < version else { return }
        try database.execute("begin immediate")
        do throws(SQLiteError) {
            for step in migrations[found...] { try database.execute(step) }
            try database.execute(
                """
                pragma application_id = \(Self.applicationID);
                pragma user_version = \(version);
                commit
                """)
        } catch {
            if !database.isAutocommit { try? database.execute("rollback") }
            throw error
        }
        // Into the main file, so that its header alone tells the version; see `FileHeader`.
        try database.execute("pragma wal_checkpoint(truncate)")
    }
}
