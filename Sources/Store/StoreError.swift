public import SQLite

/// Why a data directory cannot be used. Every case is told to the operator in one line; none
/// changes a file.
public enum StoreError: Error, Equatable, CustomStringConvertible {
    case directory(path: String, cause: String)
    case inUse(path: String, processID: Int32?)
    case missing(path: String)
    case notADatabase(path: String)
    /// A SQLite file of another program.
    case foreign(path: String)
    case newerSchema(path: String, found: Int, known: Int)
    case olderSchema(path: String, found: Int, known: Int)
    case sqlite(path: String, SQLiteError)

    /// True for what lies with the machine; the others stay until somebody acts.
    public var mayPass: Bool {
        switch self {
        case .inUse, .sqlite: true
        case .directory, .missing, .notADatabase, .foreign, .newerSchema, .olderSchema: false
        }
    }

    public var description: String {
        switch self {
        case .directory(let path, let cause):
            "\(path): cannot use it as the data directory: \(cause); "
                + "choose another with --storage.path"
        case .inUse(let path, let processID):
            "\(path): another costgauge\(processID.map { " (process \($0))" } ?? "") writes here; "
                + "stop it or choose another directory with --storage.path"
        case .missing(let path):
            "\(path): there is no costgauge database; name the data directory with --storage.path"
        case .notADatabase(let path):
            "\(path): cannot open it: it is not an SQLite database, or it is damaged; nothing was "
                + "changed; move it away or choose another directory with --storage.path"
        case .foreign(let path):
            "\(path): cannot open it: it is another program's SQLite database; nothing was changed; "
                + "choose another directory with --storage.path"
        case .newerSchema(let path, let found, let known):
            "\(path): cannot open it: its schema is version \(found), this costgauge knows up to "
                + "\(known); nothing was changed; use the newer costgauge"
        case .olderSchema(let path, let found, let known):
            "\(path): its schema is version \(found), this costgauge reads \(known); "
                + "start `costgauge serve` on it once to bring it up to date"
        case .sqlite(let path, let error):
            "\(path): \(error)"
        }
    }
}
