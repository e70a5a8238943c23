import Foundation
import Testing
import Wire

private func read(_ text: String) -> Int64? { RFC3339.read(Array(text.utf8).span) }

@Suite struct RFC3339Tests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-20T10:00:00.250Z", 1_795_168_800_250_000_000),
            ("2026-11-20 11:00:00+01:00", 1_795_168_800_000_000_000),
            ("2026-11-20t05:30:00-04:30", 1_795_168_800_000_000_000),
            ("2024-02-29T23:59:60Z", 1_709_251_200_000_000_000),
            ("2000-01-01T00:00:00.1234567899Z", 946_684_800_123_456_789),
        ])
    func `a moment with a zone is read`(_ text: String, _ nanos: Int64) {
        #expect(read(text) == nanos)
    }

    @Test(
        arguments: [
            "", "2026-11-20", "2026-11-20T10:00:00", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-11-20T24:00:00Z", "2026-11-20T10:60:00Z", "1969-12-31T23:59:59Z",
            "2026-11-20T10:00:00.Z", "2026-11-20T10:00:00+1:00", "2026-11-20T10:00:00Zx",
            "2262-04-12T00:00:00Z", "2025-02-29T00:00:00Z", "2026-11-2xT10:00:00Z",
        ])
    func `anything else is refused`(_ text: String) {
        #expect(read(text) == nil)
    }

    @Test func `days agree with Foundation over four hundred years`() {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0)!
        for day in stride(from: -70_000, to: 76_000, by: 97) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400)
            let parts = calendar.dateComponents([.year, .month, .day], from: date)
            let civil = RFC3339.civil(daysSinceEpoch: day)
            #expect(
                civil.year == parts.year && civil.month == parts.month && civil.day == parts.day)
            #expect(
                RFC3339.daysSinceEpoch(year: civil.year, month: civil.month, day: civil.day) == day)
        }
    }

    @Test func `text comes back with as many digits as needed`() {
        #expect(RFC3339.text(unixNanos: 0) == "1970-01-01T00:00:00Z")
        #expect(RFC3339.text(unixNanos: 1_795_168_800_250_000_000) == "2026-11-20T10:00:00.250Z")
        #expect(RFC3339.text(unixNanos: 1_500) == "1970-01-01T00:00:00.000001500Z")
    }
}
