internal import Intake
internal import JSON
internal import Usage
internal import Wire

/// What is read of a `StandardLoggingPayload`. Its prompts, answers and price map, nine tenths of
/// it, are stepped over.
struct LiteLLMPayload {
    struct Fault {
        let field: String
        let message: String
    }

    private(set) var fault: Fault?
    private var texts: [String: String] = [:]
    private var counts: [String: UInt32] = [:]
    private var tags: [(key: String, value: String)] = []
    private var requestTags: [String] = []
    private var cost: NanoUSD?
    private var isCacheHit = false
    private var startNanos: Int64 = 0
    private var endNanos: Int64 = 0

    /// `token` stands at the opening brace and moves behind the closing one.
    init(_ document: borrowing JSONDocument, _ token: inout Int) throws(JSONFault) {
        try members(document, &token) { (document, token, key) throws(JSONFault) in
            switch key {
            case "litellm_call_id", "id", "trace_id", "session_id", "call_type", "status",
                "custom_llm_provider", "model", "model_group", "end_user", "error_str":
                texts[key] = string(document, token)
            case "prompt_tokens", "completion_tokens":
                counts[key] = count(document, token, key)
            case "response_cost": readCost(document, token)
            case "cache_hit": isCacheHit = document.boolean(token) ?? false
            case "startTime": startNanos = seconds(document, token)
            case "endTime": endNanos = seconds(document, token)
            case "request_tags":
                try readTags(document, &token)
                return true
            case "metadata":
                try readMetadata(document, &token)
                return true
            case "response":
                try readNested(document, &token, "response.", ["model"])
                return true
            case "model_parameters":
                try readNested(document, &token, "parameters.", ["user"])
                return true
            case "error_information":
                try readNested(
                    document, &token, "error.", ["error_code", "error_class"])
                return true
            default: break
            }
            return false
        }
    }

    /// Without an id it is nothing of LiteLLM's, or could be counted twice.
    var hasID: Bool { texts["litellm_call_id"] != nil || texts["id"] != nil }

    private mutating func readMetadata(
        _ document: borrowing JSONDocument, _ token: inout Int
    ) throws(JSONFault) {
        try members(document, &token) { (document, token, key) throws(JSONFault) in
            switch key {
            case "user_api_key_alias", "user_api_key_team_id", "user_api_key_team_alias",
                "user_api_key_org_id", "user_api_key_org_alias", "user_api_key_user_id",
                "user_api_key_end_user_id", "user_api_key_project_id",
                "user_api_key_project_alias":
                texts[key] = string(document, token)
            case "spend_logs_metadata", "requester_metadata":
                try readFree(document, &token)
                return true
            case "usage_object":
                try readUsage(document, &token)
                return true
            default: break
            }
            return false
        }
    }

    /// A dictionary of the caller's own: our dimensions by their names, the rest as tags.
    private mutating func readFree(
        _ document: borrowing JSONDocument, _ token: inout Int
    ) throws(JSONFault) {
        try members(document, &token) { (document, token, key) throws(JSONFault) in
            guard let value = string(document, token) else { return false }
            switch key {
            case "tenant", "user", "feature", "agent", "task", "conversation":
                texts["own." + key] = value
            default: tags.append((key, value))
            }
            return false
        }
    }

    private mutating func readUsage(
        _ document: borrowing JSONDocument, _ token: inout Int
    ) throws(JSONFault) {
        try members(document, &token) { (document, token, key) throws(JSONFault) in
            switch key {
            case "cache_creation_input_tokens", "cache_read_input_tokens":
                counts[key] = count(document, token, key)
            case "prompt_tokens_details", "completion_tokens_details":
                try members(document, &token) { (document, token, part) throws(JSONFault) in
                    switch part {
                    case "cached_tokens", "cache_creation_tokens", "reasoning_tokens",
                        "audio_tokens":
                        counts["\(key).\(part)"] = count(document, token, part)
                    default: break
                    }
                    return false
                }
                return true
            default: break
            }
            return false
        }
    }

