/// A closed set of words that events use, stored as one byte.
public protocol Vocabulary: CaseIterable, RawRepresentable, Sendable where RawValue == UInt8 {
    var word: String { get }
}

extension Vocabulary {
    public init?(word: String) {
        guard let match = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = match
    }

    public static var words: [String] { allCases.map(\.word) }
}

/// How the call ended.
public enum Status: UInt8, Vocabulary {
    case ok, error, timeout, cancelled, rateLimited

    public var word: String {
        self == .rateLimited ? "rate_limited" : "\(self)"
    }
}

/// Where in its life a call was when it ended; tells what failed calls cost by stage.
public enum Stage: UInt8, Vocabulary {
    case unknown, initialization, quotaValidation, resourceAllocation, connection, execution
    case resultRetrieval, cleanup, monitoring

    public var word: String {
        switch self {
        case .quotaValidation: "quota_validation"
        case .resourceAllocation: "resource_allocation"
        case .resultRetrieval: "result_retrieval"
        default: "\(self)"
        }
    }
}

/// Where the amount of an event comes from.
public enum CostSource: UInt8, Vocabulary {
    /// No price is known: the tokens count, the cost is missing and never 0.
    case unpriced
    /// The sender said so.
    case reported
    /// Tokens times catalogue rates.
    case computed
    /// Computed from characters instead of tokens.
    case estimated

    public var word: String { "\(self)" }
}

/// Token counts that do not overlap, as metrics count them.
public enum TokenKind: UInt8, Vocabulary {
    case input, cachedInput, cacheWrite, output, reasoning, audioInput, audioOutput

    public var word: String {
        switch self {
        case .cachedInput: "cached_input"
        case .cacheWrite: "cache_write"
        case .audioInput: "audio_input"
        case .audioOutput: "audio_output"
        default: "\(self)"
        }
    }
}
