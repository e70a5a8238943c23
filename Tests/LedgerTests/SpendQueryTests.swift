import SQLite
import Store
import TestSupport
import Testing
import Usage

@testable import Ledger

/// What is asked by one dimension is answered from sums by hour and day, the rest from roll-ups and
/// the events after the last checkpoint; nobody can tell from where.
@Suite struct SpendQueryTests {
    private let place = TemporaryDirectory()
    private let start: Int64 = 1_795_168_800

    private func events(_ harness: LedgerHarness, _ count: Int, _ random: inout SeededRandom)
        -> [CostEvent]
    {
        (0..<count).map { _ in
            let seconds = start - Int64.random(in: 0..<6 * 86_400, using: &random)
            var event = harness.event(
                "t\(Int.random(in: 0..<4, using: &random))", "m\(Bool.random(using: &random))",
                cost: Int.random(in: 0..<9, using: &random) == 0
                    ? nil : Int64.random(in: 0..<5_000_000, using: &random),
                at: seconds * 1_000_000_000)
            event.user = harness.names.intern("u\(Int.random(in: 0..<9, using: &random))")
            if Bool.random(using: &random) { event.agent = harness.names.intern("a") }
            event.status = [.ok, .error, .timeout].randomElement(using: &random) ?? .ok
            event.stage = Bool.random(using: &random) ? .execution : .cleanup
            event.tokens.output = UInt32.random(in: 0..<50, using: &random)
            return event
        }
    }

    private func value(_ event: CostEvent, _ dimension: Dimension, _ names: Names) -> String {
        switch dimension {
        case .tenant: names.text(event.tenant)
        case .user: names.text(event.user)
        case .agent: names.text(event.agent)
        case .model: names.text(event.model)
        case .status: event.status.word
        case .stage: event.stage.word
        default: ""
        }
    }

    /// The same from the events, one by one.
    private func expected(_ query: SpendQuery, _ events: [CostEvent], _ names: Names)
        -> Set<String>
    {
        let quarter = RollUpDelta.seconds * 1_000_000_000
        var rows: [String: SpendQuery.Row] = [:]
        for event in events {
            let time = event.timestamp
            if let since = query.since, time < since / quarter * quarter { continue }
            if let until = query.until, time >= until / quarter * quarter { continue }
            guard query.filters.allSatisfy({ value(event, $0.dimension, names) == $0.value }) else {
                continue
            }
            var row = SpendQuery.Row(values: query.groupBy.map { value(event, $0, names) })
            if let step = query.stepSeconds { row.time = time / 1_000_000_000 / step * step }
            let key = "\(row.values) \(row.time)"
            row = rows[key] ?? row
            row.events += 1
            row.unpricedEvents += event.amount == nil ? 1 : 0
            row.inputTokens += Int64(event.tokens.input)
            row.outputTokens += Int64(event.tokens.output)
            row.cost = NanoUSD(nanos: row.cost.nanos + (event.amount?.nanos ?? 0))
            rows[key] = row
        }
        return Set(rows.values.map { "\($0)" })
    }

    @Test func `P3 every question about the same events has the same answer, whoever has the sums`()
        throws
    {
        var random = SeededRandom(seed: 41)
        var harness = try LedgerHarness(path: place.path)
        var all = events(harness, 3000, &random)
        harness.commit(all)
        harness.stop()
        // These are in no checkpoint yet.
        harness = try LedgerHarness(path: place.path)
        let late = events(harness, 400, &random)
        harness.commit(late)
        all += late
        let database = try Database(path: place.path + "/costgauge.db", mode: .readOnly)
        let dimensions: [Dimension] = [.tenant, .user, .agent, .model, .status, .stage]
        for _ in 0..<400 {
            var query = SpendQuery(
                groupBy: Array(
                    dimensions.shuffled(using: &random).prefix(
                        Int.random(in: 0..<3, using: &random))))
            func moment() -> Int64? {
                guard Bool.random(using: &random) else { return nil }
                let back = Int64.random(in: 0..<7 * 86_400, using: &random)
                let unit: Int64 = [1, 900, 3600, 86_400].randomElement(using: &random) ?? 1
                return (start - back) / unit * unit * 1_000_000_000
            }
            query.since = moment()
            query.until = moment()
            query.stepSeconds =
                [nil, 900, 1800, 3600, 7200, 86_400, 604_800]
                .randomElement(using: &random) ?? nil
            if Bool.random(using: &random), let event = all.randomElement(using: &random) {
                let dimension =
                    Bool.random(using: &random)
                    ? query.groupBy.first ?? .user
                    : dimensions.randomElement(using: &random) ?? .user
                query.filters = [(dimension, value(event, dimension, harness.names))]
            }
            // An absent value is no name that could be asked for.
            if query.filters.contains(where: { $0.value.isEmpty }) { continue }
            let found = Set(try query.run(on: database).map { "\($0)" })
            #expect(found == expected(query, all, harness.names), "\(query)")
        }
        harness.stop()
    }