    private mutating func readNested(
        _ document: borrowing JSONDocument, _ token: inout Int, _ prefix: String, _ keys: [String]
    ) throws(JSONFault) {
        try members(document, &token) { (document, token, key) throws(JSONFault) in
            if keys.contains(key) { texts[prefix + key] = string(document, token) }
            return false
        }
    }

    private mutating func readTags(
        _ document: borrowing JSONDocument, _ token: inout Int
    ) throws(JSONFault) {
        let end = try document.skip(token)
        if document.kind(token) == UInt8(ascii: "[") {
            for element in token + 1..<end {
                if let tag = string(document, element), requestTags.count < Limits.tagsPerEvent {
                    requestTags.append(tag)
                }
            }
        }
        token = end
    }

    /// Read from its digits. Zero on success means that LiteLLM knows no price.
    private mutating func readCost(_ document: borrowing JSONDocument, _ token: Int) {
        guard !document.isNull(token) else { return }
        let digits = document.string(token).map { $0.offset..<$0.offset + $0.length }
        let reading = document.withBytes(digits ?? document.literal(token)) { NanoUSD.read($0) }
        guard case .value(let nanos) = reading, nanos >= 0, nanos <= Limits.costMax.nanos else {
            fault = Fault(
                field: "response_cost", message: "must be from 0 to \(Limits.costMax.decimal)")
            return
        }
        cost = NanoUSD(nanos: nanos)
    }

    private mutating func count(
        _ document: borrowing JSONDocument, _ token: Int, _ key: String
    ) -> UInt32? {
        if document.isNull(token) { return nil }
        if let value = document.unsignedInteger(token), let count = UInt32(exactly: value) {
            return count
        }
        if fault == nil {
            fault = Fault(field: key, message: "must be an integer from 0 to \(UInt32.max)")
        }
        return nil
    }

    /// Unix seconds with a fraction, as nanoseconds; 0 when it is none.
    private func seconds(_ document: borrowing JSONDocument, _ token: Int) -> Int64 {
        guard document.isNumber(token),
            case .value(let nanos) = document.withBytes(
                document.literal(token), { FixedPoint.read($0, scale: 9) }), nanos > 0
        else { return 0 }
        return nanos
    }

    /// Nil for an empty string too, which LiteLLM writes for "none".
    private func string(_ document: borrowing JSONDocument, _ token: Int) -> String? {
        guard let text = try? document.text(token), !text.isEmpty else { return nil }
        return text
    }
}

extension LiteLLMPayload {
    func draft(_ feed: inout EventFeed) -> EventDraft {
        var draft = EventDraft()
        func text(_ names: String...) -> TextRef {
            for name in names {
                if let value = texts[name] { return feed.text(Array(value.utf8).span) }
            }
            return .none
        }
        let isFailure = texts["status"] == "failure"
        draft.event.id = text("litellm_call_id", "id")
        // On failure the id is one of LiteLLM's own; no provider has answered.
        if !isFailure, let id = texts["id"], id.utf8.count <= Limits.textBytes {
            draft.event.request = feed.text(Array(id.utf8).span)
        }
        draft.event.timestamp = startNanos
        if endNanos > startNanos, startNanos > 0 {
            draft.event.durationMillis = UInt32(clamping: (endNanos - startNanos) / 1_000_000)
        }
        draft.event.status = isFailure ? failure : .ok
        draft.tenant = text(
            "own.tenant", "user_api_key_team_alias", "user_api_key_team_id",
            "user_api_key_org_alias", "user_api_key_org_id")
        draft.user = text(
            "own.user", "end_user", "user_api_key_end_user_id", "parameters.user",
            "user_api_key_user_id")
        draft.feature = text(
            "own.feature", "user_api_key_project_alias", "user_api_key_project_id",
            "user_api_key_alias")
        draft.agent = text("own.agent")
        draft.event.task = text("own.task")
        draft.event.conversation = text("own.conversation", "session_id", "trace_id")
        draft.operation = feed.text(Array(operation.utf8).span)
        let provider = ProviderName.canonical(texts["custom_llm_provider"] ?? "")
        draft.provider = feed.text(Array(provider.utf8).span)
        draft.model = text("model", "response.model", "model_group")
        setTokens(&draft)
        // LiteLLM prices with its own list and what the operator set there. A zero is a price only
        // of an answer from its cache.
        if let cost, cost.nanos > 0 || isCacheHit { draft.event.amount = cost }
        draft.tags = feed.tags(allTags)
        return draft
    }

