import Ledger
import Logging
import SQLite
import TestSupport
import Testing
import Usage
import Wire

@testable import Budgets
@testable import Exposition

@Suite struct BudgetPageTests {
    private static let names = Names(hash: SeededHash(seed: 4))

    private static func definition(
        _ name: String, each: [Usage.Dimension], rollingSeconds: Int64 = 0
    ) -> BudgetDefinition {
        var period = PeriodRule(kind: .month)
        period.rollingSeconds = rollingSeconds
        return BudgetDefinition(
            name: name, match: [], each: each, overrides: [], period: period,
            limit: NanoUSD(nanos: 50_000_000_000),
            thresholds: [0.5, 1].map { .init(ratioNanos: Int64($0 * 1_000_000_000)) },
            burns: false)
    }

    private static func page(samplesMax: Int) throws -> [String] {
        let time = ManualTime()
        let engine = BudgetEngine(
            definitions: [
                definition("all", each: [], rollingSeconds: 3600),
                definition("talks", each: [.conversation]),
                definition("pairs", each: [.tenant, .feature]),
            ], names: names, now: time.unixNanos,
            log: Logger(level: .error, format: .logfmt, time: time)
        ) { _, _, _ in }
        let database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(LedgerSchema.tables + BudgetSchema.version2)
        try database.execute(AdmissionSchema.version4 + LimitSchema.tables)
        let batch = EventBatch()
        for (tenant, feature, dollars) in [("a\"\\\n", "chat", 30), ("b", "x", 60)] {
            var event = CostEvent()
            event.timestamp = time.unixNanos
            event.received = event.timestamp
            event.tenant = names.intern(tenant)
            event.feature = names.intern(feature)
            event.conversation = batch.rows.append(Array("c1".utf8).span)
            event.amount = NanoUSD(nanos: Int64(dollars) * 1_000_000_000)
            event.costSource = .reported
            batch.rows.events.append(event)
        }
        try database.execute("begin")
        try engine.prepare([batch], in: database, now: time.unixNanos)
        try database.execute("commit")
        engine.committed()
        var page = PageWriter(format: .text, writesCreated: false, bytesExpected: 0)
        BudgetPage(engine: engine, samplesMax: samplesMax).write(to: &page)
        return page.bytes.text.split(separator: "\n").map(String.init).filter {
            $0.hasPrefix("costgauge_budget_")
        }
    }

    @Test func `the state of every scope, the fullest first`() throws {
        let lines = try Self.page(samplesMax: 1000)
        let expected = #"""
            costgauge_budget_limit_usd{budget="all"} 50
            costgauge_budget_limit_usd{budget="pairs",tenant="b",feature="x"} 50
            costgauge_budget_limit_usd{budget="pairs",tenant="a\"\\\n",feature="chat"} 50
            costgauge_budget_spent_usd{budget="all"} 90
            costgauge_budget_spent_usd{budget="pairs",tenant="b",feature="x"} 60
            costgauge_budget_spent_usd{budget="pairs",tenant="a\"\\\n",feature="chat"} 30
            costgauge_budget_reserved_usd{budget="all"} 0
            costgauge_budget_reserved_usd{budget="pairs",tenant="b",feature="x"} 0
            costgauge_budget_reserved_usd{budget="pairs",tenant="a\"\\\n",feature="chat"} 0
            costgauge_budget_utilization_ratio{budget="all"} 1.8
            costgauge_budget_utilization_ratio{budget="pairs",tenant="b",feature="x"} 1.2
            costgauge_budget_utilization_ratio{budget="pairs",tenant="a\"\\\n",feature="chat"} 0.6
            costgauge_budget_burning{budget="all"} 0
            costgauge_budget_burning{budget="pairs",tenant="b",feature="x"} 0
            costgauge_budget_burning{budget="pairs",tenant="a\"\\\n",feature="chat"} 0
            costgauge_budget_period_end_timestamp_seconds{budget="pairs",tenant="b",feature="x"} 1796083200
            costgauge_budget_period_end_timestamp_seconds{budget="pairs",tenant="a\"\\\n",feature="chat"} 1796083200
            costgauge_budget_threshold_crossed{budget="all",threshold="0.5"} 1
            costgauge_budget_threshold_crossed{budget="all",threshold="1"} 1
            costgauge_budget_threshold_crossed{budget="pairs",tenant="b",feature="x",threshold="0.5"} 1
            costgauge_budget_threshold_crossed{budget="pairs",tenant="b",feature="x",threshold="1"} 1
            costgauge_budget_threshold_crossed{budget="pairs",tenant="a\"\\\n",feature="chat",threshold="0.5"} 1
            costgauge_budget_threshold_crossed{budget="pairs",tenant="a\"\\\n",feature="chat",threshold="1"} 0
            costgauge_budget_unwatched_events_total{budget="all"} 0
            costgauge_budget_unwatched_events_total{budget="talks"} 0
            costgauge_budget_unwatched_events_total{budget="pairs"} 0
            """#
        #expect(lines.joined(separator: "\n") == expected)
    }

    @Test func `scopes that find no room are left out with all of their samples`() throws {
        let all = try Self.page(samplesMax: 1000)
        for (room, scopes) in [(7, 0), (8, 1), (15, 1), (16, 2), (23, 2), (24, 3)] {
            let lines = try Self.page(samplesMax: room)
            #expect(lines.filter { $0.hasPrefix("costgauge_budget_spent_usd") }.count == scopes)
            #expect(lines.allSatisfy(all.contains))
        }
    }
}
