/// How much an alert matters, from the least.
public enum Severity: UInt8, Vocabulary, Comparable {
    case info, warning, critical

    public var word: String { "\(self)" }

    public static func < (left: Severity, right: Severity) -> Bool {
        left.rawValue < right.rawValue
    }
}
