import TestSupport
import Testing
import Usage

@testable import Intake

@Suite struct EventFieldsTests {
    @Test func `every field of an event arrives`() throws {
        let harness = Harness()
        let report = harness.read(
            #"""
            {"id":"evt_1","timestamp":"2026-11-20T09:59:00.250Z","tenant":"acme","user":"u-17",
             "feature":"support.chat","agent":"planner","conversation":"c-9","task":"t-3","request":"req-77",
             "operation":"chat","provider":"openai","model":"gpt-4o-mini","input_tokens":1200,
             "cached_input_tokens":1000,"cache_write_tokens":7,"output_tokens":80,"reasoning_tokens":20,
             "audio_input_tokens":3,"audio_output_tokens":4,"cost_usd":"0.00123","status":"error",
             "stage":"execution","duration_ms":840.9,"usage_complete":false,"reservation":"rsv_1",
             "resource":"e2b.standard","seconds":1.5,"vcpu":2,"gib":0.5,"text_input_chars":11,
             "text_output_chars":12,"tags":{"team":"growth","n":7,"b":true,"gone":null}}
            """#)
        #expect(report.rejections == [] && report.read == 1 && report.unknownFields == [])
        let event = harness.sink.events[0].0
        #expect(harness.text(0, \.id) == "evt_1" && harness.text(0, \.conversation) == "c-9")
        #expect(harness.text(0, \.task) == "t-3" && harness.text(0, \.request) == "req-77")
        #expect(harness.text(0, \.reservation) == "rsv_1")
        #expect(event.timestamp == 1_795_168_740_250_000_000)
        #expect(event.received == harness.time.unixNanos)
        let dimensions: [KeyPath<CostEvent, NameID>] = [
            \.tenant, \.user, \.feature, \.agent, \.operation, \.provider, \.model, \.resource,
        ]
        #expect(
            dimensions.map { harness.text(0, $0) } == [
                "acme", "u-17", "support.chat", "planner", "chat", "openai", "gpt-4o-mini",
                "e2b.standard",
            ])
        #expect(harness.text(0, \.tags) == #"{"b":"true","n":"7","team":"growth"}"#)
        #expect(event.tokens.input == 1200 && event.tokens.cachedInput == 1000)
        #expect(event.tokens.cacheWrite == 7 && event.tokens.output == 80)
        #expect(event.tokens.reasoning == 20)
        #expect(event.tokens.audioInput == 3 && event.tokens.audioOutput == 4)
        #expect(event.amount == NanoUSD(nanos: 1_230_000) && event.costSource == .reported)
        #expect(event.status == .error && event.stage == .execution && !event.isComplete)
        #expect(event.durationMillis == 840 && event.computeMicros == 1_500_000)
        #expect(event.vcpuMilli == 2000 && event.gibMilli == 500)
        #expect(
            harness.text(0, \.detail)
                == #"{"audio_input_tokens":3,"audio_output_tokens":4,"text_input_chars":11,"#
                + #""text_output_chars":12,"seconds":1.5,"vcpu":2,"gib":0.5,"#
                + #""resource":"e2b.standard","reservation":"rsv_1"}"#)
    }

    @Test func `what a price depends on besides tokens arrives`() {
        let harness = Harness(defaultTenant: "default")
        let report = harness.read(
            #"""
            {"model":"m","input_tokens":9,"cache_write_tokens":5,"cache_write_1h_tokens":5,"web_searches":3,"service_tier":"Priority","region":"eu"}
            {"model":"m","input_tokens":9,"service_tier":"auto"}
            {"model":"m","input_tokens":9,"cache_write_tokens":5,"cache_write_1h_tokens":6}
            {"model":"m","input_tokens":9,"service_tier":7}
            {"model":"m","input_tokens":9,"web_searches":-1}
            {"model":"m","input_tokens":9,"region":["eu"]}
            """#)
        #expect(report.read == 2)
        let event = harness.sink.events[0].0
        #expect(event.cacheWriteHour == 5 && event.webSearches == 3)
        #expect(event.serviceTier == .priority && harness.text(0, \.region) == "eu")
        #expect(
            harness.text(0, \.detail)
                == #"{"cache_write_1h_tokens":5,"web_searches":3,"region":"eu"}"#)
        // Words that name no priced tier mean the standard one.
        #expect(harness.sink.events[1].0.serviceTier == .standard)
        #expect(
            report.rejections.map { "\($0.line) \($0.field) \($0.reason.rawValue)" } == [
                "3 cache_write_1h_tokens inconsistent", "4 service_tier wrong_type",
                "5 web_searches wrong_type", "6 region wrong_type",
            ])
    }

    @Test func `P4 events without a price are refused by line and model when that is asked for`() {
        let price: PriceEvents = { rows, range in
            for index in range where rows.events[index].tokens.input == 1 {
                rows.events[index].amount = NanoUSD(nanos: 7)
            }
        }
        let harness = Harness(defaultTenant: "default", refusesUnpriced: true, price: price)
        let unknown = #"{"provider":"p","model":"new","input_tokens":2}"#
        let known = #"{"model":"m","input_tokens":1}"#
        let report = harness.read(
            [known, unknown, "{}", #"{"cost_usd":1}"#, unknown, known].joined(separator: "\n"))
        #expect(report.read == 3 && harness.sink.events.count == 3)
        #expect(harness.sink.events.map { $0.0.cost } == [7, 1_000_000_000, 7])
        #expect(
            report.rejections.map { "\($0.line) \($0.index) \($0.field) \($0.reason.rawValue)" }
                == ["2 1 model unpriced", "3 2 model missing", "5 4 model unpriced"])
        #expect(
            report.rejections[0].message
                == "no price for what this event used of model \"new\" of provider \"p\", "
                + "and pricing.unknown is reject; add a price or send cost_usd")
        // Nothing is left of a body that has no other events, and the rest of a chunk stays whole.
        let full = harness.read(
            Array(repeating: unknown, count: 2500).joined(separator: "\n") + "\n" + known)
        #expect(full.read == 1 && full.rejectedCount == 2500 && full.reasons == [.unpriced: 2500])
        #expect(
            full.rejections.count == IntakeReport.rejectionsMax && full.rejections[999].line == 1000
        )
    }

    @Test func `the least event is a model with tokens, or an amount`() {
        let harness = Harness(defaultTenant: "default")
        let report = harness.read(
            """
            {"model":"m","input_tokens":0}
            {"cost_usd":0}
            {"model":"m","output_tokens":1}
            {"model":"m","text_input_chars":4}
            {"model":"m","status":"timeout"}
            {"resource":"e2b.gpu","seconds":3}
            """)
        #expect(report.rejections == [] && report.read == 6)
        #expect(harness.text(0, \.tenant) == "default")
        let event = harness.sink.events[0].0
        #expect(event.timestamp == harness.time.unixNanos && event.amount == nil)
        #expect(harness.sink.events[1].0.amount == .zero)
    }

    @Test func `escapes are resolved everywhere`() {
        let harness = Harness()
        harness.read(
            #"{"id":"a\"b","tenant":"x\\y\nz","feature":"\u00e9\ud83d\ude00","cost_usd":1,"tags":{"k\n":"\/"}}"#
        )
        #expect(harness.text(0, \.id) == "a\"b" && harness.text(0, \.tenant) == "x\\y\nz")
        #expect(harness.text(0, \.feature) == "é😀")
        #expect(harness.text(0, \.tags) == #"{"k\n":"/"}"#)
    }

    @Test(
        arguments: [
            ("1795168740", 1_795_168_740_000_000_000), ("1795168740.25", 1_795_168_740_250_000_000),
            ("1795168740250", 1_795_168_740_250_000_000),
            ("1795168740250000", 1_795_168_740_250_000_000),
            ("1795168740250000000", 1_795_168_740_250_000_000),
            ("\"1970-01-02T00:00:00Z\"", 86_400_000_000_000),
        ])
    func `a Unix time tells its unit by its size`(_ text: String, _ nanos: Int64) {
        let harness = Harness()
        harness.read("{\"tenant\":\"a\",\"cost_usd\":1,\"timestamp\":\(text)}")
        #expect(harness.sink.events.first?.0.timestamp == nanos)
    }

    @Test(arguments: ["0", "\"1970-01-01T00:00:00Z\""])
    func `the beginning of time is a time`(_ text: String) {
        let harness = Harness()
        harness.read("{\"tenant\":\"a\",\"cost_usd\":1,\"timestamp\":\(text)}")
        #expect(harness.sink.events.first?.0.timestamp == 0)
    }

    @Test func `names that find no room stay with their event`() {
        let harness = Harness(namesMax: 16)
        for number in 0..<30 {
            harness.read(
                "{\"id\":\"e\",\"tenant\":\"t\(number)\",\"user\":\"u\(number)\",\"cost_usd\":1,\"tags\":{\"n\":\(number)}}"
            )
        }
        let last = harness.sink.events[29].0
        #expect(last.tenant == NameTable.other && last.user == NameTable.other)
        #expect(
            harness.text(29, \.detail)
                == #"{"folded":{"tenant":"t29","user":"u29","tags":"{\"n\":\"29\"}"}}"#)
        // Equal ids of different tenants stay different, names or not.
        #expect(Set(harness.sink.events.map(\.0.identity)).count == 30)
        // Users and tags leave room for tenants.
        #expect(
            harness.sink.events.filter { $0.0.tenant != NameTable.other }.count
                > harness.sink.events.filter { $0.0.user != NameTable.other }.count)
    }

    @Test func `null is the same as absent`() {
        let harness = Harness()
        let report = harness.read(
            #"{"tenant":"a","user":null,"cost_usd":1,"input_tokens":null,"tags":null,"status":null}"#
        )
        #expect(report.read == 1 && harness.text(0, \.user) == "")
    }

    @Test func `unknown fields are ignored and told`() {
        let harness = Harness()
        let report = harness.read(
            """
            {"tenant":"a","cost_usd":1,"cached_tokens":{"deep":[1,{"x":null}]},"zzz":"\\q"}
            {"tenant":"a","cost_usd":1,"cached_tokens":2}
            """)
        #expect(report.read == 2 && report.unknownFields == ["cached_tokens", "zzz"])
    }

    @Test func `late events are counted and taken, early ones refused from ten minutes on`() {
        let harness = Harness()
        let report = harness.read(
            """
            {"tenant":"a","cost_usd":1,"timestamp":"2026-11-20T08:59:59Z"}
            {"tenant":"a","cost_usd":1,"timestamp":"2026-11-20T09:00:00Z"}
            {"tenant":"a","cost_usd":1,"timestamp":"2026-11-20T10:10:00Z"}
            {"tenant":"a","cost_usd":1,"timestamp":"2026-11-20T10:10:00.000000001Z"}
            {"tenant":"a","cost_usd":1,"timestamp":"1970-01-01T00:00:00.5Z"}
            """)
        #expect(report.read == 4 && report.late == 2)
        #expect(report.rejections.map(\.line) == [4])
        #expect(report.rejections.first?.reason == .future)
    }
}
