import CSQLite

// Rows enter SQLite fastest when it fetches them itself: `insert into t select * from <virtual
// table>` runs one statement for a whole batch and costs about 0.6 of twelve binds and a step per
// row. The virtual table reads the caller's records in place:
//
//      [Record]  | 0: quarter, tenant ... | 1: ... | 2: ... |   one stride of Record each
//                      ^ offset, kind: one `RecordColumn` each
//
// https://www.sqlite.org/vtab.html, "eponymous-only virtual tables".

/// Where a record keeps the value of one column.
public struct RecordColumn: Sendable {
    public enum Kind: Sendable, BitwiseCopyable {
        case int64
        case uint32
    }

    let name: String
    let offset: Int
    let kind: Kind

    public init(_ name: String, offset: Int, kind: Kind) {
        self.name = name
        self.offset = offset
        self.kind = kind
    }
}

/// A virtual table over records in memory, readable only within `withRecords`.
@safe
public struct RecordTable: ~Copyable {
    private let source: UnsafeMutablePointer<RecordSource>

    /// Registers the table under `name`. It must not outlive the database.
    public init(
        name: String, columns: [RecordColumn], in database: borrowing Database
    ) throws(SQLiteError) {
        unsafe source = .allocate(capacity: 1)
        unsafe source.initialize(to: RecordSource(columns: columns))
        let code = unsafe sqlite3_create_module(
            database.handle, name, recordModule.pointer, UnsafeMutableRawPointer(source))
        guard code == SQLITE_OK else {
            unsafe source.deinitialize(count: 1)
            unsafe source.deallocate()
            throw database.error(code, "register table \(name)")
        }
    }

    deinit {
        unsafe source.deinitialize(count: 1)
        unsafe source.deallocate()
    }

    /// Lends the records to the statements that `body` runs.
    public borrowing func withRecords<Record: BitwiseCopyable, Failure: Error>(
        _ records: Span<Record>, _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        // The closure of the span rethrows untyped, so the outcome travels beside it.
        var failure: Failure?
        unsafe records.withUnsafeBytes { bytes in
            unsafe source.pointee.lend(
                bytes, count: records.count, stride: MemoryLayout<Record>.stride)
            do throws(Failure) { try body() } catch { failure = error }
            unsafe source.pointee.takeBack()
        }
        if let failure { throw failure }
    }
}

/// What the callbacks read. Its memory belongs to a `RecordTable`; the rows to the caller of
/// `withRecords`.
@safe
struct RecordSource: ~Copyable {
    let declaration: String
    private let columns: UnsafeMutablePointer<RecordColumn.Layout>
    private let columnCount: Int
    private var rows: UnsafeRawPointer?
    private(set) var count = 0
    private var stride = 0

    init(columns: [RecordColumn]) {
        declaration = "create table records(" + columns.map(\.name).joined(separator: ",") + ")"
        // A raw array: an Array would be retained and released once a cell.
        unsafe self.columns = .allocate(capacity: columns.count)
        for (index, column) in columns.enumerated() {
            unsafe (self.columns + index).initialize(to: column.layout)
        }
        columnCount = columns.count
    }

    deinit { unsafe columns.deallocate() }

    mutating func lend(_ bytes: UnsafeRawBufferPointer, count: Int, stride: Int) {
        unsafe rows = bytes.baseAddress
        self.count = count
        self.stride = stride
    }

    mutating func takeBack() {
        unsafe rows = nil
        count = 0
    }

    func emit(row: Int, column: Int, to context: OpaquePointer?) {
        guard let rows = unsafe rows, column < columnCount else { return }
        let layout = unsafe columns[column]
        let cell = unsafe rows + (row &* stride &+ layout.offset)
        switch layout.kind {
        case .int64:
            unsafe sqlite3_result_int64(context, cell.load(as: Int64.self))
        case .uint32:
            unsafe sqlite3_result_int64(context, Int64(cell.load(as: UInt32.self)))
        }
    }
}

extension RecordColumn {
    struct Layout: BitwiseCopyable {
        let offset: Int
        let kind: Kind
    }

    var layout: Layout { Layout(offset: offset, kind: kind) }
}

/// SQLite keeps the pointer for as long as a connection lives, so the structure is never freed.
@safe
private struct RecordModule: @unchecked Sendable {
    // Written once, by the lazy initialiser of `recordModule`, and only read afterwards.
    let pointer: UnsafeMutablePointer<sqlite3_module>

