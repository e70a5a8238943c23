import Foundation
import Logging
import SQLite
import Store
import Synchronization
import TestSupport
import Testing
import Threading
import Usage

@testable import Ledger

@Suite struct LedgerTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `P11 a crash at any point restores every sum`(_ seed: UInt64) throws {
        let place = TemporaryDirectory()
        var settings = LedgerSettings()
        settings.maxSeries = seed == 1 ? 10_000 : 300
        let first = try LedgerHarness(path: place.path, settings: settings)
        var total = first.feed(seed: seed, batches: 4)
        // The sums in memory come from events alone here: no checkpoint has been written.
        let image = try first.crashImage()
        let before = first.sums()
        #expect(before["totals"]?[0] == total)
        let second = try LedgerHarness(path: image.path, settings: settings)
        #expect(difference(second.sums(), before) == [])
        total += second.feed(seed: seed + 100, batches: 3)
        second.stop()
        // This time from a checkpoint, and further events after it.
        let third = try LedgerHarness(path: image.path, settings: settings)
        #expect(difference(third.sums(), second.sums()) == [])
        _ = third.feed(seed: seed + 200, batches: 2)
        let secondImage = try third.crashImage()
        let fourth = try LedgerHarness(path: secondImage.path, settings: settings)
        #expect(difference(fourth.sums(), third.sums()) == [])
        for harness in [first, third, fourth] { harness.stop() }
    }

    @Test func `events that a start applied again are in a checkpoint soon, also when none follow`()
        throws
    {
        let place = TemporaryDirectory()
        let first = try LedgerHarness(path: place.path)
        first.commit((0..<7).map { first.event("a", "m", cost: Int64($0)) })
        let image = try first.crashImage()
        let time = ManualTime()
        let second = try LedgerHarness(path: image.path, time: time)
        let reader = try DataDirectory.openForReading(
            path: image.path, schema: LedgerHarness.schema)
        #expect(try RollUpTail.meta("applied_seq", in: reader) == 0)
        // Each job is one round of the writer, with a tick behind it; the second finds the first
        // one's done.
        func rounds() {
            for _ in 0..<2 {
                let isDone = Mutex(false)
                second.ledger.write({ _ in }) { _ in isDone.withLock { $0 = true } }
                while !isDone.withLock({ $0 }) { usleep(200) }
            }
        }
        time.advance(nanos: Int64(LedgerWriter.checkpointNanos) - 1)
        rounds()
        #expect(try RollUpTail.meta("applied_seq", in: reader) == 0)
        time.advance(nanos: 1)
        rounds()
        #expect(try RollUpTail.meta("applied_seq", in: reader) == 7)
        // A second crash: nothing is left to apply, and the sums are the same.
        let secondImage = try second.crashImage()
        let third = try LedgerHarness(path: secondImage.path)
        #expect(difference(third.sums(), first.sums()) == [])
        for harness in [first, second, third] { harness.stop() }
    }

    @Test func `P2 ids are recognised within a batch, across batches and after a restart`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        let event = harness.event("a", "m", cost: 5)
        let other = harness.event("b", "m", cost: 5)
        var outcome = harness.commit([event, event, other], ids: ["x", "x", "x"])
        #expect(outcome.accepted == 2 && outcome.duplicates == 1)
        outcome = harness.commit([event, event], ids: ["x", "y"])
        #expect(outcome.accepted == 1 && outcome.duplicates == 1)
        // Without an id nothing is a duplicate.
        outcome = harness.commit([event, event])
        #expect(outcome.accepted == 2 && outcome.duplicates == 0)
        harness.stop()
        let again = try LedgerHarness(path: place.path)
        outcome = again.commit([again.event("a", "m", cost: 5)], ids: ["y"])
        #expect(outcome.duplicates == 1)
        #expect(again.ledger.dedupCount == 3)
        again.stop()
    }

    @Test func `P2 an id is forgotten after its age, also by a restart`() throws {
        let place = TemporaryDirectory()
        let time = ManualTime()
        var settings = LedgerSettings()
        settings.dedupAgeNanos = 3600 * 1_000_000_000
        let harness = try LedgerHarness(path: place.path, settings: settings, time: time)
        let event = harness.event("a", "m", cost: 5)
        harness.commit([event], ids: ["x"])
        time.advance(seconds: 3000)
        #expect(harness.commit([event], ids: ["x"]).duplicates == 1)
        time.advance(seconds: 602)
        harness.commit([event], ids: ["other"])
        time.advance(seconds: 2)
        #expect(harness.commit([event], ids: ["x"]).duplicates == 0)
        harness.stop()
        time.advance(seconds: 3601)
        let again = try LedgerHarness(path: place.path, settings: settings, time: time)
        #expect(again.ledger.dedupCount == 0)
        again.stop()
    }

    @Test func `a clock that is set back behind the last commit is told of, once`() throws {
        let place = TemporaryDirectory()
        let time = ManualTime()
        let lines = Mutex("")
        let log = Logger(level: .info, format: .logfmt, time: time) { line in
            lines.withLock { $0 += String(decoding: line, as: UTF8.self) }
        }
        let harness = try LedgerHarness(path: place.path, time: time, log: log)
        func commit() { harness.commit([harness.event("a", "m", cost: 5)]) }
        func told() -> String { lines.withLock { $0 } }
        time.advance(seconds: 7200)
        commit()
        time.step(seconds: -60)
        commit()
        #expect(!told().contains("set back"))
        time.step(seconds: -1)
        #expect(eventually { told().contains("set back behind the last commit") })
        #expect(told().contains("seconds=61 "))
        time.step(seconds: -3600)
        commit()
        time.advance(seconds: 3661)
        #expect(eventually { told().contains("the clock has caught up") })
        #expect(told().components(separatedBy: "set back").count == 2)
        harness.stop()
    }

    @Test func `P2 names that find no room keep their events apart and readable`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        var events: [CostEvent] = []
        var ids: [String] = []
        for tenant in ["newA", "newB"] {
            var event = harness.event("x", "m", cost: 1)
            event.tenant = NameTable.other
            events.append(event)
            ids.append("same")
            let domain = harness.hash.narrow(Array(tenant.utf8).span)
            events[events.count - 1].identity = harness.hash.wide(
                Array("same".utf8).span, domain: domain)
        }
        let outcome = harness.commit(
            events, ids: ids, folded: [["tenant": "newA"], ["tenant": "newB"]])
        #expect(outcome.accepted == 2)
        harness.stop()
        let again = try LedgerHarness(path: place.path)
        #expect(again.ledger.dedupCount == 2)
        let reader = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        #expect(try reader.text("select group_concat(tenant) from cost_records") == "newA,newB")
        again.stop()
    }

    @Test func `an amount that no longer fits is refused, those beside it are not`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        harness.commit([harness.event("a", "m", cost: Int64.max - 10)])
        let isDone = Mutex<[String: Receipt.Outcome]>([:])
        let batch = harness.ledger.queue.checkout()
        for (name, cost) in [("big", 11), ("small", 4), ("big", 7), ("small", 6)]
            as [(String, Int64)]
        {
            let receipt = Receipt { outcome in isDone.withLock { $0["\(name)\(cost)"] = outcome } }
            receipt.expectBatch()
            batch.rows.events.append(harness.event("a", "m", cost: cost))
            batch.parts.append(
                EventBatch.Part(range: batch.count - 1..<batch.count, receipt: receipt))
            receipt.close()
        }
        harness.ledger.queue.submit(batch)
        while isDone.withLock({ $0.count < 4 }) { usleep(200) }
        let outcomes = isDone.withLock { $0 }
        #expect(
            outcomes["big11"]?.failure == .ledgerFull && outcomes["big7"]?.failure == .ledgerFull)
        #expect(outcomes["small4"]?.accepted == 1 && outcomes["small6"]?.accepted == 1)
        #expect(harness.sums()["totals"]?[0] == Int64.max)
        harness.stop()
    }

    @Test func `sums past 64 bits are refused whole and nothing is kept`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        harness.commit([harness.event("a", "m", cost: Int64.max - 10)], ids: ["big"])
        let outcome = harness.commit([harness.event("a", "m", cost: 11)], ids: ["over"])
        #expect(outcome.failure == .ledgerFull && outcome.accepted == 0)
        #expect(harness.commit([harness.event("a", "m", cost: 10)], ids: ["over"]).accepted == 1)
        harness.stop()
    }

    @Test func `old events go, sums and roll-ups stay`() throws {
        let place = TemporaryDirectory()
        let time = ManualTime()
        let day: Int64 = 86_400
        let retention = 30 * day * 1_000_000_000
        let harness = try LedgerHarness(path: place.path, time: time, retentionNanos: retention)
        harness.commit((0..<6000).map { _ in harness.event("a", "m", cost: 1, at: time.unixNanos) })
        harness.stop()
        time.advance(seconds: 31 * day)
        let later = try LedgerHarness(path: place.path, time: time, retentionNanos: retention)
        let sums = later.sums()
        let reader = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        let isPruned = try eventually { try reader.integer("select count(*) from events") == 0 }
        #expect(isPruned)
        later.commit([later.event("a", "m", cost: 1, at: time.unixNanos)])
        #expect(try reader.integer("select max(seq) from events") == 6001)
        let rows = try SpendQuery(groupBy: [.tenant]).run(on: reader)
        #expect(rows.map(\.cost.nanos) == [6001] && rows.map(\.events) == [6001])
        #expect(later.sums()["totals"]?[0] == (sums["totals"]?[0] ?? 0) + 1)
        later.stop()
    }

    @Test func `a closed queue fails what comes late`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        harness.commit([harness.event("a", "m", cost: 1)])
        harness.stop()
        #expect(!harness.ledger.queue.hasRoom)
        #expect(harness.commit([harness.event("a", "m", cost: 1)]).failure == .stopping)
    }
}

