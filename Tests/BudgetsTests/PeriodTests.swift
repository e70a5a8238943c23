import Foundation
import TestSupport
import Testing
import TimeZones

@testable import Budgets

private func seconds(_ text: String) -> Int64 {
    Int64(ISO8601DateFormatter().date(from: text)?.timeIntervalSince1970 ?? 0)
}

private func text(_ seconds: Int64) -> String {
    ISO8601DateFormatter().string(from: Date(timeIntervalSince1970: Double(seconds)))
}

@Suite struct PeriodTests {
    // kind, zone, week start, reset hour, moment -> start, end, key
    @Test(
        "P8 periods follow the local clock",
        arguments: [
            (
                "month", "UTC", "monday", 0, "2026-11-20T10:00:00Z", "2026-11-01T00:00:00Z",
                "2026-12-01T00:00:00Z", "2026-11"
            ),
            (
                "month", "UTC", "monday", 0, "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z",
                "2024-03-01T00:00:00Z", "2024-02"
            ),
            (
                "month", "UTC", "monday", 0, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z", "2026-12"
            ),
            (
                "month", "Europe/Berlin", "monday", 0, "2026-10-31T22:59:59Z",
                "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", "2026-10"
            ),
            (
                "month", "Europe/Berlin", "monday", 0, "2026-10-31T23:00:00Z",
                "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z", "2026-11"
            ),
            (
                "month", "America/New_York", "monday", 6, "2026-11-01T10:59:59Z",
                "2026-10-01T10:00:00Z", "2026-11-01T11:00:00Z", "2026-10"
            ),
            // 23 hours on the day when clocks go forward, 25 when they go back.
            (
                "day", "Europe/Berlin", "monday", 0, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z", "2026-03-29"
            ),
            (
                "day", "Europe/Berlin", "monday", 0, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z", "2026-10-25"
            ),
            // A reset hour that is left out: the day begins with the change.
            (
                "day", "Europe/Berlin", "monday", 2, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z",
                "2026-03-30T00:00:00Z", "2026-03-29"
            ),
            (
                "day", "Europe/Berlin", "monday", 2, "2026-03-29T00:59:59Z", "2026-03-28T01:00:00Z",
                "2026-03-29T01:00:00Z", "2026-03-28"
            ),
            // One that comes twice: with the first.
            (
                "day", "Europe/Berlin", "monday", 2, "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z",
                "2026-10-26T01:00:00Z", "2026-10-25"
            ),
            (
                "day", "Europe/Berlin", "monday", 2, "2026-10-24T23:59:59Z", "2026-10-24T00:00:00Z",
                "2026-10-25T00:00:00Z", "2026-10-24"
            ),
            (
                "day", "Asia/Kolkata", "monday", 0, "2026-11-20T18:29:59Z", "2026-11-19T18:30:00Z",
                "2026-11-20T18:30:00Z", "2026-11-20"
            ),
            // Midnight is left out in Cairo on the last Friday of April.
            (
                "day", "Africa/Cairo", "monday", 0, "2026-04-23T22:00:00Z", "2026-04-23T22:00:00Z",
                "2026-04-24T21:00:00Z", "2026-04-24"
            ),
            (
                "week", "UTC", "monday", 0, "2026-11-20T10:00:00Z", "2026-11-16T00:00:00Z",
                "2026-11-23T00:00:00Z", "week-2026-11-16"
            ),
            (
                "week", "UTC", "sunday", 0, "2026-11-20T10:00:00Z", "2026-11-15T00:00:00Z",
                "2026-11-22T00:00:00Z", "week-2026-11-15"
            ),
            (
                "week", "UTC", "friday", 10, "2026-11-20T09:59:59Z", "2026-11-13T10:00:00Z",
                "2026-11-20T10:00:00Z", "week-2026-11-13"
            ),
            (
                "week", "Europe/Berlin", "monday", 0, "2026-10-26T00:00:00Z",
                "2026-10-25T23:00:00Z", "2026-11-01T23:00:00Z", "week-2026-10-26"
            ),
            (
                "week", "UTC", "monday", 0, "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z",
                "1970-01-05T00:00:00Z", "week-1969-12-29"
            ),
            (
                "hour", "UTC", "monday", 0, "2026-11-20T10:59:59Z", "2026-11-20T10:00:00Z",
                "2026-11-20T11:00:00Z", "2026-11-20T10Z"
            ),
            (
                "hour", "Asia/Kathmandu", "monday", 0, "2026-11-20T10:20:00Z",
                "2026-11-20T10:15:00Z", "2026-11-20T11:15:00Z", "2026-11-20T10Z"
            ),
            // The hour that comes twice is two periods.
            (
                "hour", "Europe/Berlin", "monday", 0, "2026-10-25T00:30:00Z",
                "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T00Z"
            ),
            (
                "hour", "Europe/Berlin", "monday", 0, "2026-10-25T01:30:00Z",
                "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T01Z"
            ),
        ] as [(String, String, String, Int, String, String, String, String)])
    func vectors(
        _ kind: String, _ zone: String, _ weekStart: String, _ hour: Int, _ moment: String,
        _ start: String,
        _ end: String, _ key: String
    ) throws {
        let rule = PeriodRule(
            kind: try #require(PeriodRule.Kind(rawValue: kind)), zone: try Zone(named: zone),
            weekStart: try #require(PeriodRule.Weekday(rawValue: weekStart)), resetHour: hour)
        let period = rule.period(containing: seconds(moment))
        #expect(text(period.start) == start && text(period.end) == end)
        #expect(rule.key(of: period) == key)
    }

    @Test func `periods cover all of time without gap or overlap`() throws {
        var random = SeededRandom(seed: 31)
        let zones = [
            "UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo",
            "Pacific/Apia",
        ]
        for name in zones {
            for kind in PeriodRule.Kind.allCases {
                var rule = PeriodRule(
                    kind: kind, zone: try Zone(named: name),
                    weekStart: random.pick(PeriodRule.Weekday.allCases), resetHour: random.below(24)
                )
                rule.monthStartDay = 1 + random.below(28)
                var period = rule.period(
                    containing: 1_290_000_000 + Int64(random.below(400_000_000)))
                var keys: Set<String> = []
                for _ in 0..<800 {
                    #expect(period.start < period.end)
                    for moment in [period.start, period.end - 1, (period.start + period.end) / 2] {
                        #expect(
                            rule.period(containing: moment) == period,
                            "\(name) \(kind) \(text(moment))")
                    }
                    #expect(
                        keys.insert(rule.key(of: period)).inserted,
                        "\(name) \(kind) \(rule.key(of: period))")
                    #expect(rule.period(before: rule.period(containing: period.end)) == period)
                    period = rule.period(containing: period.end)
                }
            }
        }
    }
}