    private func setTokens(_ draft: inout EventDraft) {
        guard let input = counts["prompt_tokens"], let output = counts["completion_tokens"] else {
            return
        }
        draft.hasTokens = true
        // An answer from LiteLLM's cache used none of the provider's tokens.
        guard !isCacheHit else { return }
        let cached =
            counts["prompt_tokens_details.cached_tokens"] ?? counts["cache_read_input_tokens"] ?? 0
        let written =
            counts["cache_creation_input_tokens"]
            ?? counts["prompt_tokens_details.cache_creation_tokens"] ?? 0
        // LiteLLM adds the cached tokens in; a version that does not shows by the sum.
        let beside = UInt64(cached) + UInt64(written)
        let whole = beside > UInt64(input) ? UInt32(clamping: UInt64(input) + beside) : input
        draft.event.tokens.input = whole
        draft.event.tokens.cachedInput = min(cached, whole)
        draft.event.tokens.cacheWrite = min(written, whole - draft.event.tokens.cachedInput)
        draft.event.tokens.output = output
        draft.event.tokens.reasoning = min(
            counts["completion_tokens_details.reasoning_tokens"] ?? 0, output)
        draft.event.tokens.audioInput = min(
            counts["prompt_tokens_details.audio_tokens"] ?? 0, whole)
        draft.event.tokens.audioOutput = min(
            counts["completion_tokens_details.audio_tokens"] ?? 0,
            output - draft.event.tokens.reasoning)
    }

    private var operation: String {
        switch texts["call_type"] {
        case "completion", "acompletion", "responses", "aresponses", "anthropic_messages",
            "text_completion", "atext_completion", nil:
            "chat"
        case "embedding", "aembedding": "embeddings"
        case "rerank", "arerank": "rerank"
        case "image_generation", "aimage_generation": "image"
        case "transcription", "atranscription", "speech", "aspeech": "audio"
        case let other?: other
        }
    }

    private var failure: Status {
        let name = (texts["error.error_class"] ?? texts["error_str"] ?? "").lowercased()
        switch texts["error.error_code"] {
        case "429"?: return .rateLimited
        case "408"?, "504"?: return .timeout
        case "499"?: return .cancelled
        default: break
        }
        if name.contains("ratelimit") { return .rateLimited }
        if name.contains("timeout") { return .timeout }
        return name.contains("cancel") ? .cancelled : .error
    }

    /// The caller's metadata, the key, the alias by which the proxy was asked, and the request's
    /// tags: `name:value` becomes a tag of that name, bare ones are listed.
    private var allTags: [(key: String, value: String)] {
        var all = tags
        if let key = texts["user_api_key_alias"] { all.append(("key", key)) }
        if let group = texts["model_group"] { all.append(("model_group", group)) }
        var bare: [String] = []
        for tag in requestTags {
            if let colon = tag.firstIndex(of: ":"), colon != tag.startIndex, !tag.contains(" ") {
                all.append((String(tag[..<colon]), String(tag[tag.index(after: colon)...])))
            } else {
                bare.append(tag)
            }
        }
        if !bare.isEmpty { all.append(("tags", bare.joined(separator: ","))) }
        return all
    }
}

/// As `JSONDocument.members`; what is no object is skipped.
private func members(
    _ document: borrowing JSONDocument, _ token: inout Int,
    _ body: (borrowing JSONDocument, inout Int, String) throws(JSONFault) -> Bool
) throws(JSONFault) {
    guard document.kind(token) == UInt8(ascii: "{") else {
        token = try document.skip(token)
        return
    }
    try document.members(&token) { (document, token, key) throws(JSONFault) in
        let name = document.withBytes(key.offset..<key.offset + key.length) { bytes in
            String(copying: bytes)
        }
        return try body(document, &token, name)
    }
}
