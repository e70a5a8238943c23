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

/// A perfect hash: the first eight bytes, the last eight and the length of a key, mixed and
/// multiplied by a number found at start so that all fields fall into slots of their own. One
/// probe, three compares.
struct EventFieldTable {
    private struct Slot {
        var words = KeyWords(first: 0, middle: 0, last: 0, length: 0)
        var field: EventField?
    }

    private var slots: [Slot]
    private let multiplier: UInt64

    init() {
        let keys = EventField.allCases.map { ($0, KeyWords(Array($0.name.utf8))) }
        // An odd multiplier from a fixed sequence; about a hundred are tried.
        var candidate: UInt64 = 0x9e37_79b9_7f4a_7c15
        while Set(keys.map { Self.slot($0.1, candidate) }).count < keys.count {
            candidate = candidate &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_406
        }
        multiplier = candidate
        slots = Array(repeating: Slot(), count: 256)
        for (field, words) in keys {
            slots[Self.slot(words, candidate)] = Slot(words: words, field: field)
        }
    }

    @inline(__always)
    func field(_ words: KeyWords) -> EventField? {
        let slot = slots[Self.slot(words, multiplier)]
        return slot.words == words ? slot.field : nil
    }

    @inline(__always)
    private static func slot(_ words: KeyWords, _ multiplier: UInt64) -> Int {
        let mixed = (words.first ^ (words.last &<< 1) ^ words.length) &* multiplier
        return Int(truncatingIfNeeded: mixed &>> 56)
    }
}
