import Foundation
import Protobuf
import Testing
import Usage

@testable import OTLP

/// What the answer tells, in protobuf: rejected spans and why.
private func partial(_ answer: OTLPAnswer) throws -> (rejected: UInt64, message: String) {
    var result = (rejected: UInt64(0), message: "")
    var outer = ProtobufReader(0..<answer.body.count)
    while let field = try outer.next(answer.body.span) {
        var inner = ProtobufReader(field.range)
        while let part = try inner.next(answer.body.span) {
            if part.number == 1 { result.rejected = part.value }
            if part.number == 2 {
                result.message = String(decoding: answer.body[part.range], as: UTF8.self)
            }
        }
    }
    return result
}

@Suite struct ReceiverTests {
    private func send(_ spans: [Request.Span]) -> OTLPHarness {
        let harness = OTLPHarness()
        harness.send(Request.traces(spans))
        return harness
    }

    @Test func `an empty request is a success`() {
        let harness = OTLPHarness()
        for signal in OTLPSignal.allCases {
            let answer = harness.send([], signal)
            #expect(answer.status == 200 && answer.body == [])
            #expect(answer.contentType == "application/x-protobuf")
            let json = harness.send(Array("{}".utf8), signal, .json)
            #expect(json.status == 200 && json.body == Array("{}".utf8))
            #expect(json.contentType == "application/json")
        }
    }

    @Test func `a malformed body is refused whole, with a status to read`() throws {
        let harness = OTLPHarness()
        var body = Request.traces([Request.Span(attributes: Request.chat())])
        body.append(0x0a)
        let answer = harness.send(body)
        #expect(answer.status == 400 && answer.contentType == "application/x-protobuf")
        var reader = ProtobufReader(0..<answer.body.count)
        let code = try #require(try reader.next(answer.body.span))
        #expect(code.number == 1 && code.value == 3)
        #expect(harness.booked.isEmpty)
        for text in ["", "[]", "{", #"{"resourceSpans":1}"#, #"{"resourceSpans":[{]}"#, "{}x"] {
            let answer = harness.send(Array(text.utf8), .traces, .json)
            #expect(answer.status == 400, "\(text)")
            #expect(answer.body.starts(with: Array(#"{"code":3,"message":"byte "#.utf8)), "\(text)")
        }
    }

    @Test func `impossible numbers are refused one by one, and the others are kept`() throws {
        let bad: [Request.Value] = [
            .integer(-1), .integer(4_294_967_296), .double(.nan), .double(.infinity), .double(-0.5),
            .text("many"),
        ]
        var spans = bad.enumerated().map { index, value in
            Request.Span(
                span: UInt64(index + 10),
                attributes: [("gen_ai.usage.input_tokens", value)]
                    + Request.chat().filter {
                        $0.0 != "gen_ai.usage.input_tokens"
                    })
        }
        spans.append(Request.Span(span: 99, attributes: Request.chat()))
        let harness = OTLPHarness()
        let answer = harness.send(Request.traces(spans))
        #expect(answer.status == 200)
        let told = try partial(answer)
        #expect(told.rejected == 6)
        #expect(told.message.contains("must be a number from 0 to 4294967295; got -1"))
        #expect(told.message.hasSuffix("; and 1 more"))
        #expect(harness.booked.count == 1)
    }

    @Test func `tokens come as integers, doubles and text`() {
        for value in [Request.Value.integer(100), .double(100), .text("100")] {
            let harness = send([
                Request.Span(attributes: [
                    ("gen_ai.usage.input_tokens", value), ("gen_ai.request.model", .text("m")),
                ])
            ])
            #expect(harness.booked.map(\.input) == [100])
        }
    }

    @Test func `tokens of no model are refused`() throws {
        let harness = OTLPHarness()
        let answer = harness.send(
            Request.traces([
                Request.Span(attributes: [("gen_ai.usage.input_tokens", .integer(3))])
            ]))
        #expect(try partial(answer).message.contains("model"))
        #expect(harness.booked.isEmpty)
    }

    @Test func `what is dated in the future is refused`() throws {
        let harness = OTLPHarness()
        let now = UInt64(harness.time.unixNanos)
        let answer = harness.send(
            Request.traces([
                Request.Span(span: 1, start: now + 600_000_000_000, attributes: Request.chat()),
                Request.Span(span: 2, start: now + 600_000_000_001, attributes: Request.chat()),
            ]))
        #expect(try partial(answer).rejected == 1)
        #expect(harness.booked.count == 1)
    }

