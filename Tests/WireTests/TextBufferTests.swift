import Testing

@testable import Wire

@Suite struct TextBufferTests {
    private func text(_ body: (inout TextBuffer) -> Void) -> String {
        var buffer = TextBuffer(capacity: 1)
        body(&buffer)
        return buffer.withText { span in
            String(decoding: span.indices.map { span[$0] }, as: UTF8.self)
        }
    }

    @Test func `numbers are written as Swift writes them`() {
        var values: [Int64] = [0, 1, -1, .max, .min, 99_999_999, 100_000_000, -100_000_001]
        var power: Int64 = 1
        for _ in 0..<18 {
            power *= 10
            values += [power - 1, power, power + 1, -power]
        }
        var seed: UInt64 = 7
        for shift in 0..<2000 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            values.append(Int64(bitPattern: seed) >> Int64(shift % 64))
        }
        for value in values {
            let written = text {
                $0.reserve(20)
                $0.append(decimal: value)
            }
            #expect(written == "\(value)")
        }
    }

    @Test func `nano amounts are written as fixed-point numbers are`() {
        var values: [Int64] = [0, 1, -1, .max, .min, 1_500_000, 100_000_000, 1_000_000_000]
        var seed: UInt64 = 9
        for shift in 0..<2000 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Int64(bitPattern: seed) >> Int64(shift % 64)
            values += [value, value / 1000 * 1000, value / 1_000_000_000 * 1_000_000_000]
        }
        for value in values {
            let written = text {
                $0.reserve(21)
                $0.append(nanos: value)
            }
            var expected: [UInt8] = []
            FixedPoint.append(value, scale: 9, to: &expected)
            #expect(written == expected.text)
        }
    }

    @Test func `text is written behind the bytes of an array, to the last byte of its room`() {
        var bytes = Array("before ".utf8)
        bytes.append(atMost: 0) { _ in }
        bytes.append(atMost: 27) { text in
            text.append(Array("after ".utf8).span)
            text.append([UInt8]().span)
            text.append(nanos: -9_223_372_036_854_775_807)
            text.append(UInt8(ascii: "."))
        }
        #expect(bytes.text == "before after -9223372036.854775807.")
    }

    @Test func `a line is its pieces end to end, whatever their length`() {
        let sample = (0..<100).map { UInt8($0) + 32 }
        for length in 0...70 {
            let first = Array(sample[..<length])
            let second = Array(sample[((length + 17) % 40)...].prefix(length))
            let third = Array(sample[(length % 3)...].prefix(length))
            let (whole, amount): (Int64, Int64) = (-9_223_372_036_854_775_807, -1_500_000)
            var bytes = Array("before ".utf8)
            bytes.append(atMost: 6 * length + 44) { text in
                text.appendLine(first.span, second.span, third.span, decimal: whole)
                text.appendLine(first.span, second.span, third.span, nanos: amount)
            }
            let joined = (first + second + third).text
            #expect(bytes.text == "before \(joined)\(whole)\n\(joined)-0.0015\n")
        }
    }

    @Test func `a line without room is a bug`() async {
        await #expect(processExitsWith: .failure) {
            var bytes: [UInt8] = []
            let piece = Array(repeating: UInt8(0x61), count: 40)
            bytes.append(atMost: 71) { text in
                text.appendLine(piece.span, piece.span, [UInt8]().span, decimal: 1)
            }
        }
    }

    @Test func `more text than the array has room for is a bug`() async {
        await #expect(processExitsWith: .failure) {
            var bytes: [UInt8] = []
            bytes.append(atMost: 10) { $0.append(Array(repeating: UInt8(0x61), count: 19).span) }
        }
    }

    @Test func `strings are escaped, and room grows with them`() {
        let sample = "a\"b\\c\n\u{1}\u{7f}é😀" + String(repeating: "x", count: 5000)
        let written = text {
            $0.append(jsonString: Array(sample.utf8).span)
            $0.append(jsonString: Array("".utf8).span)
        }
        let expected =
            "\"a\\\"b\\\\c\\u000a\\u0001\\u007fé😀" + String(repeating: "x", count: 5000) + "\"\"\""
        #expect(written == expected)
    }

    @Test func `an emptied buffer begins again`() {
        let written = text {
            $0.reserve(200)
            for _ in 0..<200 { $0.append(UInt8(ascii: "y")) }
            $0.clear(keeping: 64)
            $0.append(UInt8(ascii: "z"))
        }
        #expect(written == "z")
    }
}
