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
