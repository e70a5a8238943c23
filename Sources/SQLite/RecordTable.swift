import CSQLite

// Rows enter SQLite fastest when it fetches them itself: `insert into t select * from <virtual
// table>` runs one statement for a whole batch and costs about 0.6 of twelve binds and a step per
// row. The virtual table reads the caller's records in place:
//
//      [Record]  | 0: id, time, tenant ... | 1: ... | 2: ... |   one stride of Record each
//                      ^ offset, kind: one `RecordColumn` each
//      text      | bytes that the records' text references point into |
//
// https://www.sqlite.org/vtab.html, "eponymous-only virtual tables".

/// Where a record keeps the value of one column.
public struct RecordColumn: Sendable {
    public enum Kind: Sendable, BitwiseCopyable {
        case int64
        /// An Int64 that is NULL when it equals Int64.min.
        case optionalInt64
        case uint32
        /// A UInt32 that is NULL when 0: dictionary ids and counts that are mostly absent.
        case nonZeroUInt32
        /// Two UInt32, offset and length into the batch's text; NULL when the length is 0.
        case text
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

/// Records whose byte at `offset` has a bit of `mask` set are stepped over.
public struct RecordFilter: Sendable {
    let offset: Int
    let mask: UInt8

    public init(offset: Int, mask: UInt8) {
        self.offset = offset
        self.mask = mask
    }
}

/// A virtual table over records in memory, readable only within `withRecords`.
@safe
public struct RecordTable: ~Copyable {
    private let source: UnsafeMutablePointer<RecordSource>

    /// Registers the table under `name`. It must not outlive the database.
    public init(
        name: String, columns: [RecordColumn], filter: RecordFilter, in database: borrowing Database
    ) throws(SQLiteError) {
        unsafe source = .allocate(capacity: 1)
        unsafe source.initialize(to: RecordSource(columns: columns, filter: filter))
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
        _ records: Span<Record>, text: Span<UInt8>, _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        // The closures of the spans rethrow untyped, so the outcome travels beside them.
        var failure: Failure?
        unsafe records.withUnsafeBytes { bytes in
            unsafe text.withUnsafeBytes { text in
                unsafe source.pointee.lend(
                    bytes, count: records.count, stride: MemoryLayout<Record>.stride, text: text)
                do throws(Failure) { try body() } catch { failure = error }
                unsafe source.pointee.takeBack()
            }
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
    private let filter: RecordFilter
    private var rows: UnsafeRawPointer?
    private(set) var count = 0
    private var stride = 0
    private var text: UnsafeRawPointer?
    private var textCount = 0

    init(columns: [RecordColumn], filter: RecordFilter) {
        declaration = "create table records(" + columns.map(\.name).joined(separator: ",") + ")"
        // A raw array: an Array would be retained and released once a cell.
        unsafe self.columns = .allocate(capacity: columns.count)
        for (index, column) in columns.enumerated() {
            unsafe (self.columns + index).initialize(to: column.layout)
        }
        columnCount = columns.count
        self.filter = filter
    }

    deinit { unsafe columns.deallocate() }

    mutating func lend(
        _ bytes: UnsafeRawBufferPointer, count: Int, stride: Int, text: UnsafeRawBufferPointer
    ) {
        unsafe rows = bytes.baseAddress
        self.count = count
        self.stride = stride
        unsafe self.text = text.baseAddress
        textCount = text.count
    }

    mutating func takeBack() {
        unsafe rows = nil
        count = 0
        unsafe text = nil
        textCount = 0
    }

    /// The first row at or after `row` that the filter lets through, or `count`.
    func next(from row: Int) -> Int {
        guard let rows = unsafe rows else { return count }
        var row = row
        while row < count {
            let flags = unsafe rows.load(
                fromByteOffset: row &* stride &+ filter.offset, as: UInt8.self)
            if flags & filter.mask == 0 { return row }
            row &+= 1
        }
        return count
    }

    func emit(row: Int, column: Int, to context: OpaquePointer?) {
        guard let rows = unsafe rows, column < columnCount else { return }
        let layout = unsafe columns[column]
        let cell = unsafe rows + (row &* stride &+ layout.offset)
        switch layout.kind {
        case .int64:
            unsafe sqlite3_result_int64(context, cell.load(as: Int64.self))
        case .optionalInt64:
            let value = unsafe cell.load(as: Int64.self)
            if value != Int64.min { unsafe sqlite3_result_int64(context, value) }
        case .uint32:
            unsafe sqlite3_result_int64(context, Int64(cell.load(as: UInt32.self)))
        case .nonZeroUInt32:
            let value = unsafe cell.load(as: UInt32.self)
            if value != 0 { unsafe sqlite3_result_int64(context, Int64(value)) }
        case .text:
            let offset = unsafe Int(cell.load(as: UInt32.self))
            let length = unsafe Int(cell.load(fromByteOffset: 4, as: UInt32.self))
            guard length > 0, let text = unsafe text else { return }
            precondition(
                offset + length <= textCount,
                "BUG: text \(offset)+\(length) of a record ends past \(textCount)")
            unsafe costgauge_result_text_borrowed(
                context, (text + offset).assumingMemoryBound(to: CChar.self), Int32(length))
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
    unsafe withCursor(cursor) { unsafe $0.pointee.row = $0.pointee.source.pointee.next(from: 0) }
    return SQLITE_OK
}

private func recordNext(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Int32 {
    unsafe withCursor(cursor) {
        unsafe $0.pointee.row = $0.pointee.source.pointee.next(from: $0.pointee.row + 1)
    }
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
