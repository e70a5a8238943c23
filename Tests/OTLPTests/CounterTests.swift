import Protobuf
import Testing
import Usage

@testable import OTLP

/// Requests of one counter.
private struct Counter {
    var name = "claude_code.token.usage"
    var isDelta = true
    var isMonotonic = true
    var service = "claude-code"

    struct Point {
        var value: Double
        var start: UInt64
        var time: UInt64
        var attributes: [(String, Request.Value)] = []
        var flags: UInt64 = 0
    }

    func append(_ points: [Point], to metrics: inout [UInt8]) {
        metrics.appendMessage(2) { metric in
            metric.appendField(1, text: name)
            metric.appendMessage(7) { sum in
                for point in points {
                    sum.appendMessage(1) { bytes in
                        bytes.appendField(2, fixed64: point.start)
                        bytes.appendField(3, fixed64: point.time)
                        bytes.appendField(4, double: point.value)
                        Request.attributes(point.attributes, field: 7, to: &bytes)
                        bytes.appendField(8, varint: point.flags)
                    }
                }
                // Behind the points, as a sender may.
                sum.appendField(2, varint: isDelta ? 1 : 2)
                sum.appendField(3, varint: isMonotonic ? 1 : 0)
            }
        }
    }

    func request(_ points: Point...) -> [UInt8] { Counter.request([(self, points)]) }

    static func request(_ counters: [(Counter, [Point])]) -> [UInt8] {
        var body: [UInt8] = []
        body.appendMessage(1) { resource in
            resource.appendMessage(1) {
                Request.attributes(
                    [("service.name", .text(counters[0].0.service))], field: 1, to: &$0)
            }
            resource.appendMessage(2) { scope in
                scope.appendMessage(1) { $0.appendField(1, text: "com.anthropic.claude_code") }
                for (counter, points) in counters { counter.append(points, to: &scope) }
            }
        }
        return body
    }
}

private let base: UInt64 = 1_795_218_400_000_000_000

private func tokens(_ type: String, session: String = "s") -> [(String, Request.Value)] {
    [
        ("type", .text(type)), ("model", .text("claude-sonnet-4-5")),
        ("session.id", .text(session)), ("user.id", .text("u")),
    ]
}

