internal import Glibc
public import SQLite

/// A data directory held by its one writer. The lock is the kernel's (flock), so it goes with the
/// process however that ends.
@safe
public final class DataDirectory: Sendable {
    public static let databaseName = "costgauge.db"
    static let lockName = "costgauge.lock"

    public let path: String
    public var databasePath: String { path + "/" + Self.databaseName }
    private let lock: Int32

    /// Creates the directory when it is missing and takes the lock.
    public init(path: String) throws(StoreError) {
        self.path = path
        guard unsafe mkdir(path, 0o750) == 0 || errno == EEXIST else {
            throw .directory(path: path, cause: Self.errorText(errno))
        }
        let lockPath = path + "/" + Self.lockName
        lock = unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard lock >= 0 else { throw .directory(path: path, cause: Self.errorText(errno)) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.processID(in: lock)
            close(lock)
            throw .inUse(path: path, processID: holder)
        }
        let owner = Array("\(getpid())\n".utf8)
        ftruncate(lock, 0)
        _ = unsafe pwrite(lock, owner, owner.count, 0)
    }

    deinit { close(lock) }

    /// Opens the database for the writer and brings its schema up to date.
    public func openForWriting(
        schema: Schema, synchronous: Synchronous = .full
    ) throws(StoreError) -> Database {
        try Self.check(databasePath, schema, mayCreate: true)
        var found = Self.loggedVersion(databasePath) ?? 0
        if found > schema.version {
            throw .newerSchema(path: databasePath, found: found, known: schema.version)
        }
        do throws(SQLiteError) {
            let database = try Database(path: databasePath, mode: .readWrite)
            database.setBusyTimeout(milliseconds: 5000)
            // The page size holds from the first table on. At 16 KiB a batch of rows touches a
            // quarter of the pages, and the log is copied back after 32 MiB.
            try database.execute(
                """
                pragma page_size = 16384;
                pragma journal_mode = wal;
                pragma synchronous = \(synchronous.rawValue);
                pragma wal_autocheckpoint = 2000;
                pragma journal_size_limit = 67108864;
                pragma temp_store = memory;
                pragma cache_size = -16384;
                """)
            found = Int(try database.integer("pragma user_version") ?? 0)
            if found <= schema.version {
                try schema.migrate(database)
                return database
            }
        } catch {
            if error.isNotADatabase { throw .notADatabase(path: databasePath) }
            throw .sqlite(path: databasePath, error)
        }
        throw .newerSchema(path: databasePath, found: found, known: schema.version)
    }

    /// Opens somebody's database to read, beside its writer if there is one.
    public static func openForReading(
        path: String, schema: Schema
    ) throws(StoreError) -> Database {
        let file = path + "/" + databaseName
        try check(file, schema, mayCreate: false)
        do throws(SQLiteError) {
            let database: Database
            do throws(SQLiteError) {
                database = try opened(file, .readOnly)
            } catch {
                // A read-only file system has no room for the shared-memory file of the log.
                // Reading around a log that holds something would leave committed events out.
                guard error.isUnwritable, FileHeader.size(of: file + "-wal") == 0 else {
                    throw error
                }
                database = try opened(file, .immutable)
            }
            return database
        } catch {
            if error.isNotADatabase { throw .notADatabase(path: file) }
            throw .sqlite(path: file, error)
        }
    }

    private static func opened(
        _ file: String, _ mode: Database.Mode
    ) throws(SQLiteError) -> Database {
        let database = try Database(path: file, mode: mode)
        database.setBusyTimeout(milliseconds: 5000)
        _ = try database.integer("select count(*) from sqlite_schema")
        return database
    }

    /// Refuses what is not ours before SQLite opens, and so perhaps changes, it.
    private static func check(
        _ file: String, _ schema: Schema, mayCreate: Bool
    ) throws(StoreError) {
        switch FileHeader.read(file) {
        case .absent: if !mayCreate { throw .missing(path: file) }
        case .notADatabase: throw .notADatabase(path: file)
        case .unreadable(let number): throw .directory(path: file, cause: errorText(number))
        case .header(let header):
            guard header.applicationID == Schema.applicationID || header.isBlank else {
                throw .foreign(path: file)
            }
            if header.userVersion > schema.version {
                throw .newerSchema(
                    path: file, found: header.userVersion, known: schema.version)
            }
            if header.userVersion < schema.version, !mayCreate {
                throw .olderSchema(
                    path: file, found: header.userVersion, known: schema.version)
            }
        }
    }

    /// The version in the log, if there is one: a crash may have left a newer one there, where the
    /// header does not show it. A reader finds it and, unlike a writer, leaves the log as it is.
    private static func loggedVersion(_ file: String) -> Int? {
        guard FileHeader.size(of: file + "-wal") > 0,
            let database = try? Database(path: file, mode: .readOnly),
            let version = try? database.integer("pragma user_version")
        else { return nil }
        return Int(version)
    }

    private static func processID(in lock: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe pread(lock, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
    }

    static func errorText(_ number: Int32) -> String {
        unsafe String(cString: strerror(number))
    }
}

/// When SQLite asks the disk to make a commit durable.
/// https://www.sqlite.org/pragma.html#pragma_synchronous
public enum Synchronous: String, CaseIterable, Sendable {
    /// At every commit: what "acknowledged means durable" rests on.
    case full
    /// At checkpoints only: a power cut may lose the last acknowledged events, a crash of the
    /// process none.
    case normal
}
