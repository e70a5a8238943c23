import Anomalies
import Budgets
import Foundation
import Gzip
import Ledger
import Logging
import SQLite
import SelfMetrics
import Store
import Synchronization
import TestSupport
import Testing
import Usage
import Wire

@testable import Exposition

/// A ledger with a few known events, and its page.
private final class PageHarness {
    let place = TemporaryDirectory()
    let names = Names(hash: SeededHash(seed: 3))
    let ledger: Ledger
    let metrics = SelfMetrics(rejectReasons: ["malformed"])
    private let directory: DataDirectory

    private let labels: [Usage.Dimension]

    convenience init(maxSeries: Int = 10_000) throws {
        var settings = LedgerSettings()
        settings.maxSeries = maxSeries
        try self.init(settings: settings)
    }

    init(settings: LedgerSettings) throws {
        let time = ManualTime()
        directory = try DataDirectory(path: place.path)
        labels = settings.labels
        ledger = try Ledger(
            database: directory.openForWriting(
                schema: Schema(migrations: [LedgerSchema.tables])), settings: settings,
            retentionNanos: 0, names: names, hash: SeededHash(seed: 3), time: time,
            metrics: metrics, log: Logger(level: .error, format: .logfmt, time: time))
        ledger.start()
    }

    deinit { ledger.stop() }

    func commit(_ events: [CostEvent]) {
        let isDone = Mutex(false)
        let receipt = Receipt { _ in isDone.withLock { $0 = true } }
        let batch = ledger.queue.checkout()
        batch.rows.events = events
        receipt.expectBatch()
        batch.parts = [EventBatch.Part(range: 0..<events.count, receipt: receipt)]
        ledger.queue.submit(batch)
        receipt.close()
        while isDone.withLock({ !$0 }) { usleep(200) }
    }

    func event(_ tenant: String, _ model: String, _ nanos: Int64?) -> CostEvent {
        var event = CostEvent()
        event.timestamp = 1_795_168_800_000_000_000
        event.received = event.timestamp
        event.tenant = names.intern(tenant)
        event.model = names.intern(model)
        event.tokens.input = 10
        event.tokens.cachedInput = 4
        event.amount = nanos.map { NanoUSD(nanos: $0) }
        return event
    }

    func metricsPage(created: Bool = false) -> MetricsPage {
        MetricsPage(labels: labels, names: names, writesCreated: created)
    }

    /// Rendered by a page of its own, or by one that rendered before.
    func page(
        _ format: ExpositionFormat = .text, gzip: Bool = false, created: Bool = false,
        by kept: MetricsPage? = nil
    ) -> MetricsPage.Rendered {
        let time = ManualTime()
        let budgets = BudgetEngine(
            definitions: [], names: names, now: time.unixNanos,
            log: Logger(level: .error, format: .logfmt, time: time)
        ) { _, _, _ in }
        return (kept ?? metricsPage(created: created)).render(
            format, gzip: gzip, ledger: ledger, budgets: budgets, anomalies: AnomalyReadings(),
            metrics: metrics,
            readings: SelfReadings())
    }

    /// The lines of the page from the first that has this prefix, for one family.
    func lines(_ family: String, _ page: MetricsPage.Rendered) -> String {
        page.bytes.text.split(separator: "\n").filter { line in
            line.hasPrefix(family) || line.hasPrefix("# HELP \(family)")
                || line.hasPrefix("# TYPE \(family)") || line.hasPrefix("# UNIT \(family)")
        }.joined(separator: "\n")
    }
}

@Suite struct MetricsPageTests {
    @Test func `two threads write the same page as one`() throws {
        let harness = try PageHarness(maxSeries: 100_000)
        harness.commit(
            (0..<1000).map { harness.event("tenant-\($0)", "model-\($0 % 7)", Int64($0) * 1_001) })
        for row in 1..<5 {
            harness.commit(
                (0..<1000).map { harness.event("tenant-\($0)", "other-model-\(row)", Int64($0)) })
        }
        for (format, created) in [
            (ExpositionFormat.text, false), (.openMetrics(echoesEscaping: false), true),
        ] {
            let kept = harness.metricsPage(created: created)
            let alone = harness.page(format, by: kept)
            #expect(MetricsPage.isSharedWork(bytesLast: alone.bytes.count))
            let shared = harness.page(format, by: kept)
            let zipped = harness.page(format, gzip: true, by: kept)
            var inflated: [UInt8] = []
            try Inflater.inflate(zipped.bytes.span, into: &inflated, limit: 1 << 30)
            // What the process has used in between is another.
            func lines(_ bytes: [UInt8]) -> [Substring] {
                bytes.text.split(separator: "\n").filter { !$0.hasPrefix("process_") }
            }
            #expect(lines(alone.bytes).count > 10_000)
            #expect(lines(shared.bytes) == lines(alone.bytes))
            #expect(lines(inflated) == lines(alone.bytes))
        }
    }