@Suite struct CounterTests {
    @Test func `Claude Code's interval is one call, with its parts beside each other`() {
        let harness = OTLPHarness()
        let kinds = [
            ("input", 56.0), ("cacheRead", 1000), ("cacheCreation", 100), ("output", 45),
        ]
        harness.send(
            Counter.request([
                (
                    Counter(),
                    kinds.map {
                        Counter.Point(
                            value: $0.1, start: base, time: base + 1, attributes: tokens($0.0))
                    }
                )
            ]), .metrics)
        #expect(
            harness.booked == [
                Booked(
                    user: "u", feature: "claude-code", provider: "anthropic",
                    model: "claude-sonnet-4-5", input: 1156, cached: 1000, written: 100, output: 45,
                    cost: "0.001518")
            ])
    }

    @Test func `its own count of dollars is the cost`() {
        let harness = OTLPHarness()
        let point = { (value: Double, attributes: [(String, Request.Value)]) in
            Counter.Point(value: value, start: base, time: base + 1, attributes: attributes)
        }
        let own = Array(tokens("").dropFirst())
        harness.send(
            Counter.request([
                (Counter(), [point(56, tokens("input")), point(45, tokens("output"))]),
                (Counter(name: "claude_code.cost.usage"), [point(0.1234567891, own)]),
            ]), .metrics)
        #expect(harness.booked.map(\.cost) == ["0.123456789"])
        #expect(harness.booked.map(\.source) == [.reported])
        #expect(harness.booked.map(\.input) == [56])
    }

    @Test func `sessions and models are calls of their own`() {
        let harness = OTLPHarness()
        harness.send(
            Counter().request(
                Counter.Point(
                    value: 1, start: base, time: base + 1, attributes: tokens("input")),
                Counter.Point(
                    value: 2, start: base, time: base + 1,
                    attributes: tokens("input", session: "t"))), .metrics)
        #expect(harness.booked.map(\.input) == [1, 2])
    }

    @Test func `a delta that comes again is not counted again`() {
        let harness = OTLPHarness()
        func send(_ value: Double, _ start: UInt64, _ time: UInt64) {
            harness.send(
                Counter().request(
                    Counter.Point(
                        value: value, start: base + start, time: base + time,
                        attributes: tokens("input"))), .metrics)
        }
        send(10, 0, 10)
        send(10, 0, 10)
        send(20, 10, 20)
        // A gap is a loss of the sender's, not of ours.
        send(5, 30, 40)
        #expect(harness.booked.map(\.input) == [10, 20, 5])
        #expect(harness.ignored == ["stale": 1])
    }

    @Test func `a cumulative counter is counted by its differences`() {
        let harness = OTLPHarness()
        // Running since before costgauge began to listen.
        let old = base - 86_400_000_000_000
        func send(_ value: Double, start: UInt64, _ time: UInt64) {
            harness.send(
                Counter(isDelta: false).request(
                    Counter.Point(
                        value: value, start: start, time: base + time, attributes: tokens("input"))),
                .metrics)
        }
        send(1000, start: old, 1)
        #expect(harness.booked.isEmpty && harness.ignored == ["baseline": 1])
        send(1010, start: old, 2)
        send(1010, start: old, 3)
        send(1010, start: old, 2)
        // Restarted, told by its start; and once more, told by its value alone.
        send(1500, start: base + 3, 4)
        send(7, start: base + 3, 5)
        #expect(harness.booked.map(\.input) == [10, 1500, 7])
        #expect(harness.ignored["stale"] == 1)
    }

    @Test func `a counter that began after costgauge has told everything`() {
        let harness = OTLPHarness()
        harness.send(
            Counter(isDelta: false).request(
                Counter.Point(
                    value: 12, start: base, time: base + 1, attributes: tokens("input"))), .metrics)
        #expect(harness.booked.map(\.input) == [12])
        // The start is not known: it may have run for long.
        harness.send(
            Counter(isDelta: false).request(
                Counter.Point(
                    value: 12, start: base + 1, time: base + 1,
                    attributes: tokens("input", session: "t"))), .metrics)
        #expect(harness.booked.count == 1 && harness.ignored == ["baseline": 1])
    }

    @Test func `what never only grows, and what holds no value, is not counted`() {
        let harness = OTLPHarness()
        harness.send(
            Counter(isMonotonic: false).request(
                Counter.Point(value: 5, start: base, time: base + 1, attributes: tokens("input"))),
            .metrics)
        harness.send(
            Counter().request(
                Counter.Point(
                    value: 5, start: base, time: base + 1, attributes: tokens("input"), flags: 1)),
            .metrics)
        harness.send(
            Counter(name: "http.requests").request(
                Counter.Point(value: 5, start: base, time: base + 1)), .metrics)
        #expect(harness.booked.isEmpty)
        for value in [-1, Double.nan, .infinity, 1e16] {
            let answer = harness.send(
                Counter().request(
                    Counter.Point(
                        value: value, start: base, time: base + 9, attributes: tokens("input"))),
                .metrics)
            #expect(answer.status == 200 && !answer.body.isEmpty, "\(value)")
        }
        #expect(harness.booked.isEmpty)
    }

    private func span(_ start: UInt64, id: UInt64) -> [UInt8] {
        Request.traces(
            [Request.Span(span: id, start: base + start, attributes: Request.chat())],
            resource: [("service.name", .text("claude-code"))])
    }

    private func point(_ start: UInt64, _ time: UInt64) -> [UInt8] {
        Counter().request(
            Counter.Point(
                value: 9, start: base + start, time: base + time, attributes: tokens("input")))
    }

    @Test func `a service that sends spans is not counted by its counters too`() {
        let harness = OTLPHarness()
        harness.send(span(1_000_000_000, id: 1))
        harness.send(point(0, 10_000_000_000), .metrics)
        #expect(harness.booked.count == 1 && harness.ignored == ["other_source": 1])
        // An hour without a call: it has gone over to counters.
        harness.send(point(10_000_000_000, 3_602_000_000_000), .metrics)
        #expect(harness.booked.count == 2)
    }

    @Test func `spans that a counted point has already are left out`() {
        let harness = OTLPHarness()
        harness.send(point(0, 10_000_000_000), .metrics)
        harness.send(span(9_000_000_000, id: 1))
        #expect(harness.booked.count == 1 && harness.ignored == ["other_source": 1])
        harness.send(span(10_000_000_000, id: 2))
        #expect(harness.booked.count == 2)
    }

    @Test func `switched off, no counter is read`() {
        var settings = OTLPSettings()
        settings.sources.metrics = false
        let harness = OTLPHarness(settings)
        harness.send(point(0, 1), .metrics)
        #expect(harness.booked.isEmpty && harness.ignored == ["switched_off": 1])
    }

    @Test func `every kind of metric that the SDK has is read, in both temporalities`() throws {
        for name in [
            "metrics-all-kinds-cumulative-1.pb", "metrics-all-kinds-cumulative-1.pb.zlib",
            "metrics-all-kinds-delta-1.json", "metrics-all-kinds-delta-1.pb.gz",
        ] {
            let harness = OTLPHarness()
            #expect(try harness.send(fixture: name).status == 200, "\(name)")
        }
    }

    @Test func `deltas and cumulative values of one process come to the same sum`() throws {
        func sums(_ names: [String]) throws -> (UInt32, UInt32) {
            let harness = OTLPHarness()
            for name in names { try harness.send(fixture: name) }
            return harness.booked.reduce(into: (0, 0)) { sum, call in
                sum.0 += call.input
                sum.1 += call.output
            }
        }
        let cumulative = try sums([
            "metrics-all-kinds-cumulative-1.pb", "metrics-all-kinds-cumulative-2.pb",
        ])
        let delta = try sums(["metrics-all-kinds-delta-1.json", "metrics-all-kinds-delta-2.pb.gz"])
        #expect(cumulative == delta)
        #expect(cumulative.0 + cumulative.1 > 0)
    }

    @Test func `Claude Code's log records count with their own dollars`() {
        var settings = OTLPSettings()
        settings.sources.logs = true
        let harness = OTLPHarness(settings)
        var body: [UInt8] = []
        body.appendMessage(1) { resource in
            resource.appendMessage(2) { scope in
                scope.appendMessage(1) {
                    $0.appendField(1, text: "com.anthropic.claude_code.events")
                }
                scope.appendMessage(2) { record in
                    record.appendField(1, fixed64: base)
                    record.appendMessage(5) { $0.appendField(1, text: "claude_code.api_request") }
                    Request.attributes(
                        [
                            ("event.name", .text("api_request")),
                            ("model", .text("claude-sonnet-4-5")), ("input_tokens", .text("56")),
                            ("output_tokens", .integer(45)), ("cache_read_tokens", .integer(1000)),
                            ("cache_creation_tokens", .integer(100)),
                            ("cost_usd", .text("0.002")), ("duration_ms", .integer(812)),
                            ("request_id", .text("req_0123456789")),
                        ], field: 6, to: &record)
                }
            }
        }
        harness.send(body, .logs)
        #expect(
            harness.booked == [
                Booked(
                    model: "claude-sonnet-4-5", input: 1156, cached: 1000, written: 100,
                    output: 45, cost: "0.002", source: .reported, request: "req_0123456789")
            ])
        #expect(harness.sink.events.map(\.0.durationMillis) == [812])
        #expect(OTLPHarness().send(body, .logs).status == 200)
    }
}
