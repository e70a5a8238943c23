import Foundation
import Intake
import Pricing
import SelfMetrics
import Synchronization
import TestSupport
import Testing
import Usage
import Wire

@testable import LiteLLM

private final class KeepingSink: BatchSink {
    private let rows = Mutex<[(CostEvent, EventRows)]>([])

    var hasRoom: Bool { true }
    var isClosed: Bool { false }
    func checkout() -> EventBatch { EventBatch() }

    func checkoutEmpty() -> EventBatch { EventBatch() }
    func submit(together batches: [EventBatch]) { for batch in batches { submit(batch) } }
    func discard(_ batches: [EventBatch]) {}

    func submit(_ batch: EventBatch) {
        rows.withLock { rows in for event in batch.rows.events { rows.append((event, batch.rows)) }
        }
        for part in batch.parts { part.receipt.settle(accepted: part.range.count, duplicates: 0) }
    }

    var events: [(CostEvent, EventRows)] { rows.withLock { $0 } }
}

/// Read once: it takes a debug build a second.
private let builtInPrices = BuiltInPrices.book()

private struct Harness {
    let sink = KeepingSink()
    let names = Names(hash: SeededHash(seed: 3))
    let receiver: LiteLLMReceiver

    init() {
        let pricer = Pricer(book: builtInPrices, names: names)
        let time = ManualTime()
        time.advance(seconds: 86_400)
        receiver = LiteLLMReceiver(
            intake: EventIntake(
                settings: IntakeSettings(defaultTenant: "default"), names: names,
                hash: SeededHash(seed: 3), time: time, sink: sink,
                price: { pricer.price(&$0, $1) }, metrics: SelfMetrics(rejectReasons: [])))
    }

    @discardableResult
    func read(_ body: String) throws -> IntakeReport {
        let result = Mutex<IntakeReport?>(nil)
        try receiver.read(Array(body.utf8)) { report, _ in result.withLock { $0 = report } }
        return try #require(result.withLock { $0 })
    }

    func text(_ index: Int, _ field: KeyPath<CostEvent, NameID>) -> String {
        names.text(sink.events[index].0[keyPath: field])
    }

    func text(_ index: Int, _ field: KeyPath<CostEvent, TextRef>) -> String {
        let (event, rows) = sink.events[index]
        return rows.string(event[keyPath: field])
    }
}

private func fixture(_ name: String) throws -> String {
    try String(
        contentsOfFile: Costgauge.repository + "/Tests/LiteLLMTests/Fixtures/" + name,
        encoding: .utf8)
}

/// One payload with what is given beside the least that LiteLLM sends.
private func payload(_ more: String, metadata: String = "") -> String {
    #"{"id":"chatcmpl-1234567890","litellm_call_id":"c-1","call_type":"acompletion","status":"success","#
        + #""custom_llm_provider":"openai","model":"gpt-4o-mini","prompt_tokens":100,"#
        + #""completion_tokens":10,"startTime":1795218457.5,"endTime":1795218458.25,"#
        + #""metadata":{\#(metadata)}\#(more)}"#
}

@Suite struct LiteLLMTests {
    @Test func `the capture of three calls comes to three events`() throws {
        let harness = Harness()
        let report = try harness.read(try fixture("generic_api-json_array.json"))
        #expect(report.read == 3 && report.rejectedCount == 0)
        for index in 0..<3 {
            #expect(harness.text(index, \.tenant) == "Team A")
            #expect(harness.text(index, \.feature) == "summarize")
            #expect(harness.text(index, \.provider) == "openai")
            #expect(harness.text(index, \.model) == "gpt-4o-mini")
            #expect(harness.text(index, \.operation) == "chat")
            #expect(harness.text(index, \.conversation) == "sess-1")
            #expect(
                harness.text(index, \.tags) == #"{"key":"team-a-key","tags":"prod,checkout"}"#)
        }
        let events = harness.sink.events.map(\.0)
        for event in events.prefix(2) {
            #expect(event.amount == NanoUSD(nanos: 40_200) && event.costSource == .reported)
            #expect(event.tokens.input == 120 && event.tokens.cachedInput == 64)
            #expect(event.tokens.output == 45 && event.tokens.reasoning == 20)
            #expect(event.status == .ok)
        }
        #expect(harness.text(0, \.user) == "user-42")
        #expect(harness.text(0, \.request) == "chatcmpl-fixture0001")
        #expect(harness.text(0, \.id) == "1ae348a3-90cc-43a5-a602-8a5d5efcb248")
        #expect(events[0].timestamp == 1_795_218_457_005_842_000)
        #expect(events[0].durationMillis == 447)
        #expect(events[2].status == .rateLimited)
        #expect(events[2].amount == .zero && harness.text(2, \.request) == "")
    }

    @Test func `one a line and one alone are read too, whatever they are called`() throws {
        let harness = Harness()
        let lines = try fixture("generic_api-ndjson-2of3.ndjson")
        #expect(try harness.read(lines).read == 2)
        let first = String(lines.split(separator: "\n")[0])
        #expect(try harness.read(first).read == 1)
        #expect(try harness.read("  [\n" + first + "\n]\n").read == 1)
        #expect(try harness.read("[]").read == 0)
    }

