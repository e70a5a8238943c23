import Foundation
import Logging
import SQLite
import Store
import Synchronization
import TestSupport
import Testing
import Usage

@testable import Ledger

@Suite struct RollUpCompactionTests {
    @Test func `old quarter hours become hours, old hours become days, sums stay`() throws {
        let place = TemporaryDirectory()
        let time = ManualTime()
        let harness = try LedgerHarness(path: place.path, time: time)
        let day: Int64 = 86_400_000_000_000
        let midnight = time.unixNanos / day * day
        var total: Int64 = 0
        // Eight quarter hours each of a young, an old and a very old day, and two tenants.
        for age in [Int64(2), 50, 450] {
            for quarter in 0..<8 {
                for tenant in ["a", "b"] {
                    total += 7
                    harness.commit([
                        harness.event(
                            tenant, "m", cost: 7,
                            at: midnight - age * day + Int64(quarter) * 900_000_000_000)
                    ])
                }
            }
        }
        harness.stop()
        let again = try LedgerHarness(path: place.path, time: time)
        defer { again.stop() }
        let reader = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        // Young: 8 quarter hours; old: 2 hours; very old: 1 day; times two tenants.
        let isDone = try eventually {
            time.advance(seconds: 2)
            return try reader.integer("select count(*) from rollups") == 22
        }
        #expect(isDone)
        #expect(try reader.integer("select sum(cost_nanousd) from rollups") == total)
        #expect(try reader.integer("select sum(events) from rollups") == 48)
        #expect(try reader.integer("select max(largest_nanousd) from rollups") == 7)
        let veryOld = (midnight - 450 * day) / 900_000_000_000
        #expect(
            try reader.integer(
                "select sum(events) from rollups where quarter = \(veryOld)") == 16)
    }

    @Test func `spans that follow on one another count everything once, however coarse the past`()
        throws
    {
        let place = TemporaryDirectory()
        let time = ManualTime()
        let harness = try LedgerHarness(path: place.path, time: time)
        let (day, minute): (Int64, Int64) = (86_400_000_000_000, 60_000_000_000)
        let midnight = time.unixNanos / day * day
        let ages = [Int64(0), 50, 450]
        func commit(_ harness: LedgerHarness) {
            for age in ages {
                for place in Int64(0)..<24 {
                    let at = midnight - age * day - 4 * minute + place * 7 * minute
                    harness.commit([harness.event("t\(place % 2)", "m", cost: 1, at: at)])
                }
            }
        }
        commit(harness)
        harness.stop()
        let again = try LedgerHarness(path: place.path, time: time)
        let reader = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        func meta(_ key: String) throws -> Int64 { try RollUpTail.meta(key, in: reader) }
        let old = (midnight - 450 * day) / 900_000_000_000
        let isDone = try eventually {
            time.advance(seconds: 2)
            return try meta("hours_up_to") >= old + 400 * 96 + 12 && meta("days_up_to") > old + 95
        }
        #expect(isDone)
        // The same once more, so late that they stay finer than their neighbours.
        commit(again)
        for age in ages {
            // The first and the last are days apart from all events.
            let cuts =
                [-2 * 24 * 60, -7, -4, 0, 1, 10, 33, 59, 61, 90, 100, 140, 2 * 24 * 60].map {
                    midnight - age * day + $0 * minute
                }
            for groups in [[], [.tenant], [.user], [.tenant, .user]] as [[Usage.Dimension]] {
                var counts: [Int64] = []
                var ends: [Int64?] = []
                for (since, until) in zip(cuts, cuts.dropFirst()) {
                    let query = SpendQuery(groupBy: groups, since: since, until: until)
                    counts.append(try query.run(on: reader).reduce(0) { $0 + $1.events })
                    let range = try query.range(on: reader)
                    if let last = ends.last { #expect(range.since == last) }
                    ends.append(range.until)
                    let unit: Int64 = [0: 900, 50: 3600, 450: 86_400][age, default: 1]
                    let nanos = unit * 1_000_000_000
                    #expect(range.since == since / nanos * nanos)
                }
                #expect(counts.reduce(0, +) == 48, "\(age) \(groups) \(counts)")
                #expect(counts.contains { $0 != 0 && $0 != 48 })
            }
        }
        again.stop()
    }

    @Test func `what is coarse already is left alone, and nothing is written for it`() throws {
        let database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(LedgerSchema.tables)
        let time = ManualTime()
        let log = Logger(level: .error, format: .logfmt, time: time)
        var compaction = RollUpCompaction()
        func changes() throws -> Int64? {
            compaction.run(database, now: time.unixNanos, log)
            time.advance(seconds: 601)
            return try database.integer("select total_changes()")
        }
        let before = try database.integer("select total_changes()")
        #expect(try changes() == before)
        let quarter = time.unixNanos / 900_000_000_000 - 50 * 96
        for place in 0..<6 {
            try database.execute(
                """
                insert into rollups values (
                    \(quarter + Int64(place)), 1, 0, 0, 0, 0, 0, 0, 0, 0,
                    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5)
                """)
        }
        let counts = [try changes(), try changes(), try changes(), try changes()]
        #expect(try database.integer("select count(*) from rollups") == 2)
        #expect(try database.integer("select sum(cost_nanousd) from rollups") == 30)
        #expect(Set(counts).count == 2 && Set(counts.dropFirst()).count == 1)
        #expect(try database.integer("select min(quarter) from rollups where quarter < 0") == nil)
    }

    @Test func `batches that belong together are taken together, and never mixed`() {
        let queue = EventQueue(eventsMax: 1_000_000)
        func batch(_ events: Int) -> EventBatch {
            let batch = queue.checkoutEmpty()
            for _ in 0..<events { batch.rows.events.append(CostEvent()) }
            batch.parts.append(
                EventBatch.Part(range: 0..<events, receipt: Receipt { _ in }))
            return batch
        }
        queue.submit(batch(600))
        queue.submit(together: [batch(300), batch(10)])
        // A batch of a unit is not handed out again, whatever room it has.
        let other = queue.checkout()
        #expect(other.count == 0)
        var group: [EventBatch] = []
        queue.take(eventsMax: 899, into: &group, sleepingNanos: 0)
        #expect(group.map(\.count) == [600])
        group = []
        queue.take(eventsMax: 1, into: &group, sleepingNanos: 0)
        #expect(group.map(\.count) == [300, 10])
    }
}
