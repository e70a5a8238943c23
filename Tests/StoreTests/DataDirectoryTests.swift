import Foundation
import SQLite
import TestSupport
import Testing

@testable import Store

private let schema = Schema(migrations: ["create table a (x)", "create table b (y)"])

private func open(_ path: String, _ schema: Schema) throws {
    let directory = try DataDirectory(path: path)
    _ = try directory.openForWriting(schema: schema)
}

private func content(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path + "/costgauge.db"))
}

@Suite struct DataDirectoryTests {
    @Test func `what lies with the machine may pass, what an operator must correct does not`() {
        let full = SQLiteError(code: 13, message: "database or disk is full", attempt: "insert")
        #expect(StoreError.sqlite(path: "p", full).mayPass)
        #expect(StoreError.inUse(path: "p", processID: 1).mayPass)
        for error in [
            StoreError.directory(path: "p", cause: "c"), .missing(path: "p"),
            .notADatabase(path: "p"), .foreign(path: "p"),
            .newerSchema(path: "p", found: 2, known: 1),
            .olderSchema(path: "p", found: 1, known: 2),
        ] {
            #expect(!error.mayPass, "\(error)")
        }
    }

    @Test func `steps run once each and the version says how far`() throws {
        let place = TemporaryDirectory()
        try open(place.path, Schema(migrations: [schema.migrations[0]]))
        let directory = try DataDirectory(path: place.path)
        let database = try directory.openForWriting(schema: schema)
        #expect(try database.integer("pragma user_version") == 2)
        #expect(try database.integer("select count(*) from a") == 0)
        #expect(try database.integer("select count(*) from b") == 0)
        #expect(try database.text("pragma journal_mode") == "wal")
        #expect(try database.integer("pragma synchronous") == 2)
    }

    @Test func `a step that fails leaves the version before it`() throws {
        let place = TemporaryDirectory()
        try open(place.path, Schema(migrations: ["create table a (x)"]))
        #expect(throws: StoreError.self) {
            try open(
                place.path,
                Schema(migrations: ["create table a (x)", "create table b (y); nonsense"]))
        }
        let directory = try DataDirectory(path: place.path)
        let database = try directory.openForWriting(
            schema: Schema(migrations: ["create table a (x)"]))
        #expect(try database.integer("select count(*) from sqlite_schema where name = 'b'") == 0)
    }

    @Test func `a newer schema is refused and not touched`() throws {
        let place = TemporaryDirectory()
        try open(place.path, schema)
        let before = try content(place.path)
        let older = Schema(migrations: [schema.migrations[0]])
        #expect(
            throws: StoreError.newerSchema(
                path: place.path + "/costgauge.db", found: 2, known: 1)
        ) { try open(place.path, older) }
        #expect(throws: StoreError.self) {
            _ = try DataDirectory.openForReading(path: place.path, schema: older)
        }
        #expect(try content(place.path) == before)
    }

    @Test func `a file that is no database is refused and not touched`() throws {
        let place = TemporaryDirectory()
        let file = try place.file("costgauge.db", "my notes\n")
        #expect(throws: StoreError.notADatabase(path: file)) { try open(place.path, schema) }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "my notes\n")
        #expect(!FileManager.default.fileExists(atPath: file + "-wal"))
    }

    @Test func `another program's database is refused and not touched`() throws {
        let place = TemporaryDirectory()
        do {
            let other = try Database(path: place.path + "/costgauge.db", mode: .readWrite)
            try other.execute("create table theirs (x); insert into theirs values (1)")
        }
        let before = try content(place.path)
        #expect(throws: StoreError.foreign(path: place.path + "/costgauge.db")) {
            try open(place.path, schema)
        }
        #expect(try content(place.path) == before)
    }

    @Test func `a file that was being created is taken over`() throws {
        let place = TemporaryDirectory()
        do {
            let started = try Database(path: place.path + "/costgauge.db", mode: .readWrite)
            try started.execute("pragma page_size = 16384; pragma journal_mode = wal")
        }
        try open(place.path, schema)
        let empty = TemporaryDirectory()
        _ = try empty.file("costgauge.db", "")
        try open(empty.path, schema)
    }

    @Test func `a second writer is refused and told who writes`() throws {
        let place = TemporaryDirectory()
        let first = try DataDirectory(path: place.path)
        #expect(
            throws: StoreError.inUse(path: place.path, processID: getpid())
        ) { _ = try DataDirectory(path: place.path) }
        _ = consume first
        _ = try DataDirectory(path: place.path)
    }

    @Test func `readers come beside the writer and need an up-to-date store`() throws {
        let place = TemporaryDirectory()
        #expect(throws: StoreError.missing(path: place.path + "/costgauge.db")) {
            _ = try DataDirectory.openForReading(path: place.path, schema: schema)
        }
        let directory = try DataDirectory(path: place.path)
        let writer = try directory.openForWriting(schema: schema)
        try writer.execute("insert into a values (7)")
        let reader = try DataDirectory.openForReading(path: place.path, schema: schema)
        #expect(try reader.integer("select x from a") == 7)
        #expect(throws: SQLiteError.self) { try reader.execute("insert into a values (8)") }
        let newer = Schema(migrations: schema.migrations + ["create table c (z)"])
        #expect(throws: StoreError.self) {
            _ = try DataDirectory.openForReading(path: place.path, schema: newer)
        }
    }

    @Test func `a directory that cannot be made is named`() {
        #expect(throws: StoreError.self) { _ = try DataDirectory(path: "/proc/nowhere/data") }
    }
}
