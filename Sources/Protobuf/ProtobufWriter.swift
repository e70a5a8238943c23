// Messages are appended to a buffer. An embedded message is written first and its length put before
// it afterwards: the length is known only then, and moving some hundred bytes costs less than
// writing twice.
extension [UInt8] {
    public mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    public mutating func appendTag(_ field: Int, _ kind: ProtobufField.Kind) {
        appendVarint(UInt64(field) << 3 | UInt64(kind.rawValue))
    }

    /// Zero is the default and is left out.
    public mutating func appendField(_ field: Int, varint value: UInt64) {
        guard value != 0 else { return }
        appendTag(field, .varint)
        appendVarint(value)
    }

    /// Also when zero: members of a oneof must be there to be seen.
    public mutating func appendField(_ field: Int, fixed64 value: UInt64) {
        appendTag(field, .fixed64)
        for shift in 0..<8 { append(UInt8(truncatingIfNeeded: value >> UInt64(shift * 8))) }
    }

    public mutating func appendField(_ field: Int, double value: Double) {
        appendField(field, fixed64: value.bitPattern)
    }

    public mutating func appendField(_ field: Int, text: String) {
        appendField(field, bytes: text.utf8)
    }

    public mutating func appendField(_ field: Int, bytes: some Collection<UInt8>) {
        appendTag(field, .bytes)
        appendVarint(UInt64(bytes.count))
        append(contentsOf: bytes)
    }

    /// What `body` appends becomes the content of an embedded message.
    public mutating func appendMessage<Failure: Error>(
        _ field: Int, _ body: (inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        appendTag(field, .bytes)
        let start = count
        // Most messages are shorter than 128 bytes: then one byte of length is all.
        append(0)
        try body(&self)
        let length = count - start - 1
        if length < 0x80 {
            self[start] = UInt8(length)
            return
        }
        var prefix: [UInt8] = []
        prefix.appendVarint(UInt64(length))
        self[start] = prefix[0]
        insert(contentsOf: prefix[1...], at: start + 1)
    }
}
