/// The quality of service that a call was billed at.
public enum ServiceTier: UInt8, Vocabulary, BitwiseCopyable {
    case standard, flex, balanced, priority, ultrafast, batch

    public var word: String { "\(self)" }

    /// As providers and gateways spell it. Words that name no priced tier mean the standard price;
    /// case does not matter.
    public init(spelling: String) {
        switch spelling.lowercased() {
        case "flex": self = .flex
        case "balanced": self = .balanced
        case "priority", "fast": self = .priority
        case "ultrafast": self = .ultrafast
        case "batch", "batches": self = .batch
        default: self = .standard
        }
    }
}
