import Testing

@testable import Configuration

@Suite struct QuantityTextTests {
    @Test(
        arguments: [
            ("0s", 0), ("250ms", 250_000_000), ("90s", 90_000_000_000), ("15m", 900_000_000_000),
            ("1h", 3_600_000_000_000), ("7d", 604_800_000_000_000), ("", nil), ("7", nil),
            ("d", nil),
            ("1 week", nil), ("1.5h", nil), ("-1s", nil), ("1h30m", nil), ("999999999999d", nil),
            ("５s", nil),
        ] as [(String, Int64?)])
    func `a duration is one number and one unit`(_ text: String, _ nanos: Int64?) {
        #expect(DurationText.nanos(text) == nanos)
    }

    @Test(
        arguments: [
            ("16MiB", 16 << 20), ("512KiB", 512 << 10), ("1GiB", 1 << 30), ("1000", 1000),
            ("16MB", nil),
            ("", nil), ("MiB", nil), ("-1", nil), ("99999999999GiB", nil),
        ] as [(String, Int?)])
    func `a size is one number and one unit`(_ text: String, _ bytes: Int?) {
        #expect(SizeText.bytes(text) == bytes)
    }

    @Test func `text comes back in the largest unit`() {
        #expect(
            DurationText.text(86_400_000_000_000) == "1d"
                && DurationText.text(90_000_000_000) == "90s")
        #expect(SizeText.text(16 << 20) == "16MiB" && SizeText.text(1000) == "1000")
    }
}
