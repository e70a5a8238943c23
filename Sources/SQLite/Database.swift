import CSQLite

/// One connection. It belongs to one thread at a time (SQLITE_OPEN_NOMUTEX), which its owner proves
/// by keeping it in a type that is not shared or behind a lock.
@safe
public struct Database: ~Copyable {
    public enum Mode: Sendable {
        case readWrite
        case readOnly
        /// For a file that nobody can change, such as one on a read-only file system.
        case immutable
    }

    let handle: OpaquePointer

    /// Opens or, in mode `readWrite`, creates the file at `path`.
    public init(path: String, mode: Mode) throws(SQLiteError) {
        var opened: OpaquePointer?
        let flags =
            SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE
            | (mode == .readWrite
                ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY)
        let uri = "file:" + Self.percentEncoded(path) + (mode == .immutable ? "?immutable=1" : "")
        let code = unsafe sqlite3_open_v2(uri, &opened, flags, nil)
        let configured =
            code == SQLITE_OK
            ? unsafe sqlite3_exec(opened, "pragma cell_size_check = on", nil, nil, nil)
            : code
        guard configured == SQLITE_OK, let handle = unsafe opened else {
            let message = unsafe String(cString: sqlite3_errstr(configured))
            // A failed open still hands out a connection to close.
            unsafe sqlite3_close_v2(opened)
            throw SQLiteError(code: configured, message: message, attempt: "open \(path)")
        }
        unsafe self.handle = handle
    }

    deinit {
        // Statements are finalised by their own deinit; v2 waits for a straggler instead of
        // leaking.
        unsafe sqlite3_close_v2(handle)
    }

    /// Runs statements that return nothing.
    public borrowing func execute(_ sql: String) throws(SQLiteError) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error(code, sql) }
    }

    /// `isKept` statements live long: SQLite then allocates them outside its small-object pool.
    public borrowing func prepare(
        _ sql: String, isKept: Bool = false
    ) throws(SQLiteError) -> Statement {
        var statement: OpaquePointer?
        let flags = isKept ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
        let code = unsafe sqlite3_prepare_v3(handle, sql, -1, flags, &statement, nil)
        guard code == SQLITE_OK, let prepared = unsafe statement else {
            throw error(code, sql)
        }
        return unsafe Statement(prepared, sql: sql)
    }

    /// Runs `body` in a read transaction, so that all its statements see the same store; within the
    /// caller's transaction if there is one.
    public borrowing func reading<Result: ~Copyable>(
        _ body: (borrowing Database) throws(SQLiteError) -> Result
    ) throws(SQLiteError) -> Result {
        guard isAutocommit else { return try body(self) }
        try execute("begin")
        // Nothing was written: the end of it cannot fail in a way that matters.
        defer { try? execute("commit") }
        return try body(self)
    }

    /// The first column of the first row as an integer; nil without a row, and for NULL, which is
    /// the minimum of nothing.
    public borrowing func integer(_ sql: String) throws(SQLiteError) -> Int64? {
        var statement = try prepare(sql)
        return try statement.step() && !statement.isNull(0) ? statement.integer(0) : nil
    }

    public borrowing func text(_ sql: String) throws(SQLiteError) -> String? {
        var statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : nil
    }

    /// Rows that the last insert, update or delete changed.
    public var changes: Int { unsafe Int(sqlite3_changes64(handle)) }

    public var lastInsertedRowID: Int64 { unsafe sqlite3_last_insert_rowid(handle) }

    /// False between `begin` and `commit`; a failed commit may leave the transaction open or
    /// closed.
    public var isAutocommit: Bool { unsafe sqlite3_get_autocommit(handle) != 0 }

    /// Waits up to this long for another connection's lock before answering SQLITE_BUSY.
    public func setBusyTimeout(milliseconds: Int32) {
        unsafe sqlite3_busy_timeout(handle, milliseconds)
    }

    public static var libraryVersion: String { unsafe String(cString: sqlite3_libversion()) }

    borrowing func error(_ code: Int32, _ attempt: String) -> SQLiteError {
        SQLiteError(
            code: unsafe sqlite3_extended_errcode(handle),
            message: unsafe String(cString: sqlite3_errmsg(handle)),
            attempt: attempt
        )
    }

    /// https://www.sqlite.org/uri.html: `?`, `#` and `%` would end or change the path.
    private static func percentEncoded(_ path: String) -> String {
        var encoded = ""
        for character in path {
            switch character {
            case "%": encoded += "%25"
            case "?": encoded += "%3f"
            case "#": encoded += "%23"
            default: encoded.append(character)
            }
        }
        return encoded
    }
}