@Suite struct LedgerQueriesTests {
    @Test func `a report over roll-ups and the tail counts each event once`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        harness.commit((0..<10).map { harness.event("a", "m\($0 % 2)", cost: Int64($0)) })
        harness.stop()
        let live = try LedgerHarness(path: place.path)
        live.commit([live.event("b", "m0", cost: nil), live.event("a", "m0", cost: 100)])
        let reader = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        let rows = try SpendQuery(groupBy: [.tenant, .model]).run(on: reader)
        #expect(rows.map(\.values) == [["a", "m0"], ["a", "m1"], ["b", "m0"]])
        #expect(rows.map(\.cost.nanos) == [120, 25, 0] && rows.map(\.unpricedEvents) == [0, 0, 1])
        let total = try SpendQuery(groupBy: []).run(on: reader)
        #expect(total.map(\.events) == [12] && total.map(\.inputTokens) == [36])
        let filtered = try SpendQuery(groupBy: [.model], filters: [(.tenant, "b")]).run(on: reader)
        #expect(filtered.map(\.values) == [["m0"]])
        let none = try SpendQuery(groupBy: [], since: 1_795_168_800_000_000_000 + 900_000_000_000)
            .run(on: reader)
        #expect(none.isEmpty)
        live.stop()
    }

    @Test func `the view shows names, times and dollars`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        var event = harness.event("acme", "gpt-4o", cost: 1_230_000)
        event.status = .rateLimited
        event.stage = .connection
        event.isComplete = false
        harness.commit([event], ids: ["evt_1"])
        let reader = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        let text = try reader.text(
            """
            select id || '|' || timestamp || '|' || tenant || '|' || provider || '|' || model || '|'
                || input_tokens || '|' || cost_usd || '|' || cost_source || '|' || status || '|'
                || stage || '|' || usage_complete from cost_records
            """)
        #expect(
            text
                == "evt_1|2026-11-20T10:00:00.000Z|acme|openai|gpt-4o|3|0.001230000|reported|"
                + "rate_limited|connection|0")
        harness.stop()
    }

    @Test func `the words in the store are those of the code`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        let reader = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        func words(_ kind: String) throws -> [String] {
            var select = try reader.prepare(
                "select word from fact_words where kind = ? order by code")
            try select.bind(1, kind)
            var words: [String] = []
            while try select.step() { words.append(select.text(0)) }
            return words
        }
        #expect(try words("status") == Status.words)
        #expect(try words("stage") == Stage.words)
        #expect(try words("cost_source") == CostSource.words)
        harness.stop()
    }
}

