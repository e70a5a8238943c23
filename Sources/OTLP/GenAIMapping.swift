internal import JSON
internal import Usage
internal import Wire

/// Makes a call of what a span's attributes tell: tokens in our terms, status, cost.
///
/// Our terms are those of the OpenTelemetry conventions: input includes what was read from and
/// written to the cache, output includes reasoning. Producers that count otherwise are corrected
/// here, and nothing is ever negative.
struct GenAIMapping {
    let trustsReportedCost: Bool

    enum Verdict {
        case counts
        case ignored(IgnoreReason)
    }

    /// Fills in tokens and cost.
    func read(
        _ call: inout Call, scope: Span<UInt8>, name: Span<UInt8>, _ bytes: Span<UInt8>
    ) throws(FactFault) -> Verdict {
        if call.facts.isEmpty { return .ignored(.noUsage) }
        // Claude Code sends the same usage as metrics and, more exactly, as logs.
        if scope.equals("com.anthropic.claude_code.tracing") { return .ignored(.otherSource) }
        try readTokens(&call, scope: scope, bytes)
        let isFailure = call.status != .ok && isInference(call.facts, bytes)
        guard call.hasTokens || isFailure else { return .ignored(.noUsage) }
        if isAggregate(call.facts, scope: scope, name: name, bytes) { return .ignored(.aggregate) }
        try readCost(&call, bytes)
        return .counts
    }

    /// Agents, workflows and chains repeat the sum of their calls.
    private func isAggregate(
        _ facts: Facts, scope: Span<UInt8>, name: Span<UInt8>, _ bytes: Span<UInt8>
    ) -> Bool {
        if let operation = facts.text(.operation, bytes), Self.aggregates.contains(operation) {
            return true
        }
        if facts.has(.openInferenceKind) {
            let kind = facts.text(.openInferenceKind, bytes)?.uppercased() ?? ""
            if !["LLM", "EMBEDDING", "RERANKER"].contains(kind) { return true }
        }
        if facts.has(.traceloopKind) { return true }
        if let kind = facts.text(.langSmithKind, bytes)?.lowercased(),
            !["llm", "embedding", "chat_model"].contains(kind)
        {
            return true
        }
        if let kind = facts.text(.langfuseKind, bytes)?.lowercased(),
            !["generation", "embedding"].contains(kind)
        {
            return true
        }
        // The outer span of the Vercel AI SDK repeats the inner one, whose name ends so.
        if name.hasPrefix("ai.") {
            return
                !(name.hasSuffix(".doGenerate") || name.hasSuffix(".doStream")
                || name.hasSuffix(".doEmbed"))
        }
        return false
    }

    private static let aggregates: Set<String> = [
        "invoke_agent", "agent_step", "invoke_workflow", "create_agent", "execute_tool", "plan",
        "execute_workflow", "agent", "workflow", "task", "tool",
    ]

    /// A call to a model, whether or not it came to tokens.
    private func isInference(_ facts: Facts, _ bytes: Span<UInt8>) -> Bool {
        guard facts.has(.requestModel) || facts.has(.responseModel) else { return false }
        if let operation = facts.text(.operation, bytes) {
            return [
                "chat", "text_completion", "generate_content", "embeddings", "completion",
                "acompletion", "aembedding", "embedding",
            ].contains(operation)
        }
        return facts.equals(.openInferenceKind, "LLM", bytes)
            || facts.equals(.langfuseKind, "generation", bytes)
    }