    @Test func `only a large page is worth a second thread`() {
        #expect(!MetricsPage.isSharedWork(bytesLast: 0))
        #expect(!MetricsPage.isSharedWork(bytesLast: (1 << 20) - 1))
        #expect(MetricsPage.isSharedWork(bytesLast: 1 << 20))
    }

    @Test func `the text format, byte by byte`() throws {
        let harness = try PageHarness()
        harness.commit([
            harness.event("acme", "m\"1\"\\\n", 1_230_000),
            harness.event("acme", "m\"1\"\\\n", 70_000),
            harness.event("b", "m2", nil),
        ])
        let page = harness.page()
        #expect(page.contentType == "text/plain; version=0.0.4; charset=utf-8" && !page.isGzip)
        #expect(
            harness.lines("costgauge_cost_usd", page) == #"""
                # HELP costgauge_cost_usd_total Cost of calls in US dollars.
                # TYPE costgauge_cost_usd_total counter
                costgauge_cost_usd_total{tenant="acme",model="m\"1\"\\\n"} 0.0013
                """#)
        #expect(
            harness.lines("costgauge_tokens", page) == #"""
                # HELP costgauge_tokens_total Tokens by kind; the kinds do not overlap.
                # TYPE costgauge_tokens_total counter
                costgauge_tokens_total{tenant="acme",model="m\"1\"\\\n",kind="input"} 12
                costgauge_tokens_total{tenant="acme",model="m\"1\"\\\n",kind="cached_input"} 8
                costgauge_tokens_total{tenant="b",model="m2",kind="input"} 6
                costgauge_tokens_total{tenant="b",model="m2",kind="cached_input"} 4
                """#)
        #expect(
            harness.lines("costgauge_requests", page) == #"""
                # HELP costgauge_requests_total Calls by how they ended.
                # TYPE costgauge_requests_total counter
                costgauge_requests_total{tenant="acme",model="m\"1\"\\\n",status="ok"} 2
                costgauge_requests_total{tenant="b",model="m2",status="ok"} 1
                """#)
        #expect(
            harness.lines("costgauge_unpriced", page) == #"""
                # HELP costgauge_unpriced_events_total Calls whose model has no known price: their tokens count, their cost is missing.
                # TYPE costgauge_unpriced_events_total counter
                costgauge_unpriced_events_total{model="m2"} 1
                """#)
        #expect(
            harness.lines("costgauge_window_cost_usd{dimension=\"tenant\"", page).contains(
                #"costgauge_window_cost_usd{dimension="tenant",value="acme",window="30d"} 0.0013"#))
    }

    @Test func `OpenMetrics, byte by byte`() throws {
        let harness = try PageHarness()
        harness.commit([harness.event("acme", "m", 1_230_000)])
        let page = harness.page(.openMetrics(echoesEscaping: false))
        #expect(
            page.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
        #expect(
            harness.lines("costgauge_cost_usd", page) == """
                # TYPE costgauge_cost_usd counter
                # UNIT costgauge_cost_usd usd
                # HELP costgauge_cost_usd Cost of calls in US dollars.
                costgauge_cost_usd_total{tenant="acme",model="m"} 0.00123
                """)
        let buckets = harness.lines("costgauge_request_cost_usd", page)
        #expect(buckets.contains(#"costgauge_request_cost_usd_bucket{model="m",le="0.001"} 0"#))
        #expect(buckets.contains(#"costgauge_request_cost_usd_bucket{model="m",le="0.003"} 1"#))
        #expect(buckets.contains(#"costgauge_request_cost_usd_bucket{model="m",le="+Inf"} 1"#))
        #expect(buckets.contains(#"costgauge_request_cost_usd_sum{model="m"} 0.00123"#))
        #expect(page.bytes.text.hasSuffix("\n# EOF\n"))
        #expect(!page.bytes.text.contains("_created"))
    }

    @Test func `created samples come when asked for, in OpenMetrics only`() throws {
        let harness = try PageHarness()
        harness.commit([harness.event("acme", "m", 1_230_000)])
        let page = harness.page(.openMetrics(echoesEscaping: false), created: true)
        #expect(
            harness.lines("costgauge_cost_usd_created", page)
                == #"costgauge_cost_usd_created{tenant="acme",model="m"} 1795168800.0"#)
        #expect(
            page.bytes.text.contains(#"costgauge_request_cost_usd_created{model="m"} 1795168800.0"#)
        )
        #expect(!harness.page(.text, created: true).bytes.text.contains("_created"))
    }

    @Test func `a page rendered again shows what came since, and nothing twice`() throws {
        let harness = try PageHarness(maxSeries: 100_000)
        let kept = harness.metricsPage()
        for round in 0..<3 {
            harness.commit(
                (0..<400).map { harness.event("t\($0 % 50)", "m\(round * 100 + $0)", Int64($0)) })
            for family in ["costgauge_cost_usd", "costgauge_tokens", "costgauge_requests"] {
                let again = harness.lines(family, harness.page(by: kept))
                #expect(again == harness.lines(family, harness.page()))
                #expect(again.split(separator: "\n").count >= 400)
            }
        }
    }

    @Test func `gzip gives the same page`() throws {
        let harness = try PageHarness()
        harness.commit([harness.event("acme", "m", 1)])
        let compressed = harness.page(gzip: true)
        #expect(compressed.isGzip)
        var inflated: [UInt8] = []
        try Inflater.inflate(compressed.bytes.span, into: &inflated, limit: 1 << 20)
        #expect(
            inflated.text.contains(
                #"costgauge_cost_usd_total{tenant="acme",model="m"} 0.000000001"#))
        #expect(inflated.last == 0x0a)
    }

    @Test func `every sample has its own name and labels, and each family stands together`() throws
    {
        let harness = try PageHarness()
        var random = SeededRandom(seed: 12)
        let odd = ["", "a", "a\"", "a\\", "a\n", "é", "{", "}", ",", "__other__", " "]
        harness.commit(
            (0..<900).map { _ in
                var event = harness.event(
                    random.pick(odd), random.pick(odd), Int64(random.below(9)))
                event.feature = harness.names.intern(random.pick(odd))
                event.user = harness.names.intern(random.pick(odd))
                event.status = random.pick(Status.allCases)
                return event
            })
        for format in [ExpositionFormat.text, .openMetrics(echoesEscaping: false)] {
            let lines = harness.page(format).bytes.text.split(separator: "\n")
            let samples = lines.filter { !$0.hasPrefix("#") }.map {
                $0[..<($0.lastIndex(of: " ") ?? $0.endIndex)]
            }
            #expect(Set(samples).count == samples.count)
            let types = lines.filter { $0.hasPrefix("# TYPE") }
            #expect(Set(types).count == types.count)
        }
    }

    @Test func `status as a label gives one sample a set, folded or not`() throws {
        var settings = LedgerSettings()
        settings.labels = [.tenant, .status]
        settings.maxSeries = 100
        let harness = try PageHarness(settings: settings)
        harness.commit(
            (0..<400).map { number in
                var event = harness.event("t\(number % 200)", "m", 1)
                event.status = number % 3 == 0 ? .error : .ok
                return event
            })
        let samples = harness.lines("costgauge_requests_total{", harness.page()).split(
            separator: "\n")
        let names = samples.map { $0[..<($0.lastIndex(of: " ") ?? $0.endIndex)] }
        #expect(Set(names).count == names.count)
        let total = samples.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        #expect(total.reduce(0, +) == 400)
    }

    @Test func `P10 the whole page keeps its cap`() throws {
        let harness = try PageHarness(maxSeries: 500)
        var random = SeededRandom(seed: 13)
        for _ in 0..<5 {
            harness.commit(
                (0..<1000).map { _ in
                    var event = harness.event(
                        "t\(random.below(300))", "m\(random.below(300))", Int64(random.below(99)))
                    event.feature = harness.names.intern("f\(random.below(300))")
                    event.user = harness.names.intern("u\(random.below(300))")
                    event.agent = harness.names.intern("g\(random.below(300))")
                    return event
                })
        }
        let lines = harness.page().bytes.text.split(separator: "\n")
        let domain = lines.filter { line in
            [
                "costgauge_cost", "costgauge_tokens", "costgauge_requests",
                "costgauge_request_cost",
                "costgauge_unpriced", "costgauge_failed", "costgauge_window", "costgauge_top",
            ].contains { line.hasPrefix($0) }
        }
        #expect(domain.count <= 500, "\(domain.count)")
        #expect(domain.count > 400)
    }
}
