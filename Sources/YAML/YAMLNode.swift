/// A place in a file; both count from 1, as editors do.
public struct YAMLMark: Equatable, Sendable {
    public let line: Int
    public let column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// A parsed document with the place of every value, so that a fault can name it.
public struct YAMLNode: Equatable, Sendable {
    public enum Content: Equatable, Sendable {
        /// `isPlain` is false for quoted text: `"5"` is a string, `5` may be a number.
        case scalar(text: String, isPlain: Bool)
        case sequence([YAMLNode])
        /// In the order of the file; a key that is set twice stands here twice.
        case mapping([YAMLEntry])
    }

    public let content: Content
    public let mark: YAMLMark

    public init(_ content: Content, mark: YAMLMark) {
        self.content = content
        self.mark = mark
    }

    /// True for an empty value, `~` and `null`.
    public var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// What a message calls this kind of value.
    public var kindName: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

public struct YAMLEntry: Equatable, Sendable {
    public let key: String
    public let keyMark: YAMLMark
    public let value: YAMLNode

    public init(key: String, keyMark: YAMLMark, value: YAMLNode) {
        self.key = key
        self.keyMark = keyMark
        self.value = value
    }
}

/// Why a text is not a YAML document that we read.
public struct YAMLError: Error, Equatable, Sendable {
    public let message: String
    public let mark: YAMLMark
}