    @Test func `dimensions come from the span first, then from the resource, in order`() {
        let harness = OTLPHarness()
        harness.send(
            Request.traces(
                [
                    Request.Span(
                        span: 1,
                        attributes: Request.chat([
                            ("tenant", .text("span")), ("enduser.id", .text("u1")),
                            ("gen_ai.agent.name", .text("planner")),
                            ("gen_ai.conversation.id", .text("c1")),
                        ])),
                    Request.Span(
                        span: 2,
                        attributes: Request.chat([
                            ("tenant", .text("")), ("user.id", .integer(7)),
                        ])),
                ],
                resource: [
                    ("tenant", .text("second")), ("tenant.id", .text("first")),
                    ("service.name", .text("bot")), ("enduser.id", .text("nobody")),
                ]))
        #expect(harness.booked.map(\.tenant) == ["span", "first"])
        #expect(harness.booked.map(\.user) == ["u1", "7"])
        #expect(harness.booked.map(\.feature) == ["bot", "bot"])
        #expect(harness.booked.map(\.agent) == ["planner", ""])
        let (event, rows) = harness.sink.events[0]
        #expect(rows.string(event.conversation) == "c1")
        #expect(rows.string(event.id) == "00000000000000070000000000000007-0000000000000001")
        #expect(event.durationMillis == 250 && event.timestamp == 1_795_218_400_000_000_000)
    }

    @Test func `attributes of one's own choice give dimensions`() {
        var settings = OTLPSettings()
        settings.attributes.tenant = ["my.customer"]
        settings.attributes.feature = ["my.customer", "service.name"]
        let harness = OTLPHarness(settings)
        harness.send(
            Request.traces([
                Request.Span(
                    attributes: Request.chat([
                        ("my.customer", .text("acme")), ("tenant.id", .text("no")),
                    ]))
            ]))
        #expect(harness.booked.map(\.tenant) == ["acme"])
        #expect(harness.booked.map(\.feature) == ["acme"])
    }

    @Test func `text that no page could show is repaired, and long text is cut`() {
        let long = String(repeating: "é", count: 200)
        let harness = send([
            Request.Span(attributes: Request.chat([("tenant", .text(long))]))
        ])
        #expect(harness.booked[0].tenant == String(long.prefix(128)))
        var body = Request.traces([
            Request.Span(attributes: Request.chat([("tenant", .text("AAAA"))]))
        ])
        let at = body.indices.first { Array(body[$0...].prefix(4)) == Array("AAAA".utf8) } ?? 0
        body[at + 1] = 0xff
        let broken = OTLPHarness()
        broken.send(body)
        #expect(broken.booked[0].tenant == "A\u{fffd}AA")
    }

    @Test(arguments: [
        ("invoke_agent", "x"), ("agent_step", "x"), ("execute_tool", "x"), ("create_agent", "x"),
        ("invoke_workflow", "x"), ("plan", "x"),
    ])
    func `what sums up other calls is not counted`(_ operation: String, _ name: String) {
        let harness = send([
            Request.Span(
                name: name,
                attributes: [("gen_ai.operation.name", .text(operation))]
                    + Request.chat().dropFirst())
        ])
        #expect(harness.booked.isEmpty && harness.ignored == ["aggregate": 1])
    }

    @Test(arguments: [
        ("openinference.span.kind", "AGENT"), ("openinference.span.kind", "CHAIN"),
        ("traceloop.span.kind", "workflow"), ("langsmith.span.kind", "chain"),
        ("langfuse.observation.type", "span"),
    ])
    func `nor are agents and chains by any producer's word`(_ key: String, _ value: String) {
        let harness = send([Request.Span(attributes: Request.chat([(key, .text(value))]))])
        #expect(harness.booked.isEmpty && harness.ignored == ["aggregate": 1])
    }

    @Test func `of the Vercel AI SDK's two spans the inner one counts`() {
        let usage: [(String, Request.Value)] = [
            ("ai.model.id", .text("gpt-4o-mini")), ("ai.model.provider", .text("openai.chat")),
            ("ai.usage.promptTokens", .integer(100)), ("ai.usage.completionTokens", .integer(10)),
            ("ai.telemetry.functionId", .text("summarize")),
        ]
        let harness = send([
            Request.Span(name: "ai.generateText.doGenerate", span: 2, parent: 1, attributes: usage),
            Request.Span(name: "ai.generateText", span: 1, attributes: usage),
        ])
        #expect(harness.booked.count == 1)
        #expect(harness.booked[0].provider == "openai" && harness.booked[0].feature == "summarize")
        #expect(harness.booked[0].cost == "0.000021")
    }

