extension String {
    /// What is not UTF-8 shows as U+FFFD.
    public init(copying bytes: Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

// Known words, compared with bytes that stay where they are.
extension Span<UInt8> {
    public func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { letters in
            for index in 0..<letters.count where unsafe letters[index] != self[index] {
                return false
            }
            return true
        }
    }

    public func hasPrefix(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        return count >= length && extracting(first: length).equals(text)
    }

    public func hasSuffix(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        return count >= length && extracting(last: length).equals(text)
    }
}