    @Test func `a call that gets its first amount later counts with those that have one`() throws {
        var random = SeededRandom(seed: 46)
        var harness = try LedgerHarness(path: place.path)
        var all = events(harness, 900, &random)
        harness.commit(all)
        var adjustments: [CostEvent] = []
        for index in all.indices where all[index].amount == nil && random.chance(60) {
            var adjustment = all[index]
            adjustment.tokens = TokenCounts()
            adjustment.isAdjustment = true
            adjustment.isFirstAmount = true
            adjustment.costSource = .computed
            // A price may be nothing.
            adjustment.cost = random.pick([0, 70, 900])
            all[index].amount = NanoUSD(nanos: adjustment.cost)
            adjustments.append(adjustment)
        }
        #expect(adjustments.count > 20)
        let database = try Database(path: place.path + "/costgauge.db", mode: .readOnly)
        func check() throws {
            let groupings: [[Usage.Dimension]] = [
                [], [.tenant], [.user], [.agent], [.model], [.status], [.stage], [.tenant, .user],
                [.model, .status],
            ]
            for groups in groupings {
                for step in [nil, 900, 86_400] as [Int64?] {
                    let query = SpendQuery(groupBy: groups, stepSeconds: step)
                    let found = Set(try query.run(on: database).map { "\($0)" })
                    #expect(found == expected(query, all, harness.names), "\(query)")
                }
            }
        }
        // Half before the calls are in stored sums, half after, then all of it stored.
        harness.commit(Array(adjustments.prefix(adjustments.count / 2)))
        harness.stop()
        harness = try LedgerHarness(path: place.path)
        harness.commit(Array(adjustments.dropFirst(adjustments.count / 2)))
        try check()
        harness.stop()
        harness = try LedgerHarness(path: place.path)
        try check()
        harness.stop()
    }

    @Test func `both ends are rounded down, so that neighbours share nothing and miss nothing`()
        throws
    {
        let harness = try LedgerHarness(path: place.path)
        let base = start * 1_000_000_000
        for (seconds, cost) in [(100, 10), (500, 3), (899, 1), (900, 7)] as [(Int64, Int64)] {
            harness.commit([harness.event("t", "m", cost: cost, at: base + seconds * 1_000_000_000)]
            )
        }
        let database = try Database(path: place.path + "/costgauge.db", mode: .readOnly)
        func check(_ since: Int64, _ until: Int64?, _ cost: Int64, _ from: Int64, _ to: Int64?)
            throws
        {
            let query = SpendQuery(
                groupBy: [], since: base + since * 1_000_000_000,
                until: until.map { base + $0 * 1_000_000_000 })
            #expect(try query.run(on: database).reduce(0) { $0 + $1.cost.nanos } == cost)
            let range = try query.range(on: database)
            #expect(range.since == base + from * 1_000_000_000)
            #expect(range.until == to.map { base + $0 * 1_000_000_000 })
        }
        try check(0, 900, 14, 0, 900)
        try check(0, 300, 0, 0, 0)
        try check(300, 900, 14, 0, 900)
        try check(200, 201, 0, 0, 0)
        try check(899, 1799, 14, 0, 900)
        try check(900, 1800, 7, 900, 1800)
        try check(899, nil, 21, 0, nil)
        harness.stop()
    }

    @Test func `sums that are not there yet come from the roll-ups of before`() throws {
        var random = SeededRandom(seed: 42)
        let harness = try LedgerHarness(path: place.path)
        harness.commit(events(harness, 1000, &random))
        harness.stop()
        let database = try Database(path: place.path + "/costgauge.db", mode: .readWrite)
        func sums() throws -> [String] {
            var select = try database.prepare("select * from spend_sums order by 1, 2, 3")
            var rows: [String] = []
            while try select.step() {
                rows.append((0..<select.columnCount).map { select.text($0) }.joined(separator: " "))
            }
            return rows
        }
        let written = try sums()
        #expect(written.count > 1000)
        try database.execute("drop table spend_sums")
        try database.execute(LedgerSchema.spendSums)
        #expect(try sums() == written)
    }
}

