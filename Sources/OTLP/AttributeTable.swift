internal import Wire

/// What an attribute may tell about a call. Several attributes tell the same thing, each producer
/// has its own: `AttributeNames` lists them.
enum Fact: UInt8, CaseIterable {
    case input, output, cacheRead, cacheWrite, reasoning, audioInput, audioOutput, total
    case uncachedInput
    case cost, costCurrency, cacheHit
    case provider, requestModel, responseModel, responseID, operation, errorType, httpStatus
    case conversation, usageJSON, costJSON
    /// What kind of span it is, in the words of its producer.
    case openInferenceKind, traceloopKind, langSmithKind, langfuseKind
    case tenant, user, feature, agent, task
    /// Of points of metrics, and of log records.
    case tokenType, eventName, durationMillis, serviceName, queryType
}

/// Attribute keys as 64-bit hashes, so that a key costs one hash and, mostly, one probe. The hash
/// is seeded: nobody can prepare a key that collides with one of ours, and by chance it happens
/// once in 10^17 keys.
struct AttributeTable: Sendable {
    struct Target: BitwiseCopyable, Sendable {
        let fact: Fact
        /// Of two attributes for one fact that with the lower rank counts.
        let rank: UInt8
    }

    private struct Slot: BitwiseCopyable, Sendable {
        var key: UInt64 = 0
        var first: UInt16 = 0
        var count: UInt16 = 0
    }

    private let hash: SeededHash
    private var slots: [Slot]
    private var targets: [Target] = []

    init(_ settings: OTLPSettings.Attributes, hash: SeededHash) {
        self.hash = hash
        var byKey: [(key: String, targets: [Target])] = []
        var index: [String: Int] = [:]
        func add(_ names: [String], _ fact: Fact) {
            for (rank, name) in names.enumerated() {
                let target = Target(fact: fact, rank: UInt8(min(rank, 254)))
                if let known = index[name] {
                    byKey[known].targets.append(target)
                } else {
                    index[name] = byKey.count
                    byKey.append((name, [target]))
                }
            }
        }
        for (fact, names) in AttributeNames.all { add(names, fact) }
        add(settings.tenant, .tenant)
        add(settings.user, .user)
        add(settings.feature, .feature)
        add(settings.agent, .agent)
        add(settings.task, .task)
        var capacity = 256
        while capacity < byKey.count * 3 { capacity *= 2 }
        slots = Array(repeating: Slot(), count: capacity)
        for (key, found) in byKey {
            let code = hash.narrow(Array(key.utf8).span) | 1
            var slot = Int(truncatingIfNeeded: code >> 1) & (capacity - 1)
            while slots[slot].key != 0 { slot = (slot + 1) & (capacity - 1) }
            slots[slot] = Slot(
                key: code, first: UInt16(targets.count), count: UInt16(found.count))
            targets += found
        }
    }

