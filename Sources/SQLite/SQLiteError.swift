import CSQLite

/// What a call to SQLite answered. Bound values never appear in it, so it may be logged.
public struct SQLiteError: Error, Equatable, CustomStringConvertible {
    /// The extended result code: https://www.sqlite.org/rescode.html
    public let code: Int32
    public let message: String
    /// What was attempted: a statement's text or a file's path.
    public let attempt: String

    public init(code: Int32, message: String, attempt: String) {
        self.code = code
        self.message = message
        // The first line of a statement says which one it is.
        let line = attempt.split(separator: "\n").first.map(String.init) ?? ""
        self.attempt = line.count > 120 ? line.prefix(120) + "..." : line
    }

    /// What a file holds is not what was written into it.
    public static func damaged(_ message: String) -> SQLiteError {
        SQLiteError(code: SQLITE_CORRUPT, message: message, attempt: "read the store")
    }

    public var description: String {
        "cannot \(attempt): \(message) (\(Self.name(of: code)) \(code))"
    }

    var primary: Int32 { code & 0xff }

    /// Another process holds the lock.
    public var isBusy: Bool { primary == SQLITE_BUSY || primary == SQLITE_LOCKED }
    public var isNotADatabase: Bool { primary == SQLITE_NOTADB || primary == SQLITE_CORRUPT }
    /// No more can be written now; it may work again once space or rights return.
    public var isUnwritable: Bool {
        [SQLITE_FULL, SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN].contains(primary)
    }

    private static func name(of code: Int32) -> String {
        switch code & 0xff {
        case SQLITE_FULL: "SQLITE_FULL"
        case SQLITE_READONLY: "SQLITE_READONLY"
        case SQLITE_IOERR: "SQLITE_IOERR"
        case SQLITE_CANTOPEN: "SQLITE_CANTOPEN"
        case SQLITE_BUSY: "SQLITE_BUSY"
        case SQLITE_LOCKED: "SQLITE_LOCKED"
        case SQLITE_CORRUPT: "SQLITE_CORRUPT"
        case SQLITE_NOTADB: "SQLITE_NOTADB"
        case SQLITE_CONSTRAINT: "SQLITE_CONSTRAINT"
        case SQLITE_NOMEM: "SQLITE_NOMEM"
        case SQLITE_INTERRUPT: "SQLITE_INTERRUPT"
        default: "SQLITE"
        }
    }
}
