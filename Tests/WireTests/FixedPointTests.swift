import Testing
import Wire

private func read(_ text: String, scale: Int = 9) -> FixedPoint.Reading {
    FixedPoint.read(Array(text.utf8).span, scale: scale)
}

private func print(_ value: Int64, scale: Int = 9, fractionMin: Int = 0) -> String {
    var bytes: [UInt8] = []
    FixedPoint.append(value, scale: scale, fractionMin: fractionMin, to: &bytes)
    return bytes.text
}

@Suite struct FixedPointTests {
    @Test(
        "P3 a decimal literal becomes nano-dollars exactly",
        arguments: [
            ("0", 0), ("-0", 0), ("1", 1_000_000_000), ("0.00123", 1_230_000),
            ("12345678.123456789", 12_345_678_123_456_789), ("1e-9", 1),
            ("1.5E+2", 150_000_000_000),
            ("9223372036.854775807", Int64.max), ("-9223372036.854775807", -Int64.max),
            ("0.000000000000000000000000000001", 0), ("100000e-5", 1_000_000_000),
            ("0e99999999999", 0), ("1e-99999999999", 0),
        ])
    func exact(_ text: String, _ nanos: Int64) {
        #expect(read(text) == .value(nanos))
    }

    // Each of these ends in half a nano-dollar, where reading through a Double goes astray.
    @Test(
        "P3 half a nano-dollar rounds away from zero",
        arguments: [
            ("0.2631719835", 263_171_984), ("0.0000000005", 1), ("-0.0000000005", -1),
            ("0.00000000049999999999", 0), ("1.0000000015", 1_000_000_002),
            ("0.1000000005", 100_000_001), ("2.6317198350e-1", 263_171_984),
        ])
    func half(_ text: String, _ nanos: Int64) {
        #expect(read(text) == .value(nanos))
    }

    @Test(
        arguments: [
            "", "-", "+1", ".5", "1.", "01", "-01", "1e", "1e+", "12x", "0x10", "NaN", "Infinity",
            "1_000",
            " 1", "1 ", "--1", "1.2.3", "1,5",
        ])
    func `what is no JSON number is malformed`(_ text: String) {
        #expect(read(text) == .malformed)
    }

    @Test(arguments: ["9223372036.854775808", "1e10", "1e400", "99999999999999999999999999"])
    func `a number past 64 bits is out of range`(_ text: String) {
        #expect(read(text) == .outOfRange)
    }

    @Test func `text comes back without needless zeros`() {
        #expect(print(1_500_000) == "0.0015")
        #expect(print(0) == "0")
        #expect(print(5_000_000_000) == "5")
        #expect(print(-1) == "-0.000000001")
        #expect(print(Int64.max) == "9223372036.854775807")
        #expect(print(Int64.min) == "-9223372036.854775808")
        #expect(print(100_000_000_000, fractionMin: 2) == "100.00")
        #expect(print(42_000_000, fractionMin: 2) == "0.042")
        #expect(print(7, scale: 0) == "7")
    }

    @Test func `reading what was printed gives the same amount`() {
        var value: Int64 = 1
        for _ in 0..<60 {
            for sign in [1, -1] as [Int64] {
                #expect(read(print(sign * value)) == .value(sign * value))
            }
            value = value &* 7 & Int64.max
        }
    }
}