    /// The range of `target` that the key has; mostly empty.
    func find(_ key: Span<UInt8>) -> Range<Int> {
        // The lowest bit is given up, so that no hash is 0, the mark of a free slot.
        let code = hash.narrow(key) | 1
        var slot = Int(truncatingIfNeeded: code >> 1) & (slots.count &- 1)
        while slots[slot].key != 0 {
            if slots[slot].key == code {
                let first = Int(slots[slot].first)
                return first..<first + Int(slots[slot].count)
            }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return 0..<0
    }

    func target(_ index: Int) -> Target { targets[index] }
}

/// The spellings that are in use, best first. Sources: the OpenTelemetry GenAI conventions from
/// 1.27 on, and what the instrumentations named beside each line really send.
enum AttributeNames {
    static let all: [(Fact, [String])] = [
        (
            .input,
            [
                "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",  // 1.27 and older
                "llm.token_count.prompt",  // OpenInference
                "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens",  // Vercel
                "llm.usage.prompt_tokens", "input_tokens",  // Traceloop; Claude Code's logs
            ]
        ),
        (
            .output,
            [
                "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
                "llm.token_count.completion", "ai.usage.outputTokens", "ai.usage.completionTokens",
                "llm.usage.completion_tokens", "output_tokens",
            ]
        ),
        (
            .cacheRead,
            [
                "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
                "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.cache_read_tokens",
                "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens",
                "ai.usage.inputTokenDetails.cacheReadTokens", "gen_ai.usage.input_tokens.cached",
                "llm.usage.cache_read_input_tokens", "cache_read_tokens",
            ]
        ),
        (
            .cacheWrite,
            [
                "gen_ai.usage.cache_write.input_tokens",
                "gen_ai.usage.cache_creation.input_tokens",
                "gen_ai.usage.cache_creation_input_tokens",
                "gen_ai.usage.details.cache_write_tokens",
                "llm.token_count.prompt_details.cache_write",
                "ai.usage.inputTokenDetails.cacheWriteTokens",
                "gen_ai.usage.input_tokens.cache_write", "llm.usage.cache_creation_input_tokens",
                "cache_creation_tokens",
            ]
        ),
        (
            .reasoning,
            [
                "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
                "llm.usage.reasoning_tokens", "llm.token_count.completion_details.reasoning",
                "ai.usage.reasoningTokens", "ai.usage.outputTokenDetails.reasoningTokens",
                "gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.output_tokens.reasoning",
            ]
        ),
        (
            .audioInput,
            [
                "gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio",
                "gen_ai.usage.details.input_audio_tokens",
            ]
        ),
        (
            .audioOutput,
            [
                "gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio",
                "gen_ai.usage.details.output_audio_tokens",
            ]
        ),
        (
            .total,
            [
                "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total",
                "ai.usage.totalTokens",
            ]
        ),
        (.uncachedInput, ["ai.usage.inputTokenDetails.noCacheTokens"]),
        (
            .cost,
            [
                "gen_ai.usage.cost.amount", "gen_ai.usage.cost", "gen_ai.cost.total_cost",
                "operation.cost", "llm.cost.total", "cost_usd", "gen_ai.cost.total_tokens",
                "gen_ai.usage.total_cost",
            ]
        ),
        (.costCurrency, ["gen_ai.usage.cost.currency"]),
        (.cacheHit, ["cache_hit", "litellm.cache_hit"]),
        (
            .provider,
            [
                "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system",
                "ai.model.provider", "langfuse.observation.provider",
            ]
        ),
        (
            .requestModel,
            [
                "gen_ai.request.model", "llm.request.model", "ai.model.id", "model",
                "litellm.provider.model",
            ]
        ),
        (
            .responseModel,
            [
                "gen_ai.response.model", "llm.response.model", "llm.model_name",
                "embedding.model_name", "langfuse.observation.model.name", "ai.response.model",
            ]
        ),
        (.responseID, ["gen_ai.response.id", "llm.response.id", "ai.response.id", "request_id"]),
        (.operation, ["gen_ai.operation.name", "llm.request.type"]),
        (.errorType, ["error.type", "exception.type"]),
        (.httpStatus, ["http.response.status_code", "status_code"]),
        (
            .conversation,
            [
                "gen_ai.conversation.id", "session.id", "langfuse.session.id", "conversation.id",
                "langsmith.trace.session_id", "traceloop.association.properties.session_id",
                "ai.telemetry.metadata.sessionId",
            ]
        ),
        (.usageJSON, ["langfuse.observation.usage_details"]),
        (.costJSON, ["langfuse.observation.cost_details"]),
        (.openInferenceKind, ["openinference.span.kind"]),
        (.traceloopKind, ["traceloop.span.kind"]),
        (.langSmithKind, ["langsmith.span.kind"]),
        (.langfuseKind, ["langfuse.observation.type"]),
        (.tokenType, ["gen_ai.token.type", "type"]),
        (.eventName, ["event.name"]),
        (.durationMillis, ["duration_ms"]),
        (.serviceName, ["service.name"]),
        (.queryType, ["query_source"]),
    ]
}
