public import SQLite
public import Usage

/// The dictionary of a data directory, for commands that read beside the writer.
public enum StoredNames {
    public static func read(
        from database: borrowing Database, into names: Names
    ) throws(SQLiteError) {
        _ = try Recovery.loadNames(database, into: names)
    }
}
