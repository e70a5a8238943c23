import TestSupport
import Testing
import Usage

@testable import OTLP

/// 56 fresh tokens at $0.15, 64 cached at $0.075, 45 out at $0.60 a million.
private let chatCost = "0.0000402"
/// 120 fresh: what an instrumentation without cached tokens comes to.
private let uncachedChatCost = "0.000045"
/// 8 at $0.02.
private let embeddingCost = "0.00000016"
/// 56 at $3, 1000 read at $0.30, 100 written at $3.75, 45 out at $15.
private let claudeCost = "0.001518"

private func chat(
    _ request: String = "", cached: UInt32 = 64, reasoning: UInt32 = 20, cost: String = chatCost,
    model: String = "gpt-4o-mini"
) -> Booked {
    Booked(
        feature: "checkout-bot", operation: "chat", provider: "openai", model: model,
        input: 120, cached: cached, output: 45, reasoning: reasoning, cost: cost, request: request)
}

private let embedding = Booked(
    feature: "checkout-bot", operation: "embeddings", provider: "openai",
    model: "text-embedding-3-small", input: 8, cost: embeddingCost)

private func claude(_ request: String) -> Booked {
    Booked(
        feature: "checkout-bot", operation: "chat", provider: "anthropic",
        model: "claude-sonnet-4-5", input: 1156, cached: 1000, written: 100, output: 45,
        cost: claudeCost, request: request)
}

/// What real SDKs and instrumentations sent; how each was made is written beside them.
@Suite struct FixtureTests {
    private static let genAI = [
        chat("chatcmpl-fixture0001"), chat("chatcmpl-fixture0002"), embedding,
        chat("resp_fixture0004"),
    ]

    static let expected: [(String, [Booked])] = [
        ("traces-genai-openai.pb", genAI),
        ("traces-genai-openai.pb.gz", genAI),
        ("traces-genai-openai.json", genAI),
        ("traces-genai-anthropic-double-span.pb", [claude("msg_fixture0001")]),
        ("traces-traceloop-anthropic-double-span.pb", [claude("msg_fixture0001")]),
        (
            "traces-openai-v2-legacy-gen_ai.system.pb",
            [
                chat("chatcmpl-fixture0001", cached: 0, reasoning: 0, cost: uncachedChatCost),
                chat("chatcmpl-fixture0002", cached: 0, reasoning: 0, cost: uncachedChatCost),
                embedding,
            ]
        ),
        (
            "traces-traceloop-openai.pb",
            [
                chat("chatcmpl-fixture0001"), chat("chatcmpl-fixture0002", reasoning: 0), embedding,
                chat("resp_fixture0004"),
            ]
        ),
        // It names the model that answered, and no other.
        (
            "traces-openinference-openai.pb",
            [
                chat(model: "gpt-4o-mini-2024-07-18"), chat(model: "gpt-4o-mini-2024-07-18"),
                embedding, chat(model: "gpt-4o-mini-2024-07-18"),
            ]
        ),
        (
            "traces-openlit-openai-anthropic.pb",
            [
                chat("chatcmpl-fixture0001", reasoning: 0),
                chat("chatcmpl-fixture0002", reasoning: 0), claude("msg_fixture0003"),
            ]
        ),
        (
            "traces-litellm-otel.pb",
            [
                Booked(
                    tenant: "Team A", user: "user-42", feature: "litellm-proxy", operation: "chat",
                    provider: "openai", model: "gpt-4o-mini", input: 120, output: 45,
                    cost: uncachedChatCost, request: "chatcmpl-fixture0001")
            ]
        ),
        (
            "traces-langfuse-sdk.pb.gz",
            [
                Booked(
                    feature: "unknown_service:python", operation: "chat", provider: "openai",
                    model: "gpt-4o-mini-2024-07-18", input: 120, cached: 64, output: 45,
                    reasoning: 20,
                    cost: chatCost)
            ]
        ),
        ("logs-openai-v2-events.pb", []),
        ("logs-openlit-inference-details.pb", []),
        (
            "metrics-genai-openai-cumulative.pb",
            [
                Booked(
                    feature: "checkout-bot", operation: "chat", provider: "openai",
                    model: "gpt-4o-mini", input: 360, output: 135, cost: "0.000135"),
                embedding,
            ]
        ),
        (
            "metrics-litellm-otel-cost.pb",
            [
                Booked(
                    tenant: "Team A", feature: "litellm-proxy", operation: "chat",
                    provider: "openai", model: "gpt-4o-mini", input: 120, output: 45,
                    cost: uncachedChatCost)
            ]
        ),
    ]

    @Test(arguments: expected)
    func `a capture comes to exactly these calls`(_ name: String, _ calls: [Booked]) throws {
        let harness = OTLPHarness()
        let answer = try harness.send(fixture: name)
        #expect(answer.status == 200)
        #expect(answer.body == (name.hasSuffix("json") ? Array("{}".utf8) : []))
        #expect(harness.booked == calls)
    }

    @Test(arguments: expected.map(\.0))
    func `a capture that is sent again counts once`(_ name: String) throws {
        let harness = OTLPHarness()
        try harness.send(fixture: name)
        let count = harness.booked.count
        try harness.send(fixture: name)
        #expect(harness.booked.count == count)
    }

    @Test func `what LiteLLM's span says it cost counts when that is asked for`() throws {
        var settings = OTLPSettings()
        settings.trustsReportedCost = true
        let harness = OTLPHarness(settings)
        try harness.send(fixture: "traces-litellm-otel.pb")
        #expect(harness.booked.first?.cost == "0.0000402")
        #expect(harness.booked.first?.source == .reported)
    }

    @Test func `an amount of 0 beside tokens is no price`() throws {
        var settings = OTLPSettings()
        settings.trustsReportedCost = true
        let harness = OTLPHarness(settings)
        try harness.send(fixture: "traces-openlit-openai-anthropic.pb")
        #expect(harness.booked.map(\.cost) == [chatCost, chatCost, claudeCost])
        #expect(harness.booked.allSatisfy { $0.source == .computed })
    }

    @Test func `spans and the log records of the same calls count once`() throws {
        var settings = OTLPSettings()
        settings.sources.logs = true
        for order in [
            ["traces-openlit-openai-anthropic.pb", "logs-openlit-inference-details.pb"],
            ["logs-openlit-inference-details.pb", "traces-openlit-openai-anthropic.pb"],
        ] {
            let harness = OTLPHarness(settings)
            for name in order { try harness.send(fixture: name) }
            #expect(harness.booked.count == 3)
            #expect(harness.booked.map(\.cost) == [chatCost, chatCost, claudeCost])
        }
    }

    @Test func `two instrumentations and a gateway that saw the same calls count once`() throws {
        let harness = OTLPHarness()
        for name in [
            "traces-genai-openai.pb", "traces-traceloop-openai.pb",
            "traces-openai-v2-legacy-gen_ai.system.pb", "traces-litellm-otel.pb",
        ] {
            try harness.send(fixture: name)
        }
        let ids = harness.booked.map(\.request).filter { !$0.isEmpty }
        #expect(ids == ["chatcmpl-fixture0001", "chatcmpl-fixture0002", "resp_fixture0004"])
    }
}
