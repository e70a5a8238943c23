import TestSupport
import Testing

@testable import SQLite

private struct Record: BitwiseCopyable {
    var big: Int64
    var count: UInt32
    var other: UInt32 = 7

    static let columns = [
        RecordColumn("big", offset: 0, kind: .int64),
        RecordColumn("count", offset: 8, kind: .uint32),
    ]
}

@Suite struct RecordTableTests {
    @Test func `records become rows`() throws {
        let database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute("create table t (big, count)")
        let table = try RecordTable(name: "pending", columns: Record.columns, in: database)
        let records = [
            Record(big: .min, count: 0), Record(big: 1, count: 1), Record(big: .max, count: .max),
        ]
        try table.withRecords(records.span) { () throws(SQLiteError) in
            try database.execute("insert into t select * from pending")
        }
        var select = try database.prepare("select * from t")
        for record in records {
            let isRow = try select.step()
            #expect(isRow)
            #expect(select.integer(0) == record.big && select.integer(1) == Int64(record.count))
        }
        let isRow = try select.step()
        #expect(!isRow)
    }

    @Test func `outside of its closure the table is empty`() throws {
        let database = try Database(path: ":memory:", mode: .readWrite)
        let table = try RecordTable(name: "pending", columns: Record.columns, in: database)
        #expect(try database.integer("select count(*) from pending") == 0)
        let records = [Record(big: 1, count: 1)]
        var inside: Int64?
        try table.withRecords(records.span) { () throws(SQLiteError) in
            inside = try database.integer("select count(*) from pending")
        }
        #expect(inside == 1)
        #expect(try database.integer("select count(*) from pending") == 0)
    }

    @Test func `an error inside the closure comes out typed`() throws {
        let database = try Database(path: ":memory:", mode: .readWrite)
        let table = try RecordTable(name: "pending", columns: Record.columns, in: database)
        let none: [Record] = []
        #expect(throws: SQLiteError.self) {
            try table.withRecords(none.span) { () throws(SQLiteError) in
                try database.execute("insert into nowhere select * from pending")
            }
        }
    }
}

@Suite struct DatabaseTests {
    @Test func `errors name the attempt and never a bound value`() throws {
        let database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute("create table t (a text unique)")
        var insert = try database.prepare("insert into t values (?)")
        try insert.bind(1, "secret")
        try insert.run()
        try insert.bind(1, "secret")
        do {
            try insert.run()
            Issue.record("a duplicate was inserted")
        } catch {
            #expect(error.description.contains("insert into t values (?)"))
            #expect(error.description.contains("SQLITE_CONSTRAINT 2067"))
            #expect(!error.description.contains("secret"))
        }
    }

    @Test func `bytes and empty values come back as they went in`() throws {
        let database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute("create table t (a, b, c)")
        var insert = try database.prepare("insert into t values (?, ?, ?)")
        let empty: [UInt8] = []
        let bytes: [UInt8] = [0, 255, 10]
        try insert.bind(1, text: empty.span)
        try insert.bind(2, blob: bytes.span)
        try insert.bind(3, blob: empty.span)
        try insert.run()
        var select = try database.prepare("select a, b, c, typeof(a), typeof(c) from t")
        let step4 = try select.step()
        #expect(step4)
        #expect(select.bytes(0) == [] && select.bytes(1) == bytes && select.bytes(2) == [])
        #expect(select.text(3) == "text" && select.text(4) == "blob")
    }

    @Test func `paths with signs that URIs use are taken as they are`() throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/a?b#c%41.db"
        do {
            let database = try Database(path: path, mode: .readWrite)
            try database.execute("create table t (a)")
        }
        let again = try Database(path: path, mode: .readOnly)
        #expect(try again.integer("select count(*) from t") == 0)
        #expect(throws: SQLiteError.self) { try again.execute("insert into t values (1)") }
    }

    @Test func `a file that is missing or no database says so`() throws {
        let directory = TemporaryDirectory()
        #expect(throws: SQLiteError.self) {
            _ = try Database(path: directory.path + "/none.db", mode: .readOnly)
        }
        let file = try directory.file("text.db", String(repeating: "not a database ", count: 100))
        do {
            let database = try Database(path: file, mode: .readOnly)
            _ = try database.integer("select count(*) from sqlite_schema")
            Issue.record("a text file was read")
        } catch {
            #expect(error.isNotADatabase)
        }
    }
}