    @Test func `errors have a status`() {
        let cases: [(String, Status)] = [
            ("RateLimitError", .rateLimited), ("429", .rateLimited), ("TimeoutError", .timeout),
            ("asyncio.CancelledError", .cancelled), ("ValueError", .error),
        ]
        for (type, status) in cases {
            let harness = send([
                Request.Span(
                    isError: true,
                    attributes: Request.chat([("error.type", .text(type))]).filter {
                        !$0.0.contains("usage")
                    })
            ])
            #expect(harness.booked.map(\.status) == [status], "\(type)")
            #expect(harness.booked.map(\.cost) == ["0.00"])
        }
        // A tool that failed is no call to a model.
        let tool = send([Request.Span(isError: true, attributes: [("error.type", .text("x"))])])
        #expect(tool.booked.isEmpty)
    }
}

/// Whose count has the cached tokens in it.
@Suite struct InclusionTests {
    private func input(
        _ values: [(String, Request.Value)], scope: String = "test", provider: String = "anthropic"
    ) -> [UInt32] {
        let harness = OTLPHarness()
        harness.send(
            Request.traces([
                Request.Span(
                    scope: scope,
                    attributes: [
                        ("gen_ai.provider.name", .text(provider)),
                        ("gen_ai.request.model", .text("claude-sonnet-4-5")),
                        ("gen_ai.usage.output_tokens", .integer(10)),
                    ] + values)
            ]))
        return harness.booked.flatMap { [$0.input, $0.cached, $0.written] }
    }

    private let parts: [(String, Request.Value)] = [
        ("gen_ai.usage.cache_read.input_tokens", .integer(30)),
        ("gen_ai.usage.cache_creation.input_tokens", .integer(20)),
    ]

    @Test func `by the conventions it has`() {
        #expect(input(parts + [("gen_ai.usage.input_tokens", .integer(100))]) == [100, 30, 20])
    }

    @Test func `parts that exceed the whole are beside it`() {
        #expect(input(parts + [("gen_ai.usage.input_tokens", .integer(49))]) == [99, 30, 20])
        #expect(input(parts + [("gen_ai.usage.input_tokens", .integer(50))]) == [50, 30, 20])
    }

    @Test func `OpenLIT leaves them out for Anthropic alone`() {
        let values = parts + [("gen_ai.usage.input_tokens", .integer(100))]
        #expect(input(values, scope: "openlit.instrumentation.anthropic") == [150, 30, 20])
        #expect(
            input(values, scope: "openlit.instrumentation.openai", provider: "openai")
                == [100, 30, 20])
    }

    @Test func `a total decides`() {
        let values = parts + [("gen_ai.usage.input_tokens", .integer(100))]
        #expect(input(values + [("gen_ai.usage.total_tokens", .integer(160))]) == [150, 30, 20])
        #expect(
            input(
                values + [("gen_ai.usage.total_tokens", .integer(110))],
                scope: "openlit.instrumentation.anthropic") == [100, 30, 20])
    }

    @Test func `the uncached rest decides`() {
        #expect(
            input([
                ("ai.usage.inputTokens", .integer(100)),
                ("ai.usage.inputTokenDetails.noCacheTokens", .integer(100)),
                ("ai.usage.cachedInputTokens", .integer(30)),
            ]) == [130, 30, 0])
        #expect(
            input([
                ("ai.usage.inputTokens", .integer(130)),
                ("ai.usage.inputTokenDetails.noCacheTokens", .integer(100)),
                ("ai.usage.cachedInputTokens", .integer(30)),
            ]) == [130, 30, 0])
    }

    @Test func `more reasoning than output is cut to it`() {
        let harness = OTLPHarness()
        harness.send(
            Request.traces([
                Request.Span(
                    attributes: Request.chat([
                        ("gen_ai.usage.reasoning.output_tokens", .integer(50))
                    ]))
            ]))
        #expect(harness.booked.map(\.reasoning) == [10])
    }
}
