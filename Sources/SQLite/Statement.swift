import CSQLite

/// A prepared statement. Parameters count from 1, columns from 0, as in SQLite.
@safe
public struct Statement: ~Copyable {
    let handle: OpaquePointer
    private let sql: String

    init(_ handle: OpaquePointer, sql: String) {
        unsafe self.handle = handle
        self.sql = sql
    }

    deinit { unsafe sqlite3_finalize(handle) }

    /// True while there is a row to read.
    public mutating func step() throws(SQLiteError) -> Bool {
        switch unsafe sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw error(code)
        }
    }

    /// Runs to the end, then makes the statement ready for its next run.
    public mutating func run() throws(SQLiteError) {
        defer { reset() }
        while try step() {}
    }

    /// The error of the last step was thrown by `step`, so the code repeated here is not looked at.
    public mutating func reset() {
        unsafe sqlite3_reset(handle)
    }

    public mutating func bind(_ index: Int32, _ value: Int64) throws(SQLiteError) {
        try check(unsafe sqlite3_bind_int64(handle, index, value))
    }

    /// Zero means absent in a dictionary-coded column and is stored as NULL.
    public mutating func bind(_ index: Int32, nonZero value: UInt32) throws(SQLiteError) {
        try value == 0 ? bindNull(index) : bind(index, Int64(value))
    }

    public mutating func bind(_ index: Int32, _ value: String) throws(SQLiteError) {
        var copy = value
        let code = copy.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { text in
                unsafe costgauge_bind_text_copy(handle, index, text.baseAddress, Int32(text.count))
            }
        }
        try check(code)
    }

    public mutating func bind(_ index: Int32, text value: Span<UInt8>) throws(SQLiteError) {
        // An empty span may have no address, and a null pointer would bind NULL instead of "".
        if value.isEmpty { return try bind(index, "") }
        let code = unsafe value.withUnsafeBufferPointer { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { text in
                unsafe costgauge_bind_text_copy(handle, index, text.baseAddress, Int32(text.count))
            }
        }
        try check(code)
    }

    public mutating func bind(_ index: Int32, blob value: Span<UInt8>) throws(SQLiteError) {
        if value.isEmpty { return try check(unsafe sqlite3_bind_zeroblob(handle, index, 0)) }
        let code = unsafe value.withUnsafeBufferPointer { bytes in
            unsafe costgauge_bind_blob_copy(handle, index, bytes.baseAddress, Int32(bytes.count))
        }
        try check(code)
    }

    public mutating func bind(_ index: Int32, optional value: Int64?) throws(SQLiteError) {
        if let value { try bind(index, value) } else { try bindNull(index) }
    }

    public mutating func bindNull(_ index: Int32) throws(SQLiteError) {
        try check(unsafe sqlite3_bind_null(handle, index))
    }

    /// NULL reads as 0; `isNull` tells them apart.
    public borrowing func integer(_ column: Int32) -> Int64 {
        unsafe sqlite3_column_int64(handle, column)
    }

    public borrowing func isNull(_ column: Int32) -> Bool {
        unsafe sqlite3_column_type(handle, column) == SQLITE_NULL
    }

    /// NULL reads as the empty string.
    public borrowing func text(_ column: Int32) -> String {
        unsafe withBytes(column) { unsafe String(decoding: $0, as: UTF8.self) }
    }

    public borrowing func bytes(_ column: Int32) -> [UInt8] {
        unsafe withBytes(column) { unsafe Array($0) }
    }

    /// Appends the text or blob of a column and answers its length.
    @discardableResult
    public borrowing func append(_ column: Int32, to bytes: inout [UInt8]) -> Int {
        unsafe withBytes(column) {
            unsafe bytes.append(contentsOf: $0)
            return $0.count
        }
    }

    public var columnCount: Int32 { unsafe sqlite3_column_count(handle) }

    public borrowing func columnName(_ column: Int32) -> String {
        guard let name = unsafe sqlite3_column_name(handle, column) else { return "" }
        return unsafe String(cString: name)
    }

    // SQLite owns the bytes until the next step; they do not leave the closure.
    private borrowing func withBytes<Result>(
        _ column: Int32, _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        // The pointer first, the length second: https://www.sqlite.org/c3ref/column_blob.html
        let pointer = unsafe sqlite3_column_blob(handle, column)
        let count = unsafe Int(sqlite3_column_bytes(handle, column))
        guard let start = unsafe pointer?.assumingMemoryBound(to: UInt8.self), count > 0 else {
            return unsafe body(UnsafeBufferPointer(start: nil, count: 0))
        }
        return unsafe body(UnsafeBufferPointer(start: start, count: count))
    }

    private func check(_ code: Int32) throws(SQLiteError) {
        guard code == SQLITE_OK else { throw error(code) }
    }

    private func error(_ code: Int32) -> SQLiteError {
        let database = unsafe sqlite3_db_handle(handle)
        return SQLiteError(
            code: code,
            message: unsafe String(cString: sqlite3_errmsg(database)),
            attempt: sql
        )
    }
}