    private func readTokens(
        _ call: inout Call, scope: Span<UInt8>, _ bytes: Span<UInt8>
    ) throws(FactFault) {
        let facts = call.facts
        var input = try facts.count(.input, bytes)
        var output = try facts.count(.output, bytes)
        var cacheRead = try facts.count(.cacheRead, bytes) ?? 0
        let cacheWrite = try facts.count(.cacheWrite, bytes) ?? 0
        var reasoning = try facts.count(.reasoning, bytes) ?? 0
        if input == nil, output == nil, facts.has(.usageJSON) {
            let usage = UsageText(facts.text(.usageJSON, bytes) ?? "")
            (input, output) = (usage.input, usage.output)
            (cacheRead, reasoning) = (usage.cacheRead, usage.reasoning)
        }
        guard input != nil || output != nil else { return }
        call.hasTokens = true
        let total = try facts.count(.total, bytes)
        let uncached = try facts.count(.uncachedInput, bytes)
        call.tokens.output = output ?? 0
        call.tokens.input = Self.inclusiveInput(
            input ?? 0, cached: UInt64(cacheRead) + UInt64(cacheWrite), output: output ?? 0,
            total: total, uncached: uncached,
            isExclusive: scope.hasPrefix("openlit.") && isAnthropic(facts, bytes)
                || scope.hasPrefix("com.anthropic.claude_code"))
        call.tokens.cachedInput = min(cacheRead, call.tokens.input)
        call.tokens.cacheWrite = min(cacheWrite, call.tokens.input - call.tokens.cachedInput)
        call.tokens.reasoning = min(reasoning, call.tokens.output)
        let audioOutput = try facts.count(.audioOutput, bytes) ?? 0
        call.tokens.audioOutput = min(audioOutput, call.tokens.output - call.tokens.reasoning)
        call.tokens.audioInput = min(
            try facts.count(.audioInput, bytes) ?? 0, call.tokens.input)
    }

    /// The whole input. Whether `input` has the cached tokens in it is told by the sums where
    /// possible: parts that exceed the whole, a total, or the uncached rest beside it.
    private static func inclusiveInput(
        _ input: UInt32, cached: UInt64, output: UInt32, total: UInt32?, uncached: UInt32?,
        isExclusive: Bool
    ) -> UInt32 {
        let sum = UInt32(clamping: UInt64(input) + cached)
        if cached == 0 { return input }
        if cached > UInt64(input) { return sum }
        if let uncached, uncached == input { return sum }
        if let total {
            if UInt64(total) == UInt64(sum) + UInt64(output) { return sum }
            if UInt64(total) == UInt64(input) + UInt64(output) { return input }
        }
        return isExclusive ? sum : input
    }

    private func isAnthropic(_ facts: Facts, _ bytes: Span<UInt8>) -> Bool {
        facts.equals(.provider, "anthropic", bytes)
            || facts.text(.responseModel, bytes)?.hasPrefix("claude") ?? false
    }

    /// An amount of 0 beside tokens means as often "unknown" as "free", so the price list decides,
    /// except where the answer came from a cache.
    private func readCost(_ call: inout Call, _ bytes: Span<UInt8>) throws(FactFault) {
        let isCacheHit =
            call.facts.equals(.cacheHit, "true", bytes)
            || call.facts.equals(.cacheHit, "True", bytes)
            || (call.facts[.cacheHit].kind == .boolean && call.facts[.cacheHit].bits != 0)
        if isCacheHit {
            call.amount = .zero
            return
        }
        guard trustsReportedCost else { return }
        if let currency = call.facts.text(.costCurrency, bytes), currency.uppercased() != "USD" {
            return
        }
        var amount = try call.facts.amount(.cost, bytes)
        if amount == nil, let text = call.facts.text(.costJSON, bytes) {
            let total = (try? JSONValue.read(Array(text.utf8)))?["total"]?.literal
            amount = try total.map { text throws(FactFault) in try Facts.amount(text) }
        }
        if let amount, amount.nanos > 0 { call.amount = amount }
    }
}

/// Usage as a JSON text: Langfuse's `usage_details`, which is what the provider answered.
struct UsageText {
    var input: UInt32?
    var output: UInt32?
    var cacheRead: UInt32 = 0
    var reasoning: UInt32 = 0

    init(_ text: String) {
        guard let json = try? JSONValue.read(Array(text.utf8)) else { return }
        func count(_ value: JSONValue?) -> UInt32? {
            value?.integer.map { UInt32(clamping: $0) }
        }
        input = count(json["prompt_tokens"]) ?? count(json["input_tokens"]) ?? count(json["input"])
        output =
            count(json["completion_tokens"]) ?? count(json["output_tokens"])
            ?? count(json["output"])
        cacheRead =
            count(json["prompt_tokens_details"]?["cached_tokens"])
            ?? count(json["input_tokens_details"]?["cached_tokens"])
            ?? count(json["input_cached_tokens"]) ?? 0
        reasoning =
            count(json["completion_tokens_details"]?["reasoning_tokens"])
            ?? count(json["output_tokens_details"]?["reasoning_tokens"])
            ?? count(json["output_reasoning_tokens"]) ?? 0
    }
}