@Suite struct LongPeriodTests {
    private func check(
        _ kind: PeriodRule.Kind, _ moment: String, _ start: String, _ end: String, _ key: String,
        zone: String = "UTC", startDay: Int = 1
    ) throws {
        var rule = PeriodRule(kind: kind, zone: try Zone(named: zone))
        rule.monthStartDay = startDay
        let period = rule.period(containing: seconds(moment))
        #expect(period == Period(start: seconds(start), end: seconds(end)), "\(moment)")
        #expect(rule.key(of: period) == key)
    }

    @Test func `quarters, years and months that begin on another day`() throws {
        try check(
            .quarter, "2026-11-20T10:00:00Z", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z",
            "2026-Q4")
        try check(
            .year, "2026-11-20T10:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026")
        try check(
            .month, "2026-03-14T23:59:59Z", "2026-02-15T00:00:00Z", "2026-03-15T00:00:00Z",
            "2026-02", startDay: 15)
        try check(
            .month, "2026-01-03T00:00:00Z", "2025-12-28T00:00:00Z", "2026-01-28T00:00:00Z",
            "2025-12", startDay: 28)
        try check(
            .quarter, "2027-01-05T00:00:00Z", "2026-10-10T00:00:00Z", "2027-01-10T00:00:00Z",
            "2026-Q4", startDay: 10)
        // Ends of months: February, leap years, a year that ends on the 27th.
        try check(
            .month, "2027-02-28T23:59:59Z", "2027-02-28T00:00:00Z", "2027-03-28T00:00:00Z",
            "2027-02", startDay: 28)
        try check(
            .month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z",
            "2028-02")
        try check(
            .year, "2026-12-27T23:59:59Z", "2026-01-28T00:00:00Z", "2027-01-28T00:00:00Z", "2026",
            startDay: 28)
        try check(
            .quarter, "2028-02-29T00:00:00Z", "2028-01-28T00:00:00Z", "2028-04-28T00:00:00Z",
            "2028-Q1", startDay: 28)
        // A month that begins on the day of the change of clocks, in both directions.
        try check(
            .month, "2027-03-28T12:00:00Z", "2027-03-27T23:00:00Z", "2027-04-27T22:00:00Z",
            "2027-03", zone: "Europe/Berlin", startDay: 28)
        try check(
            .month, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-11-24T23:00:00Z",
            "2026-10", zone: "Europe/Berlin", startDay: 25)
        // Berlin's year begins an hour before that of UTC; a quarter spans the change of clocks.
        try check(
            .year, "2026-12-31T23:30:00Z", "2026-12-31T23:00:00Z", "2027-12-31T23:00:00Z", "2027",
            zone: "Europe/Berlin")
        try check(
            .quarter, "2026-10-01T00:00:00Z", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z",
            "2026-Q4", zone: "Europe/Berlin")
    }
}

