import Testing

@testable import Wire

@Suite struct JSONStringTests {
    /// RFC 8259 section 7, byte by byte.
    private func escaped(_ text: [UInt8]) -> [UInt8] {
        var output: [UInt8] = [0x22]
        for byte in text {
            switch byte {
            case 0x22, 0x5c: output += [0x5c, byte]
            case 0x0a: output += Array("\\n".utf8)
            case 0x0d: output += Array("\\r".utf8)
            case 0x09: output += Array("\\t".utf8)
            case 0..<0x20, 0x7f:
                let digits = String(byte, radix: 16)
                output += Array(("\\u" + String(repeating: "0", count: 4 - digits.count)).utf8)
                output += Array(digits.utf8)
            default: output.append(byte)
            }
        }
        return output + [0x22]
    }

    @Test func `every byte is escaped or kept, wherever it stands`() {
        for byte in UInt8.min...UInt8.max {
            for length in [1, 7, 8, 9, 16, 19] {
                for place in 0..<length {
                    var text = Array("abcdefghijklmnopqrs".utf8.prefix(length))
                    text[place] = byte
                    if place + 1 < length { text[place + 1] = byte ^ 1 }
                    var written: [UInt8] = []
                    written.appendJSONString(text.span)
                    #expect(written == escaped(text), "\(byte) at \(place) of \(length)")
                }
            }
        }
    }

    @Test(arguments: ["", "é😀", "a\"b", "\u{1}", String(repeating: "long ", count: 300) + "\n"])
    func `a text buffer writes the same string`(_ text: String) {
        var buffer = TextBuffer(capacity: 1)
        buffer.append("{" as StaticString)
        buffer.append(jsonString: text)
        buffer.append(FixedPoint.text(-1_500_000, scale: 9))
        #expect(buffer.array == Array("{".utf8) + escaped(Array(text.utf8)) + Array("-0.0015".utf8))
    }

    @Test(arguments: [
        0, 1, -1, 10_000_000, 500_000_000, -500_000_000, 1_000_000_000, 42_000_000, 123_456_789_012,
        100_000_000_000, 1_010_000_000, Int64.max, Int64.min,
    ])
    func `amounts have two decimals or more`(_ nanos: Int64) {
        var buffer = TextBuffer(capacity: 1)
        buffer.append(jsonUSD: nanos)
        var expected: [UInt8] = []
        FixedPoint.append(nanos, scale: 9, fractionMin: 2, to: &expected)
        #expect(buffer.array == Array("\"".utf8) + expected + Array("\"".utf8))
    }

    @Test(
        arguments: [
            "0", "-0", "+7", "007", "9223372036854775807", "9223372036854775808",
            "-9223372036854775808", "-9223372036854775809", "99999999999999999999", "", "-", "+",
            "1.0", "1e3", " 1", "1 ", "--1", "1_000",
        ])
    func `an integer is read as Swift reads it`(_ text: String) {
        #expect(Array(text.utf8).span.integer == Int(text))
    }
}