extension SpendQueryTests {
    @Test func `sums by one dimension are those of the roll-ups`() throws {
        var random = SeededRandom(seed: 43)
        let harness = try LedgerHarness(path: place.path)
        harness.commit(events(harness, 800, &random))
        harness.stop()
        let live = try LedgerHarness(path: place.path)
        // And some that are in no stored sum yet.
        live.commit(events(live, 200, &random))
        let database = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        let since = start - 3 * 86_400 + 1234
        let dimensions: [Dimension?] = [
            nil, .tenant, .user, .feature, .agent, .operation, .provider, .model,
        ]
        for withTail in [false, true] {
            for dimension in dimensions {
                let width = try #require(RollUpsTable.sumsSeconds(by: dimension))
                #expect(width == (dimension == .user || dimension == .agent ? 86_400 : 3600))
                func key(_ event: CostEvent) -> String {
                    let values = [
                        event.tenant, event.user, event.feature, event.agent, event.operation,
                        event.provider, event.model,
                    ]
                    return "\(event.timestamp / 1_000_000_000 / width) \(values)"
                }
                var (sums, expected) = ([String: Int64](), [String: Int64]())
                try RollUpsTable.readSums(
                    by: dimension, since: since, withTail: withTail, from: database
                ) { sums[key($0), default: 0] += $1.nanos }
                try RollUpsTable.read(
                    [dimension].compactMap { $0 }, since: since / width * width,
                    withTail: withTail, from: database
                ) { expected[key($0), default: 0] += $1.nanos }
                #expect(sums == expected && sums.count >= (width == 3600 ? 20 : 3))
            }
        }
        #expect(RollUpsTable.sumsSeconds(by: .tag("team")) == nil)
        #expect(RollUpsTable.sumsSeconds(by: .status) == nil)
        live.stop()
    }

    @Test func `roll-ups are read with the dimensions that are asked for, and no others`() throws {
        var random = SeededRandom(seed: 44)
        let harness = try LedgerHarness(path: place.path)
        harness.commit(events(harness, 500, &random))
        harness.stop()
        let database = try DataDirectory.openForReading(
            path: place.path, schema: LedgerHarness.schema)
        let asked: [Dimension] = [.status, .user, .conversation, .model]
        var read: [String: Int64] = [:]
        try RollUpsTable.read(asked, since: 0, from: database) { event, cost in
            #expect(event.tenant == 0 && event.feature == 0 && event.tags == 0)
            let key = "\(event.timestamp) \(event.user) \(event.model) \(event.status)"
            read[key, default: 0] += cost.nanos
        }
        var expected: [String: Int64] = [:]
        try RollUpsTable.readSums(since: 0, until: start + 86_400, from: database) { event, sums in
            let key = "\(event.timestamp) \(event.user) \(event.model) \(event.status)"
            expected[key, default: 0] += sums.cost
        }
        #expect(read == expected && read.count > 100)
    }
}

extension SpendQueryTests {
    @Test(arguments: [nil, 900, 86_400] as [Int64?])
    func `pages follow one another in the order of the whole answer`(_ step: Int64?) throws {
        var random = SeededRandom(seed: 45)
        let harness = try LedgerHarness(path: place.path)
        harness.commit(events(harness, 2500, &random))
        harness.stop()
        let database = try Database(path: place.path + "/costgauge.db", mode: .readOnly)
        var query = SpendQuery(groupBy: [.user, .agent, .status, .model], stepSeconds: step)
        let all = try query.run(on: database)
        #expect(all.count > (step == 900 ? 2000 : 50))
        #expect(Set(all.map { "\($0.time) \($0.values)" }).count == all.count)
        for (row, next) in zip(all, all.dropFirst()) {
            #expect(
                row.time < next.time
                    || row.time == next.time
                        && (row.cost, row.events) >= (next.cost, next.events)
            )
        }
        query.limit = 40
        var pages: [SpendQuery.Row] = []
        repeat {
            query.offset = pages.count
            pages += try query.run(on: database)
        } while pages.count == query.offset + 40
        #expect(pages == all)
        query.offset = 0
        #expect(try query.run(on: database, groupsMax: all.count) == Array(all.prefix(40)))
        #expect(try query.run(on: database, groupsMax: all.count - 1) == nil)
    }
}
