/// What a response says about its tokens: totals, and parts that are included in them.
public struct ReportedUsage: Equatable, Sendable {
    /// Includes cached and cache-written tokens.
    public var prompt: UInt64 = 0
    public var cached: UInt64 = 0
    public var cachedParts = CachedTokens()
    public var cacheWrite: UInt64 = 0
    /// Of `cacheWrite`; the rest lives five minutes.
    public var cacheWriteHour: UInt64 = 0
    public var cacheWriteHalfDay: UInt64 = 0
    /// With their cached part.
    public var audioInput: UInt64 = 0
    public var imageInput: UInt64 = 0
    public var videoInput: UInt64 = 0
    /// Nil when the response does not itemise text.
    public var textInput: UInt64?
    /// Not in `prompt`.
    public var citation: UInt64 = 0

    /// Includes reasoning.
    public var completion: UInt64 = 0
    public var reasoning: UInt64 = 0
    public var audioOutput: UInt64 = 0
    public var imageOutput: UInt64 = 0
    public var videoOutput: UInt64 = 0

    public var units = Units()

    public init() {}
}

/// What of the cached tokens is known to be which.
public struct CachedTokens: Equatable, Sendable {
    public var text: UInt64 = 0
    public var audio: UInt64 = 0
    public var image: UInt64 = 0
}

/// What is billed by other units than tokens.
public struct Units: Equatable, Sendable, BitwiseCopyable {
    public var inputCharacters: UInt64 = 0
    public var outputCharacters: UInt64 = 0
    public var images: UInt64 = 0
    /// Nanoseconds of sound in the input, and of a request's running time.
    public var audioNanos: UInt64 = 0
    public var videoNanos: UInt64 = 0
    public var runningNanos: UInt64 = 0
    public var queries: UInt64 = 0
    public var webSearches: UInt64 = 0
    public var pages: UInt64 = 0
    public var sessions: UInt64 = 0

    public init() {}

    /// A unit of which there is some, apart from those that only accompany tokens.
    var firstReported: RateKind? {
        if queries > 0 { return .query }
        if audioNanos > 0 { return .inputSecond }
        if inputCharacters > 0 { return .inputCharacter }
        if outputCharacters > 0 { return .outputCharacter }
        if pages > 0 { return .page }
        if sessions > 0 { return .session }
        if images > 0 { return .image }
        return videoNanos > 0 ? .videoSecond : nil
    }
}

/// What was wrong with the counts of a response; the bill says so.
public enum UsageFlag: String, Sendable, CaseIterable {
    /// Parts of the prompt exceed it: they were cut, nothing is billed twice.
    case promptPartsClamped = "prompt_parts_clamped"
    case completionPartsClamped = "completion_parts_clamped"
    /// Itemised tokens are fewer than the total: the rest is billed as text.
    case unitemisedAsText = "unitemised_billed_as_text"
}

/// Token counts by kind, without overlap: the kinds of the prompt add up to it, those of the answer
/// to the answer.
///
///     prompt = cached (text, audio, image) + written (5 min, 1 h, 12 h)
///              + audio + image + video + text
///     answer = reasoning + audio + image + video + text
///
/// Parts that do not fit are cut in this order, so that text takes what is left and nothing is
/// counted twice.
public struct Buckets: Equatable, Sendable {
    /// By `RateKind.rawValue`.
    private var counts = [UInt64](repeating: 0, count: RateKind.tokenCount)
    public private(set) var flags: [UsageFlag] = []
    /// The whole prompt, cached tokens included: what thresholds look at.
    public let prompt: UInt64

    public subscript(kind: RateKind) -> UInt64 { counts[Int(kind.rawValue)] }

    public init(_ usage: ReportedUsage) {
        prompt = usage.prompt
        fillPrompt(usage)
        fillCompletion(usage)
    }

    private mutating func fillPrompt(_ usage: ReportedUsage) {
        var room = Room(left: usage.prompt)
        let cached = room.take(usage.cached)
        let cachedAudio = min(usage.cachedParts.audio, cached)
        let cachedText = min(usage.cachedParts.text, cached - cachedAudio)
        let cachedImage = min(usage.cachedParts.image, cached - cachedAudio - cachedText)
        set(.cachedAudio, cachedAudio)
        set(.cachedImage, cachedImage)
        set(.cachedInput, cached - cachedAudio - cachedImage)

        // Lifetimes may be reported without a sum, or with one that leaves some out.
        let lived = usage.cacheWriteHour + usage.cacheWriteHalfDay
        let written = room.take(max(usage.cacheWrite, lived))
        let halfDay = min(usage.cacheWriteHalfDay, written)
        let hour = min(usage.cacheWriteHour, written - halfDay)
        set(.cacheWriteHalfDay, halfDay)
        set(.cacheWriteHour, hour)
        set(.cacheWrite, written - halfDay - hour)

        // Modalities and cache are both parts of the prompt and may overlap unsaid; then the cache
        // has covered the difference, and nothing is wrong with the counts.
        let mayOverlap = cached > 0 || written > 0
        let wasCut = room.isCut
        set(.audioInput, room.take(usage.audioInput - min(usage.audioInput, cachedAudio)))
        set(.imageInput, room.take(usage.imageInput - min(usage.imageInput, cachedImage)))
        set(.videoInput, room.take(usage.videoInput))
        if mayOverlap { room.isCut = wasCut }

        if let text = usage.textInput, text > 0, !room.isCut {
            let fresh = text - min(text, cachedText)
            if fresh > room.left, !mayOverlap { room.isCut = true }
            if fresh < room.left { flags.append(.unitemisedAsText) }
        }
        // Models that bill images by their number bill no text beside them, unless it is itemised.
        let hasOnlyImages = usage.units.images > 0 && (usage.textInput ?? 0) == 0
        set(.input, hasOnlyImages ? 0 : room.left)
        set(.citation, usage.citation)
        if room.isCut { flags.append(.promptPartsClamped) }
    }

    private mutating func fillCompletion(_ usage: ReportedUsage) {
        var room = Room(left: usage.completion)
        set(.reasoning, room.take(usage.reasoning))
        set(.audioOutput, room.take(usage.audioOutput))
        set(.imageOutput, room.take(usage.imageOutput))
        set(.videoOutput, room.take(usage.videoOutput))
        set(.output, room.left)
        if room.isCut { flags.append(.completionPartsClamped) }
    }

    private mutating func set(_ kind: RateKind, _ count: UInt64) {
        counts[Int(kind.rawValue)] = count
    }
}

/// What is left of a total while its parts are taken off.
private struct Room {
    var left: UInt64
    /// A part was larger than what was left.
    var isCut = false

    mutating func take(_ count: UInt64) -> UInt64 {
        let taken = min(count, left)
        if taken < count { isCut = true }
        left -= taken
        return taken
    }
}
