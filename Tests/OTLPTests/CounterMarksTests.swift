import SQLite
import Store
import TestSupport
import Testing
import Usage

@testable import OTLP

@Suite struct CounterMarksTests {
    private let now: Int64 = 1_795_168_800_000_000_000

    private func mark(_ series: UInt64, time: UInt64 = 2, value: Int64 = 3) -> CounterMark {
        CounterMark(series: series, start: 1, time: time, value: value)
    }

    private func keep(
        _ marks: [CounterMark], in database: borrowing Database, at now: Int64
    ) throws {
        let batch = EventBatch()
        batch.marks = marks
        try CounterMarks().prepare([batch], in: database, now: now)
    }

    private func recovered(_ database: borrowing Database) throws -> CounterMarks {
        let marks = CounterMarks()
        try marks.recover(from: database, now: now)
        return marks
    }

    @Test func `those heard of last are at the end, an older point changes nothing`() throws {
        let place = TemporaryDirectory()
        let database = try DataDirectory(path: place.path).openForWriting(
            schema: Schema(migrations: [CounterSchema.tables])
        )
        try keep([mark(1), mark(.max, value: 7)], in: database, at: now - 10)
        try keep([mark(2)], in: database, at: now - 5)
        try keep([mark(1, time: 5, value: 9)], in: database, at: now - 2)
        try keep([mark(1, time: 4, value: 8)], in: database, at: now - 1)
        let marks = try recovered(database)
        #expect(
            marks.takeKnown() == [mark(.max, value: 7), mark(2), mark(1, time: 5, value: 9)])
        #expect(marks.takeKnown().isEmpty && marks.lastNanos == now - 2)
        // The same names after every start.
        let bytes: [UInt8] = [1, 2, 3]
        let again = try recovered(database)
        let (first, second) = (marks.hash.narrow(bytes.span), again.hash.narrow(bytes.span))
        #expect(first == second)
    }

    @Test func `marks are forgotten by age and by number, at the edge`() throws {
        let place = TemporaryDirectory()
        let database = try DataDirectory(path: place.path).openForWriting(
            schema: Schema(migrations: [CounterSchema.tables])
        )
        for (series, age) in [
            (1, CounterMarks.ageNanosMax), (2, CounterMarks.ageNanosMax - 1), (3, 20), (4, 10),
        ] {
            try keep([mark(UInt64(series))], in: database, at: now - age)
        }
        #expect(try recovered(database).takeKnown().map(\.series) == [2, 3, 4])
        try CounterMarks.prune(database, now: now, countMax: 3)
        #expect(try database.integer("select count(*) from otlp_counters") == 3)
        try CounterMarks.prune(database, now: now, countMax: 2)
        #expect(try recovered(database).takeKnown().map(\.series) == [3, 4])
    }

    @Test func `marks without events wait for the checkpoint, and for the next when it fails`()
        throws
    {
        let place = TemporaryDirectory()
        let database = try DataDirectory(path: place.path).openForWriting(
            schema: Schema(migrations: [CounterSchema.tables])
        )
        let marks = CounterMarks()
        #expect(!marks.needsCheckpoint)
        marks.keep([mark(1)])
        #expect(marks.needsCheckpoint)
        try marks.checkpoint(in: database, now: now)
        marks.keep([mark(1, time: 9), mark(2)])
        marks.checkpointEnded(isDurable: true)
        // What came during the checkpoint is not yet kept.
        #expect(marks.needsCheckpoint)
        try marks.checkpoint(in: database, now: now)
        marks.checkpointEnded(isDurable: false)
        #expect(marks.needsCheckpoint)
        try marks.checkpoint(in: database, now: now)
        marks.checkpointEnded(isDurable: true)
        #expect(!marks.needsCheckpoint)
        #expect(Set(try recovered(database).takeKnown().map(\.time)) == [9, 2])
    }
}
