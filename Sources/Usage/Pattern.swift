/// What a dimension's value must look like: a text, a glob with `*` and `?`, a list of these, or,
/// with a leading `!`, anything else. `*` matches every value but not a missing one; `!x` matches a
/// missing one.
public struct Pattern: Equatable, Sendable, CustomStringConvertible {
    private enum Alternative: Equatable {
        case exact([UInt8])
        case glob([UInt8])

        func matches(_ text: [UInt8]) -> Bool {
            switch self {
            case .exact(let wanted): wanted == text
            case .glob(let pattern): Pattern.globMatches(pattern[...], text[...])
            }
        }
    }

    private let alternatives: [Alternative]
    private let excluded: [Alternative]
    /// As it was written.
    public let texts: [String]

    public var description: String { texts.joined(separator: "|") }

    public init(_ texts: [String]) {
        func alternative(_ text: Substring) -> Alternative {
            let bytes = Array(text.utf8)
            return bytes.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
                ? .glob(bytes) : .exact(bytes)
        }
        alternatives = texts.filter { !$0.hasPrefix("!") }.map { alternative($0[...]) }
        excluded = texts.filter { $0.hasPrefix("!") }.map { alternative($0.dropFirst()) }
        self.texts = texts
    }

    public func matches(_ value: String) -> Bool {
        let text = Array(value.utf8)
        if excluded.contains(where: { $0.matches(text) }) { return false }
        if alternatives.isEmpty { return true }
        return !text.isEmpty && alternatives.contains { $0.matches(text) }
    }

    /// Time proportional to pattern times text at worst: one place to fall back to, as in
    /// https://research.swtch.com/glob
    private static func globMatches(
        _ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>
    ) -> Bool {
        var at = pattern.startIndex
        var position = text.startIndex
        var star: (at: Int, position: Int)?
        while position < text.endIndex {
            if at < pattern.endIndex, pattern[at] == UInt8(ascii: "*") {
                star = (at, position)
                at += 1
            } else if at < pattern.endIndex,
                pattern[at] == UInt8(ascii: "?") || pattern[at] == text[position]
            {
                at += 1
                position += 1
            } else if let retry = star {
                // Let the last star swallow one byte more.
                star = (retry.at, retry.position + 1)
                at = retry.at + 1
                position = retry.position + 1
            } else {
                return false
            }
        }
        while at < pattern.endIndex, pattern[at] == UInt8(ascii: "*") { at += 1 }
        return at == pattern.endIndex
    }
}
