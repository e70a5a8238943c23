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

/// Writes names that the store does not have yet. Prepared once: every commit with new names uses
/// it.
struct NameWriter: ~Copyable {
    private var insert: Statement

    init(_ database: borrowing Database) throws(SQLiteError) {
        insert = try database.prepare(
            "insert into names (id, text) values (?, ?)", isKept: true)
    }

    /// - Parameter last: the id of the last stored name; the new ones follow it.
    mutating func write(_ names: [[UInt8]], after last: NameID) throws(SQLiteError) {
        for (offset, text) in names.enumerated() {
            try insert.bind(1, Int64(last) + 1 + Int64(offset))
            try insert.bind(2, text: text.span)
            try insert.run()
        }
    }
}

extension CostEvent {
    /// Reads eight columns: tenant, user, feature, agent, operation, provider, model, tags.
    mutating func readNames(_ row: borrowing Statement, from column: Int32) {
        tenant = NameID(clamping: row.integer(column))
        user = NameID(clamping: row.integer(column + 1))
        feature = NameID(clamping: row.integer(column + 2))
        agent = NameID(clamping: row.integer(column + 3))
        operation = NameID(clamping: row.integer(column + 4))
        provider = NameID(clamping: row.integer(column + 5))
        model = NameID(clamping: row.integer(column + 6))
        tags = NameID(clamping: row.integer(column + 7))
    }
}