    @Test func `a bad payload does not cost its neighbours`() throws {
        let harness = Harness()
        let report = try harness.read(
            payload("") + "\nnot json\n" + payload(#","response_cost":-1"#) + "\n" + payload("")
                + "\n{}")
        #expect(report.read == 2 && report.rejectedCount == 3)
        #expect(report.reasons == [.malformed: 2, .outOfRange: 1])
        for body in ["", "   ", "hello", "[1]", "{}", "\u{1}", #"{"id":"#] {
            #expect(throws: LiteLLMFault.self) { try harness.read(body) }
        }
        #expect(harness.sink.events.count == 2)
    }

    @Test(arguments: [
        "{\"id\":null}", "{}", "{\"foo\":{\"bar\":[1]}}", "\"text\"", "7", "null", "[]",
        "[{\"id\":1}]",
        "{\"id\":\"x\",\"response_cost\":NaN}", "{\"id\":\"x\",\"deep\":[{\"a\":Infinity}]}",
        "{\"id\":\"x\" \"model\":1}",
    ])
    func `one record of a list that is none does not cost its neighbours`(bad: String) throws {
        let good = { (id: String) in
            "{\"id\":\"\(id)\",\"model\":\"gpt-4o-mini\",\"status\":\"success\",\"response_cost\":0.5,"
                + "\"prompt_tokens\":1,\"completion_tokens\":1}"
        }
        let harness = Harness()
        let report = try harness.read("[\(good("a")), \(bad), \(good("b"))]")
        #expect(harness.sink.events.count == 2)
        #expect(report.rejections.map(\.index) == [1], "\(report.rejections)")
        #expect(throws: LiteLLMFault.self) { try harness.read("[\(bad)]") }
    }

    @Test func `a cost of 0 is a price only of an answer from the cache`() throws {
        let harness = Harness()
        try harness.read(payload(#","response_cost":0.0"#))
        try harness.read(payload(#","response_cost":0.0,"cache_hit":true"#))
        try harness.read(payload(#","response_cost":1.5e-07"#))
        try harness.read(payload(#","response_cost":"0.25""#))
        try harness.read(payload(""))
        let events = harness.sink.events.map(\.0)
        // 100 at $0.15 and 10 at $0.60 a million.
        #expect(events.map(\.amount?.nanos) == [21_000, 0, 150, 250_000_000, 21_000])
        #expect(
            events.map(\.costSource) == [.computed, .reported, .reported, .reported, .computed])
        #expect(events.map(\.tokens.input) == [100, 0, 100, 100, 100])
    }

    @Test func `cached tokens are part of the input, however a version counts them`() throws {
        let harness = Harness()
        try harness.read(
            payload(
                "",
                metadata:
                    #""usage_object":{"cache_read_input_tokens":60,"cache_creation_input_tokens":30}"#
            ))
        try harness.read(
            payload(
                "",
                metadata:
                    #""usage_object":{"cache_read_input_tokens":1000,"cache_creation_input_tokens":30}"#
            ))
        let tokens = harness.sink.events.map(\.0.tokens)
        #expect(tokens.map(\.input) == [100, 1130])
        #expect(tokens.map(\.cachedInput) == [60, 1000])
        #expect(tokens.map(\.cacheWrite) == [30, 30])
    }

    @Test func `the caller's metadata names dimensions, and the rest are tags`() throws {
        let harness = Harness()
        try harness.read(
            payload(
                #","end_user":"eu","request_tags":["env:prod","beta"],"model_group":"cheap""#,
                metadata: #""user_api_key_team_alias":"T","user_api_key_alias":"K","#
                    + #""spend_logs_metadata":{"tenant":"acme","agent":"planner","task":"t-1","x":"é\n"}"#
            ))
        #expect(harness.text(0, \.tenant) == "acme")
        #expect(harness.text(0, \.user) == "eu")
        #expect(harness.text(0, \.feature) == "K")
        #expect(harness.text(0, \.agent) == "planner")
        #expect(harness.text(0, \.task) == "t-1")
        #expect(
            harness.text(0, \.tags)
                == #"{"env":"prod","key":"K","model_group":"cheap","tags":"beta","x":"é\n"}"#)
    }

    @Test func `retries are calls of their own, a repeated one is not`() throws {
        let harness = Harness()
        try harness.read(payload(""))
        try harness.read(
            payload("").replacingOccurrences(of: "\"c-1\"", with: "\"c-2\"")
                .replacingOccurrences(of: "1234567890", with: "1234567891"))
        let events = harness.sink.events.map(\.0)
        #expect(events[0].identity != events[1].identity && events[0].call != events[1].call)
        #expect(events.allSatisfy { $0.isObserved })
    }

    @Test func `numbers that are none are refused by name`() throws {
        let harness = Harness()
        for (from, to) in [
            (#""prompt_tokens":100"#, #""prompt_tokens":-1"#),
            (#""prompt_tokens":100"#, #""prompt_tokens":"many""#),
            (#""completion_tokens":10"#, #""completion_tokens":4294967296"#),
            (#""prompt_tokens":100"#, #""prompt_tokens":100,"response_cost":"abc""#),
        ] {
            let report = try harness.read(payload("").replacingOccurrences(of: from, with: to))
            #expect(report.rejectedCount == 1 && report.read == 0)
        }
    }

    @Test func `any bytes give an answer`() throws {
        let seed = Array(try fixture("generic_api-ndjson-2of3.ndjson").utf8)
        var random = SeededRandom(seed: 20)
        let harness = Harness()
        for _ in 0..<300 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(at..<min(at + 40, bytes.count))
                default: bytes.insert(contentsOf: [UInt8(ascii: "\""), 0x7b], at: at)
                }
            }
            try? harness.receiver.read(bytes) { _, _ in }
        }
        #expect(harness.sink.events.count > 0)
    }
}