@Suite struct EventQueueTests {
    @Test func `small requests share a batch until it is half full`() {
        let queue = EventQueue(eventsMax: 10_000)
        func submit(_ count: Int) {
            let batch = queue.checkout()
            let start = batch.count
            for _ in 0..<count { batch.rows.events.append(CostEvent()) }
            batch.parts.append(
                EventBatch.Part(range: start..<start + count, receipt: Receipt { _ in }))
            queue.submit(batch)
        }
        for _ in 0..<300 { submit(1) }
        submit(600)
        submit(100)
        var group: [EventBatch] = []
        queue.take(eventsMax: 20_000, into: &group, sleepingNanos: 1)
        #expect(group.map(\.count) == [900, 100] && group[0].parts.count == 301)
        #expect(queue.events == 1000)
        queue.giveBack(group)
        #expect(queue.events == 0)
    }

    @Test func `the queue is full at its bound and not before`() {
        let queue = EventQueue(eventsMax: 1000)
        func fill(_ count: Int) {
            let batch = EventBatch()
            batch.rows.events = Array(repeating: CostEvent(), count: count)
            batch.parts = [EventBatch.Part(range: 0..<count, receipt: Receipt { _ in })]
            queue.submit(batch)
        }
        fill(999)
        #expect(queue.hasRoom)
        fill(1)
        #expect(!queue.hasRoom)
        var group: [EventBatch] = []
        queue.take(eventsMax: 999, into: &group, sleepingNanos: 1)
        #expect(group.map(\.count) == [999])
        #expect(!queue.hasRoom)
        queue.giveBack(group)
        #expect(queue.hasRoom)
    }

