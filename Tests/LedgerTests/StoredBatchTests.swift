import SQLite
import Store
import TestSupport
import Testing
import Usage
import Wire

@testable import Ledger

@Suite struct StoredBatchTests {
    func random(_ random: inout SeededRandom, _ rows: inout EventRows) -> CostEvent {
        func word(_ chance: Int) -> UInt32 {
            random.chance(chance) ? UInt32(truncatingIfNeeded: random.next()) : 0
        }
        func text(_ chance: Int) -> TextRef {
            let samples = ["evt_1", "a\"b\\c", "line\nbreak\u{1}", "é😀", "x"]
            guard random.chance(chance) else { return .none }
            return rows.append(Array(random.pick(samples).utf8).span)
        }
        var event = CostEvent()
        event.id = text(80)
        event.timestamp = Int64(bitPattern: random.next()) >> 2
        event.received = event.timestamp &+ Int64(random.below(1 << 40))
        event.tenant = word(90)
        event.user = word(50)
        event.feature = word(50)
        event.provider = word(90)
        event.model = word(90)
        event.tokens.input = word(90)
        event.tokens.cachedInput = word(50)
        event.tokens.output = word(90)
        if random.chance(80) { event.cost = Int64(bitPattern: random.next()) >> 1 }
        event.facts = word(90)
        event.tokens.cacheWrite = word(20)
        event.tokens.reasoning = word(20)
        event.durationMillis = word(20)
        event.agent = word(20)
        event.operation = word(20)
        event.tags = word(20)
        event.request = text(20)
        event.conversation = text(20)
        event.task = text(20)
        event.detail = text(20)
        if random.chance(5) { event.flags.insert(.duplicate) }
        return event
    }

    private func shown(_ event: CostEvent, _ rows: EventRows) -> String {
        let texts = [event.id, event.request, event.conversation, event.task, event.detail]
        let names = [
            event.tenant, event.user, event.feature, event.agent, event.operation, event.provider,
            event.model, event.tags,
        ]
        return "\(texts.map(rows.string)) \(event.timestamp) \(event.received) \(names) "
            + "\(event.tokens) \(event.cost) \(event.facts) \(event.durationMillis)"
    }

    @Test func `what is stored comes back, but for what was skipped`() throws {
        var source = SeededRandom(seed: 5)
        for _ in 0..<40 {
            var rows = EventRows()
            for _ in 0..<source.below(60) { rows.events.append(random(&source, &rows)) }
            var text = TextBuffer()
            let bounds = StoredBatch.write(rows, to: &text)
            var bytes = text.withText { span in span.indices.map { span[$0] } }
            var reader = StoredBatchReader()
            var back = EventRows()
            let count = reader.read(&bytes, received: bounds.received, into: &back)
            let kept = rows.events.filter { !$0.isSkipped }
            #expect(count == kept.count && bounds.count == kept.count)
            #expect(back.events.map { shown($0, back) } == kept.map { shown($0, rows) })
            #expect(kept.isEmpty || bounds.oldest == kept.map(\.timestamp).min())
            #expect(kept.isEmpty || bounds.newest == kept.map(\.timestamp).max())
        }
    }

    @Test func `a text that was damaged ends early instead of inventing events`() {
        for damaged in [
            "[[\"a\",1,2,3]]", "[[1,1,0,1,1,1,1,1,1,1,1,1,256]]", "[", "", "nonsense",
            "[[\"a\",x,0,1,1,1,1,1,1,1,1,1,256]]",
        ] {
            var bytes = Array(damaged.utf8)
            var reader = StoredBatchReader()
            var rows = EventRows()
            #expect(reader.read(&bytes, received: 0, into: &rows) == 0)
        }
    }

    @Test func `a store of rows becomes one of batches, number by number`() throws {
        let database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(LedgerSchema.version1 + Adjustments.tables)
        try database.execute(
            """
            insert into names values (1, '__other__'), (2, 'acme'), (3, 'gpt-4o');
            insert into ledger_meta values ('applied_seq', '2400');
            with recursive n(i) as (select 101 union all select i + 1 from n where i < 2500)
            insert into events (seq, id, timestamp_ns, received_ns, tenant, model, input_tokens,
                    cost_nanousd, facts, detail)
                select i, 'e' || i, 1000000000 * i, 1000000000 * i + 5, 2, 3, i,
                    iif(i % 7, i * 1000, null), 256, iif(i % 11, null, '{"seconds":1.5}')
                from n where i <> 1500;
            insert into adjustments values (1501, 1, 77, 512);
            """)
        func dump() throws -> [String] {
            var rows: [String] = []
            for table in ["events", "cost_records"] {
                var select = try database.prepare(
                    table == "events"
                        ? "select seq, id, timestamp_ns, received_ns, tenant, user, model, "
                            + "input_tokens, cost_nanousd, facts, detail from events order by seq"
                        : "select * from cost_records order by seq")
                while try select.step() {
                    rows.append(
                        (0..<select.columnCount).map {
                            select.isNull($0) ? "null" : select.text($0)
                        }.joined(separator: "|"))
                }
            }
            return rows
        }
        let before = try dump()
        try database.execute(LedgerSchema.batches)
        #expect(try dump() == before)
        #expect(try database.integer("select max(count) from event_batches") == 924)
        #expect(try RollUpTail.meta("rolled_seq", in: database) == 2400)
        var seen: [Int64] = []
        try EventsTable.read(
            EventsRange(after: 1030, through: 2480), from: database
        ) { rows, first in
            seen += rows.events.indices.map { first + Int64($0) }
            #expect(rows.events.first?.timestamp == 1_000_000_000 * first)
            return true
        }
        #expect(seen == (1031...2480).filter { $0 != 1500 })
    }
}

extension StoredBatchTests {
    @Test func `ids are read as whole events tell them`() throws {
        var source = SeededRandom(seed: 9)
        for _ in 0..<40 {
            var rows = EventRows()
            for _ in 0..<source.below(60) {
                var event = random(&source, &rows)
                // Most events have nothing behind their facts.
                if source.chance(70) {
                    event.tokens.cacheWrite = 0
                    event.tokens.reasoning = 0
                    (event.durationMillis, event.agent, event.operation, event.tags) = (0, 0, 0, 0)
                    (event.request, event.conversation, event.task) = (.none, .none, .none)
                    event.detail = .none
                }
                rows.events.append(event)
            }
            var text = TextBuffer()
            let bounds = StoredBatch.write(rows, to: &text)
            var bytes = text.withText { span in span.indices.map { span[$0] } }
            var reader = StoredBatchReader()
            var rest = EventRows()
            var found: [String] = []
            let count = reader.readIDs(&bytes, received: bounds.received, rest: &rest) {
                id, tenant, received in
                let text = String(decoding: id.indices.map { id[$0] }, as: UTF8.self)
                found.append("\(text) \(tenant) \(received)")
            }
            let kept = rows.events.filter { !$0.isSkipped }
            #expect(count == kept.count)
            found += rest.events.map { "\(rest.string($0.id)) \($0.tenant) \($0.received)" }
            // Events with neither an id nor a call need not be told.
            found.removeAll { $0.hasPrefix(" ") }
            let expected = kept.filter { !$0.id.isEmpty }.map {
                "\(rows.string($0.id)) \($0.tenant) \($0.received)"
            }
            #expect(found.sorted() == expected.sorted())
            // Those that need more are read whole.
            let calls = kept.filter { !$0.request.isEmpty }.count
            #expect(rest.events.filter { !$0.request.isEmpty }.count == calls)
        }
    }
}
