import Testing

@testable import Protobuf

/// Every field of a message, as text.
private func fields(_ bytes: [UInt8]) throws -> [String] {
    var reader = ProtobufReader(0..<bytes.count)
    var found: [String] = []
    while let field = try reader.next(bytes.span) {
        found.append(
            "\(field.number):\(field.kind):\(field.kind == .bytes ? "\(field.range)" : "\(field.value)")"
        )
    }
    return found
}

private func hex(_ text: String) -> [UInt8] {
    stride(from: 0, to: text.count, by: 2).map { at in
        let start = text.index(text.startIndex, offsetBy: at)
        return UInt8(text[start..<text.index(start, offsetBy: 2)], radix: 16) ?? 0
    }
}

@Suite struct ProtobufTests {
    @Test func `the documentation's own examples are read`() throws {
        // https://protobuf.dev/programming-guides/encoding/
        #expect(try fields(hex("089601")) == ["1:varint:150"])
        #expect(try fields(hex("120774657374696e67")) == ["2:bytes:2..<9"])
        #expect(try fields(hex("1a03089601")) == ["3:bytes:2..<5"])
        // A field number past 15 has a tag of two bytes; Span.flags is one.
        #expect(try fields(hex("850101000000")) == ["16:fixed32:1"])
        #expect(
            try fields(hex("08ffffffffffffffffff01")) == ["1:varint:18446744073709551615"])
        #expect(try fields(hex("090000000000001440")) == ["1:fixed64:4617315517961601024"])
    }

    @Test(arguments: [
        ("08", ProtobufFault.truncated(offset: 1)), ("0896", .truncated(offset: 1)),
        ("0901", .truncated(offset: 1)), ("0d010203", .truncated(offset: 1)),
        ("120574", .truncated(offset: 0)), ("0896ffffffffffffffffff01", .varintTooLong(offset: 1)),
        ("0001", .fieldNumber(offset: 0)), ("0b", .wireType(3, offset: 0)),
        ("0c", .wireType(4, offset: 0)), ("0f", .wireType(7, offset: 0)),
        ("8080808010 01".replacingOccurrences(" ", ""), .fieldNumber(offset: 0)),
        ("12ffffffffffffffff7f", .truncated(offset: 0)),
    ])
    func `what is no message names its place`(_ text: String, _ fault: ProtobufFault) {
        #expect(throws: fault) { try fields(hex(text)) }
    }

    @Test func `a field of another type is a fault of its own`() throws {
        var reader = ProtobufReader(0..<2)
        let bytes = hex("0801")
        let field = try #require(try reader.next(bytes.span))
        #expect(throws: ProtobufFault.unexpected(field: 1, offset: 1)) { try field.message() }
        #expect(throws: ProtobufFault.unexpected(field: 1, offset: 1)) { try field.fixed64() }
        #expect(try field.varint() == 1)
    }

    @Test func `the messages of one field are found among all others`() throws {
        let bytes = hex("0801" + "120161" + "1a0162" + "12026364" + "090000000000001440" + "1200")
        var reader = ProtobufReader(0..<bytes.count)
        var found: [Range<Int>] = []
        while let range = try reader.next(bytes.span, message: 2) { found.append(range) }
        #expect(found == [4..<5, 10..<12, 23..<23])
        var other = ProtobufReader(0..<bytes.count)
        #expect(throws: ProtobufFault.unexpected(field: 1, offset: 1)) {
            try other.next(bytes.span, message: 1)
        }
    }

    @Test func `what is written reads the same, at every length of a length`() throws {
        for length in [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_152] {
            var bytes: [UInt8] = [9, 9]
            bytes.appendMessage(5) { inner in
                inner.append(contentsOf: repeatElement(7, count: length))
            }
            bytes.appendField(6, varint: 1)
            #expect(bytes.prefix(2) == [9, 9])
            let message = Array(bytes.dropFirst(2))
            let found = try fields(message)
            #expect(found.count == 2 && found.last == "6:varint:1")
            var reader = ProtobufReader(0..<message.count)
            let field = try #require(try reader.next(message.span))
            #expect(field.range.count == length)
            #expect(message[field.range].allSatisfy { $0 == 7 })
        }
    }

    @Test func `numbers come back as they went`() throws {
        for value in [0, 1, 127, 128, 300, UInt64.max, 1 << 63] {
            var bytes: [UInt8] = []
            bytes.appendTag(1, .varint)
            bytes.appendVarint(value)
            #expect(try fields(bytes) == ["1:varint:\(value)"])
        }
        #expect([0, 1, 2, 3, UInt64.max].map(zigzagDecoded) == [0, -1, 1, -2, Int64.min])
    }

    @Test func `packed numbers are read to the end, and no further`() throws {
        let bytes = hex("03 8e02 9ea705".replacingOccurrences(" ", ""))
        var reader = ProtobufReader(0..<bytes.count)
        var values: [UInt64] = []
        while let value = try reader.nextPackedVarint(bytes.span) { values.append(value) }
        #expect(values == [3, 270, 86942])
    }
}

extension String {
    fileprivate func replacingOccurrences(_ old: Character, _ new: String) -> String {
        String(filter { $0 != old })
    }
}
