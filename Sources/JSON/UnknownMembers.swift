internal import Wire

/// Names of members that nobody reads, each once, to tell their sender.
public struct UnknownMembers: Sendable {
    /// Further names are not kept.
    public static let namesMax = 20
    /// What is longer is cut off.
    public static let nameBytesMax = 64

    public private(set) var names: [String] = []

    public init() {}

    public mutating func note(_ key: JSONDocument.Text, _ document: borrowing JSONDocument) {
        guard names.count < Self.namesMax else { return }
        let length = min(key.length, Self.nameBytesMax)
        let name = document.withBytes(key.offset..<key.offset + length) { bytes in
            var copy: [UInt8] = []
            copy.append(copying: bytes)
            return copy.text
        }
        if !names.contains(name) { names.append(name) }
    }

    public mutating func forget() {
        if !names.isEmpty { names = [] }
    }
}
