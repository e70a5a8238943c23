public import Usage

/// What a rate is for. The token kinds come first and are disjoint: no token is of two kinds.
public enum RateKind: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    // Tokens of the prompt.
    case input, cachedInput, cachedAudio, cachedImage
    case cacheWrite, cacheWriteHour, cacheWriteHalfDay
    case audioInput, imageInput, videoInput, citation
    // Tokens of the answer.
    case output, reasoning, audioOutput, imageOutput, videoOutput
    // Other units.
    case inputCharacter, outputCharacter, image, runningSecond, inputSecond, outputSecond,
        audioSecond
    case videoSecond, outputImage, query, webSearch, page, session, vcpuSecond, gibSecond

    public static let tokenCount = 16
    public var isToken: Bool { Int(rawValue) < Self.tokenCount }

    /// Billed as part of the answer.
    public var isCompletion: Bool {
        switch self {
        case .output, .reasoning, .audioOutput, .imageOutput, .videoOutput, .outputCharacter,
            .outputSecond:
            true
        default: false
        }
    }

    /// As people write it: `cache_write_1h`.
    public var word: String {
        switch self {
        case .input: "input"
        case .cachedInput: "cached_input"
        case .cachedAudio: "cached_audio"
        case .cachedImage: "cached_image"
        case .cacheWrite: "cache_write"
        case .cacheWriteHour: "cache_write_1h"
        case .cacheWriteHalfDay: "cache_write_12h"
        case .audioInput: "audio_input"
        case .imageInput: "image_input"
        case .videoInput: "video_input"
        case .citation: "citation"
        case .output: "output"
        case .reasoning: "reasoning"
        case .audioOutput: "audio_output"
        case .imageOutput: "image_output"
        case .videoOutput: "video_output"
        case .inputCharacter: "input_character"
        case .outputCharacter: "output_character"
        case .image: "image"
        case .runningSecond: "running_second"
        case .inputSecond: "input_second"
        case .outputSecond: "output_second"
        case .audioSecond: "audio_second"
        case .videoSecond: "video_second"
        case .outputImage: "output_image"
        case .query: "query"
        case .webSearch: "web_search"
        case .page: "page"
        case .session: "session"
        case .vcpuSecond: "vcpu_second"
        case .gibSecond: "gib_second"
        }
    }
}

extension ServiceTier {
    /// How the keys of a price file end.
    var suffix: String {
        switch self {
        case .standard: ""
        case .batch: "_batches"
        default: "_\(self)"
        }
    }
}

/// One price field of a model: its kind, the tier of service, and the prompt length above which it
/// holds (0: always).
public struct RateKey: Hashable, Sendable, BitwiseCopyable {
    public var kind: RateKind
    public var tier: ServiceTier
    public var threshold: UInt32

    public init(_ kind: RateKind, tier: ServiceTier = .standard, above threshold: UInt32 = 0) {
        self.kind = kind
        self.tier = tier
        self.threshold = threshold
    }

    /// The key as LiteLLM's price file spells it, or nil when it is none that is priced by:
    /// `input_cost_per_token_above_200k_tokens_priority`.
    public init?(priceFileKey text: String) {
        var rest = text[...]
        var tier = ServiceTier.standard
        for candidate in ServiceTier.allCases where candidate != .standard {
            if rest.hasSuffix(candidate.suffix) {
                tier = candidate
                rest = rest.dropLast(candidate.suffix.utf8.count)
                break
            }
        }
        var threshold: UInt32 = 0
        if rest.hasSuffix("_tokens"), let mark = Self.lastMark(in: rest) {
            var number = rest[mark.upperBound...].dropLast("_tokens".utf8.count)
            let isThousands = number.last == "k"
            if isThousands { number = number.dropLast() }
            guard let value = UInt32(number), value <= UInt32.max / 1000 else { return nil }
            threshold = isThousands ? value * 1000 : value
            rest = rest[..<mark.lowerBound]
        }
        guard let kind = Self.kinds[String(rest)] else { return nil }
        self.init(kind, tier: tier, above: threshold)
    }

    private static let mark = Array("_above_".utf8)

    private static func lastMark(in text: Substring) -> Range<Substring.Index>? {
        let bytes = text.utf8
        var end = bytes.endIndex
        while let start = bytes.index(end, offsetBy: -mark.count, limitedBy: bytes.startIndex) {
            if bytes[start..<end].elementsEqual(mark) { return start..<end }
            end = bytes.index(before: end)
        }
        return nil
    }

    public var priceFileKey: String {
        let base = Self.kinds.first { $0.value == kind }?.key ?? kind.word
        return base + (threshold == 0 ? "" : "_above_\(Self.short(threshold))_tokens")
            + tier.suffix
    }

    private static func short(_ threshold: UInt32) -> String {
        threshold % 1000 == 0 ? "\(threshold / 1000)k" : "\(threshold)"
    }

    private static let kinds: [String: RateKind] = [
        "input_cost_per_token": .input,
        "cache_read_input_token_cost": .cachedInput,
        "cache_read_input_audio_token_cost": .cachedAudio,
        "cache_read_input_image_token_cost": .cachedImage,
        "cache_creation_input_token_cost": .cacheWrite,
        "cache_creation_input_token_cost_above_1hr": .cacheWriteHour,
        "cache_creation_input_token_cost_above_12hr": .cacheWriteHalfDay,
        "input_cost_per_audio_token": .audioInput,
        "input_cost_per_image_token": .imageInput,
        "input_cost_per_video_token": .videoInput,
        "citation_cost_per_token": .citation,
        "output_cost_per_token": .output,
        "output_cost_per_reasoning_token": .reasoning,
        "output_cost_per_audio_token": .audioOutput,
        "output_cost_per_image_token": .imageOutput,
        "output_cost_per_video_token": .videoOutput,
        "input_cost_per_character": .inputCharacter,
        "output_cost_per_character": .outputCharacter,
        "input_cost_per_image": .image,
        "output_cost_per_image": .outputImage,
        "cost_per_second": .runningSecond,
        "input_cost_per_second": .inputSecond,
        "output_cost_per_second": .outputSecond,
        "input_cost_per_audio_per_second": .audioSecond,
        "input_cost_per_video_per_second": .videoSecond,
        "input_cost_per_query": .query,
        "ocr_cost_per_page": .page,
        "code_interpreter_cost_per_session": .session,
        "vcpu_cost_per_second": .vcpuSecond,
        "gib_ram_cost_per_second": .gibSecond,
    ]
}