    @Test func `events of requests that are read together wake the writer once, or at a number`()
        async throws
    {
        let queue = EventQueue(eventsMax: 10_000)
        let taken = Mutex<[Int]>([])
        let writer = NamedThread("writer") {
            while !queue.isClosed {
                var group: [EventBatch] = []
                queue.take(eventsMax: 20_000, into: &group, sleepingNanos: 60_000_000_000)
                if !group.isEmpty { taken.withLock { $0.append(group[0].count) } }
                queue.giveBack(group)
            }
        }
        func submit(_ count: Int) {
            for _ in 0..<count {
                let batch = queue.checkout()
                let start = batch.count
                batch.rows.events.append(CostEvent())
                batch.parts.append(
                    EventBatch.Part(range: start..<start + 1, receipt: Receipt { _ in }))
                queue.submit(batch)
            }
        }
        func sleeping() async throws {
            while !queue.isWriterAsleep { try await Task.sleep(for: .milliseconds(1)) }
        }
        func waiting(_ groups: [Int]) async throws {
            while taken.withLock({ $0 }) != groups { try await Task.sleep(for: .milliseconds(1)) }
        }
        try await sleeping()
        queue.hold()
        submit(EventQueue.heldMax - 1)
        #expect(queue.isWriterAsleep)
        queue.release()
        try await waiting([EventQueue.heldMax - 1])
        try await sleeping()
        // Another thread's hold does not outlast this one's release.
        queue.hold()
        queue.hold()
        submit(1)
        #expect(queue.isWriterAsleep)
        queue.release()
        try await waiting([EventQueue.heldMax - 1, 1])
        try await sleeping()
        submit(EventQueue.heldMax - 1)
        #expect(queue.isWriterAsleep)
        submit(1)
        try await waiting([EventQueue.heldMax - 1, 1, EventQueue.heldMax])
        queue.release()
        queue.close()
        writer.join()
    }
}