@Suite struct PeriodSpendTests {
    @Test(
        "P8 spend around the ends of months and changes of clocks lands in its own period",
        arguments: [
            // The last second of one period and the first of the next.
            ("month", "UTC", "2026-12-01T00:00:00Z", "2026-11", "2026-12"),
            ("month", "UTC", "2027-03-01T00:00:00Z", "2027-02", "2027-03"),
            ("month", "UTC", "2028-03-01T00:00:00Z", "2028-02", "2028-03"),
            ("month", "Europe/Berlin", "2027-03-31T22:00:00Z", "2027-03", "2027-04"),
            ("month", "Europe/Berlin", "2027-10-31T23:00:00Z", "2027-10", "2027-11"),
            ("month", "America/Sao_Paulo", "2026-12-01T03:00:00Z", "2026-11", "2026-12"),
            ("year", "Asia/Tokyo", "2026-12-31T15:00:00Z", "2026", "2027"),
            ("quarter", "Europe/Berlin", "2026-12-31T23:00:00Z", "2026-Q4", "2027-Q1"),
            ("day", "Europe/Berlin", "2027-03-28T22:00:00Z", "2027-03-28", "2027-03-29"),
            ("day", "Europe/Berlin", "2027-10-31T23:00:00Z", "2027-10-31", "2027-11-01"),
            ("day", "Africa/Cairo", "2027-04-29T22:00:00Z", "2027-04-29", "2027-04-30"),
            ("hour", "Europe/Berlin", "2027-10-31T01:00:00Z", "2027-10-31T00Z", "2027-10-31T01Z"),
        ])
    func spend(
        _ kind: String, _ zone: String, _ moment: String, _ before: String, _ after: String
    ) throws {
        var budget = BudgetHarness.budget(
            100, kind: try #require(PeriodRule.Kind(rawValue: kind)), zone: try Zone(named: zone))
        budget.cooldownNanos = 0
        let harness = try BudgetHarness([budget])
        let change = seconds(moment) * BudgetHarness.second
        harness.now = change - 1
        try harness.tick()
        try harness.commit([harness.event(60)])
        #expect(harness.events() == ["crossed tenant=a \(before) 0.5 [0.5]"])
        harness.now = change
        // One commit with both, before any tick has noticed the new period.
        try harness.commit([harness.event(20, at: change - 1), harness.event(55, at: change)])
        #expect(harness.spent("tenant=a") == "80.00" || harness.spent("tenant=a") == "55.00")
        try harness.tick()
        #expect(harness.spent("tenant=a") == "55.00")
        let events = harness.events()
        // What is late by an instant is told in the period that it belongs to.
        #expect(events.contains("crossed tenant=a \(before) 0.75 [0.75]"), "\(events)")
        harness.advance(seconds: 3601)
        try harness.tick()
        #expect(
            (events + harness.events()).contains("crossed tenant=a \(after) 0.5 [0.5]"), "\(events)"
        )
    }
}