    init() {
        unsafe pointer = .allocate(capacity: 1)
        var module = sqlite3_module()
        unsafe module.xConnect = recordConnect
        unsafe module.xBestIndex = recordBestIndex
        unsafe module.xDisconnect = recordDisconnect
        unsafe module.xOpen = recordOpen
        unsafe module.xClose = recordClose
        unsafe module.xFilter = recordFilter
        unsafe module.xNext = recordNext
        unsafe module.xEof = recordEOF
        unsafe module.xColumn = recordColumn
        unsafe module.xRowid = recordRowID
        unsafe pointer.initialize(to: module)
    }
}

private let recordModule = RecordModule()

// SQLite sees the first member of each, as C's layout rules promise.
@unsafe
private struct RecordVirtualTable {
    var base = unsafe sqlite3_vtab()
    var source: UnsafeMutablePointer<RecordSource>
}

@unsafe
private struct RecordCursor {
    var base = unsafe sqlite3_vtab_cursor()
    var source: UnsafeMutablePointer<RecordSource>
    var row = 0
}

private func recordConnect(
    _ database: OpaquePointer?, _ auxiliary: UnsafeMutableRawPointer?, _ argumentCount: Int32,
    _ arguments: UnsafePointer<UnsafePointer<CChar>?>?,
    _ result: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab>?>?,
    _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    guard let source = unsafe auxiliary?.assumingMemoryBound(to: RecordSource.self) else {
        return SQLITE_ERROR
    }
    let code = unsafe sqlite3_declare_vtab(database, source.pointee.declaration)
    guard code == SQLITE_OK else { return code }
    unsafe costgauge_vtab_innocuous(database)
    let table = UnsafeMutablePointer<RecordVirtualTable>.allocate(capacity: 1)
    unsafe table.initialize(to: RecordVirtualTable(source: source))
    unsafe result?.pointee = UnsafeMutableRawPointer(table).assumingMemoryBound(
        to: sqlite3_vtab.self)
    return SQLITE_OK
}

private func recordBestIndex(
    _ table: UnsafeMutablePointer<sqlite3_vtab>?, _ info: UnsafeMutablePointer<sqlite3_index_info>?
) -> Int32 {
    unsafe info?.pointee.estimatedCost = 1000
    return SQLITE_OK
}

private func recordDisconnect(_ table: UnsafeMutablePointer<sqlite3_vtab>?) -> Int32 {
    unsafe UnsafeMutableRawPointer(table)?
        .assumingMemoryBound(to: RecordVirtualTable.self).deallocate()
    return SQLITE_OK
}

private func recordOpen(
    _ table: UnsafeMutablePointer<sqlite3_vtab>?,
    _ result: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab_cursor>?>?
) -> Int32 {
    guard
        let table = unsafe UnsafeMutableRawPointer(table)?
            .assumingMemoryBound(to: RecordVirtualTable.self)
    else { return SQLITE_ERROR }
    let cursor = UnsafeMutablePointer<RecordCursor>.allocate(capacity: 1)
    unsafe cursor.initialize(to: RecordCursor(source: table.pointee.source))
    unsafe result?.pointee =
        UnsafeMutableRawPointer(cursor).assumingMemoryBound(to: sqlite3_vtab_cursor.self)
    return SQLITE_OK
}

private func recordClose(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Int32 {
    unsafe withCursor(cursor) { unsafe $0.deallocate() }
    return SQLITE_OK
}

private func recordFilter(
    _ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?, _ plan: Int32,
    _ text: UnsafePointer<CChar>?,
    _ count: Int32, _ arguments: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    unsafe withCursor(cursor) { unsafe $0.pointee.row = 0 }
    return SQLITE_OK
}

private func recordNext(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Int32 {
    unsafe withCursor(cursor) { unsafe $0.pointee.row += 1 }
    return SQLITE_OK
}

private func recordEOF(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Int32 {
    var isAtEnd: Int32 = 1
    unsafe withCursor(cursor) {
        isAtEnd = unsafe $0.pointee.row >= $0.pointee.source.pointee.count ? 1 : 0
    }
    return isAtEnd
}

private func recordColumn(
    _ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?, _ context: OpaquePointer?, _ column: Int32
) -> Int32 {
    unsafe withCursor(cursor) {
        unsafe $0.pointee.source.pointee.emit(
            row: $0.pointee.row, column: Int(column), to: context)
    }
    return SQLITE_OK
}

private func recordRowID(
    _ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?,
    _ result: UnsafeMutablePointer<sqlite3_int64>?
) -> Int32 {
    unsafe withCursor(cursor) { unsafe result?.pointee = sqlite3_int64($0.pointee.row) }
    return SQLITE_OK
}

@inline(__always)
private func withCursor(
    _ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?,
    _ body: (UnsafeMutablePointer<RecordCursor>) -> Void
) {
    guard
        let cursor = unsafe UnsafeMutableRawPointer(cursor)?
            .assumingMemoryBound(to: RecordCursor.self)
    else { return }
    unsafe body(cursor)
}
