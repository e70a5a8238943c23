import Testing
import Usage

@testable import Pricing

@Suite struct ExactUSDTests {
    private func usd(_ text: String, shift: Int = 0) -> ExactUSD? {
        if case .value(let value) = ExactUSD.read(text, shift: shift) { value } else { nil }
    }

    @Test(arguments: [
        ("0", "0"), ("2.5e-06", "0.0000025"),
        ("1.0000000000000001e-07", "0.00000010000000000000001"),
        ("0.0", "0"), ("12.50", "12.5"), ("-3e-2", "-0.03"), ("1E3", "1000"),
        ("0.00000000000000000000000001", "0.00000000000000000000000001"),
    ])
    func `a decimal is kept digit by digit`(_ text: String, _ decimal: String) {
        #expect(usd(text)?.decimal == decimal)
    }

    @Test(arguments: ["", "NaN", "1.", ".5", "01", "1e", "--1", "1 ", "Infinity", "0x1"])
    func `what is no JSON number is no price`(_ text: String) {
        #expect(ExactUSD.read(text) == .malformed)
    }

    @Test func `digits past the 26th decimal are rounded half away from zero`() {
        #expect(usd("4e-27")?.units == 0)
        #expect(usd("5e-27")?.units == 1)
        #expect(usd("1e-9999")?.units == 0)
        #expect(ExactUSD.read("1e30") == .outOfRange)
        #expect(usd("3", shift: -6)?.decimal == "0.000003")
    }

    @Test func `P3 an amount is rounded once, half away from zero, to nano-dollars`() {
        #expect(usd("0.0000000004")?.rounded == NanoUSD(nanos: 0))
        #expect(usd("0.0000000005")?.rounded == NanoUSD(nanos: 1))
        #expect(usd("-0.0000000005")?.rounded == NanoUSD(nanos: -1))
        #expect(usd("1000000")?.rounded == Limits.costMax)
        #expect(usd("1000000.000000001")?.rounded == nil)
        #expect(ExactUSD(units: .max).rounded == nil)
    }

    @Test func `factors are exact and the range is watched`() {
        let tenth = Factor(parts: 1_100_000)
        #expect(usd("0.00000000000000000000001")?.times(tenth)?.units == 1100)
        #expect(ExactUSD(units: .max).times(tenth) == nil)
        #expect(ExactUSD(units: .max).times(.half)?.units == Int128.max / 2 + 1)
        #expect(ExactUSD(units: .max).times(2) == nil)
        #expect(ExactUSD.sum(ExactUSD(units: .max), ExactUSD(units: 1)) == nil)
    }
}
