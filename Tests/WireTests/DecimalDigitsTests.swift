import Testing
import Wire

@Suite struct DecimalDigitsTests {
    private func read(_ text: String, scale: Int = 0) -> UInt128? {
        let bytes = Array(text.utf8)
        return DecimalDigits(bytes.span)?.magnitude(scale: scale)
    }

    @Test func `thirty-eight digits count, later ones only move the point`() {
        let most = String(repeating: "9", count: 38)
        #expect(read(most) == UInt128(most))
        #expect(read(most + "9", scale: -1) == UInt128(most))
        #expect(read(most + ".9") == UInt128(most))
        #expect(read("0.000" + most, scale: 41) == UInt128(most))
        #expect(read("0." + most, scale: 37) == UInt128("1" + String(repeating: "0", count: 37)))
    }

    @Test func `a magnitude past 128 bits is none`() {
        #expect(read("34e37") == UInt128("34" + String(repeating: "0", count: 37)))
        #expect(read("35e37") == nil)
        #expect(read("1e38") == UInt128("1" + String(repeating: "0", count: 38)))
        #expect(read("1e39") == nil)
        #expect(read("1e10000") == nil)
        #expect(read("1e99999999999999999999") == nil)
        #expect(read("0e99999999999999999999") == 0)
        #expect(read("1e-99999999999999999999", scale: 26) == 0)
    }

    @Test func `the sign stands apart and the half goes up`() {
        let negative = Array("-0.5".utf8)
        #expect(DecimalDigits(negative.span)?.isNegative == true)
        #expect(read("-0.5") == 1)
        #expect(read("0.49") == 0)
        #expect(read("1.5e-3", scale: 9) == 1_500_000)
    }
}
