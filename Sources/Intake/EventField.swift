internal import JSON

/// The fields of an event, found by their bytes without building a string.
enum EventField: UInt8, CaseIterable {
    case id, timestamp, tenant, user, feature, agent, conversation, task, request, operation
    case provider, model, resource, reservation, status, stage, tags
    case inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens
    case audioInputTokens, audioOutputTokens, textInputChars, textOutputChars
    case costUSD, durationMillis, usageComplete, seconds, vcpu, gib
    case serviceTier, cacheWriteHourTokens, webSearches, region

    var name: String {
        switch self {
        case .inputTokens: "input_tokens"
        case .cachedInputTokens: "cached_input_tokens"
        case .cacheWriteTokens: "cache_write_tokens"
        case .outputTokens: "output_tokens"
        case .reasoningTokens: "reasoning_tokens"
        case .audioInputTokens: "audio_input_tokens"
        case .audioOutputTokens: "audio_output_tokens"
        case .textInputChars: "text_input_chars"
        case .textOutputChars: "text_output_chars"
        case .costUSD: "cost_usd"
        case .durationMillis: "duration_ms"
        case .usageComplete: "usage_complete"
        case .serviceTier: "service_tier"
        case .cacheWriteHourTokens: "cache_write_1h_tokens"
        case .webSearches: "web_searches"
        default: "\(self)"
        }
    }
}

/// Finds a field by its key.
struct EventFieldTable {
    private let table = KeyTable(EventField.allCases.map(\.name))

    @inline(__always)
    func field(_ words: KeyWords) -> EventField? {
        table.index(of: words).flatMap { EventField(rawValue: $0) }
    }
}
