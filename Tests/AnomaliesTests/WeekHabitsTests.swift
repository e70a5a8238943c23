import Testing
import Usage

@testable import Anomalies

@Suite struct WeekHabitsTests {
    private static let hour: Int64 = 3600
    private static let week: Int64 = 168 * 3600
    /// 2026-01-05 00:00 UTC, a Monday.
    private static let monday: Int64 = 1_767_571_200

    private struct Told: Equatable {
        /// Whole weeks since `monday`, and the hour in that week.
        let week: Int64
        let hour: Int64
        let grade: AnomalyGrade
        let why: String
    }

    /// Working days with a daily cycle of about $50, quieter weekends; from the third week on
    /// `extra` dollars beside it, by week and hour of the week, in the first bucket of the hour.
    private func run(
        weeks: Int64, bucket: Int64 = 3600, extra: (_ week: Int64, _ hour: Int64) -> Double
    ) -> [Told] {
        let model = SpendModel(bucketSeconds: bucket)
        var series = Series(key: .init(dimension: 0, name: 1), since: Self.monday)
        var told: [Told] = []
        for start in stride(from: Self.monday, to: Self.monday + weeks * Self.week, by: Int(bucket))
        {
            let week = (start - Self.monday) / Self.week
            let hour = (start - Self.monday) % Self.week / Self.hour
            let part = start % Self.hour / bucket
            let parts = Double(max(1, Self.hour / bucket))
            // Some of it strays, from no source of chance.
            let stray = 1 + Double((start / bucket * 7919) % 21 - 10) / 100
            let day = hour % 24 < 8 ? 0.5 : hour % 24 < 18 ? 3.5 : 1.5
            let usual = day * (hour < 120 ? 1 : 0.3) * stray / parts
            let more = week >= 2 && part == 0 ? extra(week - 2, hour) : 0
            let (reading, isSurge) = series.step(
                start: start, cost: usual + more, events: 100 + more * 10, largest: 0.5, model)
            if let alert = reading.alert {
                told.append(Told(week: week - 2, hour: hour, grade: alert.grade, why: alert.why))
            } else if isSurge {
                told.append(Told(week: week - 2, hour: hour, grade: .critical, why: "surge"))
            }
        }
        return told
    }

    @Test(arguments: [3600, 900, 300] as [Int64])
    func `a batch of every Monday is told twice, and usual from the third week on`(
        _ bucket: Int64
    ) {
        for dollars in [15.0, 60, 600] {
            let told = run(weeks: 12, bucket: bucket) { $1 == 9 ? dollars : 0 }
            #expect(Set(told.map(\.week)) == [0, 1], "\(bucket) \(dollars) \(told)")
            #expect(told.allSatisfy { (9...11).contains($0.hour) }, "\(told)")
            let second = told.first { $0.week == 1 && $0.why != "surge" }
            #expect(
                second.map { $0.why.hasSuffix(" over the usual at this hour, too") }
                    ?? (bucket < 900))
            #expect(told.first.map { !$0.why.contains("a week ago") } ?? false)
        }
    }

    @Test func `it may take hours, stray, begin an hour off, and stay away for a week`() {
        func weeks(_ extra: (Int64, Int64) -> Double) -> Set<Int64> {
            Set(run(weeks: 14, extra: extra).map(\.week))
        }
        #expect(weeks { (9..<15).contains($1) ? 20 : 0 } == [0, 1])
        #expect(weeks { $1 == 9 ? [60, 45, 70, 52, 80, 48][Int($0 % 6)] : 0 } == [0, 1])
        // Summer time.
        #expect(weeks { $1 == ($0 < 5 ? 9 : 8) ? 60 : 0 } == [0, 1])
        #expect(weeks { $1 == ($0 < 5 ? 9 : 10) ? 60 : 0 } == [0, 1])
        let early: [Double] = [30, 45, 20, 50, 15, 40]
        #expect(
            weeks {
                let part = early[Int($0 % 6)]
                return $1 == 9 ? part : $1 == 10 ? 60 - part : 0
            } == [0, 1])
        #expect(weeks { $1 == 9 && $0 != 5 ? 60 : 0 } == [0, 1])
        // Sunday's last hour and Monday's first are neighbours.
        #expect(weeks { ($1 == 0 && $0 < 5) || ($1 == 167 && $0 > 3) ? 60 : 0 } == [0, 1])
    }

    @Test func `a batch that grows tenfold, comes on another day or after a month is told`() {
        let grown = run(weeks: 9) { $1 == 9 ? $0 == 5 ? 600 : 60 : 0 }
        #expect(grown.map(\.week) == [0, 1, 5])
        // What is told counts the habit as usual: about $600 against $60.
        let text = grown.last?.why ?? ""
        #expect(text.hasPrefix("spent $603."), "\(text)")
        #expect(text.contains(" h, 9.7x the usual $61."), "\(text)")
        #expect(!text.contains("a week ago"), "\(text)")
        let wednesday = run(weeks: 9) { $1 == ($0 == 5 ? 57 : 9) ? 60 : 0 }
        #expect(wednesday.map(\.week) == [0, 1, 5])
        #expect(wednesday.last?.hour == 57)
        let away = run(weeks: 12) { $1 == 9 && !(5..<9).contains($0) ? 60 : 0 }
        #expect(away.map(\.week) == [0, 1, 9])
    }

    @Test func `a habit is used once: the same again an hour later is told`() {
        for hour in [10, 11, 13] as [Int64] {
            let told = run(weeks: 8) { $1 == 9 || ($0 == 5 && $1 == hour) ? 60 : 0 }
            #expect(told.map(\.week) == [0, 1, 5], "\(told)")
            #expect(told.last.map { $0.hour >= hour && $0.grade >= .high } ?? false, "\(told)")
        }
    }

    @Test func `the reference series tell what they told without habits`() throws {
        for (name, bucket) in [
            ("spend_hourly_medium", 3600), ("spend_hourly_sparse", 3600), ("spend_5min_batch", 300),
        ] as [(String, Int64)] {
            let model = SpendModel(bucketSeconds: bucket)
            var (plain, knowing) = (SpendDetector(), SpendDetector())
            var habits = WeekHabits()
            for (index, row) in try Vectors.rows(name + ".in").enumerated() {
                let (start, cost) = (Int64(row.number("time")), row.number("cost"))
                let (events, largest) = (row.number("events"), row.number("largest"))
                let one = plain.step(
                    start: start, cost: cost, events: events, largest: largest, model)
                let two = knowing.step(
                    start: start, cost: cost, events: events, largest: largest, habits: &habits,
                    model)
                #expect(one.alert == two.alert, "\(name) \(index)")
                #expect(one.expected == two.expected, "\(name) \(index)")
            }
        }
    }

    @Test func `every hour of the week may have a habit, and no more`() throws {
        let model = SpendModel(bucketSeconds: 3600)
        var habits = WeekHabits()
        for hour in 0..<168 * 3 {
            _ = habits.absorb(
                start: Int64(hour) * 3600, cost: 10 + Double(hour % 7), expected: 1, model)
        }
        #expect(habits.hours.count == WeekHabits.slotsMax)
        #expect(habits.hours.map(\.slot) == Array(0..<168))
        // What is under twice the expectation, or a tenth of the least dollars, is none.
        var none = WeekHabits()
        for hour in 0..<168 * 3 {
            let expected = hour % 2 == 0 ? 10.0 : 0.01
            _ = none.absorb(
                start: Int64(hour) * 3600, cost: hour % 2 == 0 ? 19.99 : 0.3, expected: expected,
                model)
        }
        #expect(none.hours.isEmpty)
        // Two weeks without it and more: an hour is forgotten.
        for hour in 168 * 3..<168 * 16 {
            _ = habits.absorb(start: Int64(hour) * 3600, cost: 1, expected: 1, model)
        }
        #expect(habits.hours.isEmpty)
    }

    @Test func `stored in the middle of an hour, habits go on`() throws {
        let model = SpendModel(bucketSeconds: 300)
        var (through, restored) = (WeekHabits(), WeekHabits())
        var taken = 0.0
        for index in 0..<2016 * 4 {
            let hour = index / 12 % 168
            let cost = hour % 24 == 9 && index % 12 < 3 ? 7.0 : 0.1
            let start = Int64(index) * 300
            let one = through.absorb(start: start, cost: cost, expected: 0.1, model)
            let two = restored.absorb(start: start, cost: cost, expected: 0.1, model)
            #expect(one == two)
            taken += two
            if index % 103 == 0 {
                var bytes: [UInt8] = [1, 2, 3]
                restored.append(to: &bytes)
                restored = try #require(WeekHabits(bytes, at: 3))
            }
        }
        #expect(taken > 200)
        var bytes: [UInt8] = []
        restored.append(to: &bytes)
        #expect(WeekHabits(Array(bytes.dropLast()), at: 0) == nil)
        #expect(WeekHabits([], at: 0) == nil)
        // Hours out of order, or of no week.
        let last = bytes.count - 24
        #expect(WeekHabits(bytes + bytes[last...], at: 0) == nil)
        var beyond = bytes
        beyond[last] = 168
        #expect(WeekHabits(beyond, at: 0) == nil)
        #expect(WeekHabits(Array(repeating: 0xff, count: bytes.count), at: 0) == nil)
    }

    @Test func `the sidecar stops telling a weekly batch, also after a restart`() throws {
        var settings = AnomalySettings()
        settings.windowSeconds = 3600
        settings.dimensions = [.tenant]
        let harness = try AnomalyHarness(settings)
        var told: [Int: [String]] = [:]
        for hour in 0..<168 * 7 {
            var events = (0..<12).map { harness.event(0.2 + Double((hour + $0) % 5) / 50) }
            // Mondays at nine, from the second week on; the seventh is twenty times as large.
            if hour >= 168, hour % 168 == 9 {
                events += (0..<60).map { _ in harness.event(hour > 168 * 6 ? 20 : 1) }
            }
            try harness.commit(events)
            try harness.advance(seconds: 3600)
            if hour % 168 == 100 {
                try harness.checkpoint()
                try harness.restart(settings)
            }
            for text in harness.events() where !text.hasPrefix("ended") {
                told[hour / 168, default: []].append(text)
            }
        }
        #expect(told.keys.sorted() == [1, 2, 6], "\(told)")
        #expect(told[6]?.first?.hasPrefix("fired tenant_spike acme") == true)
        let summaries = try harness.anomalies().map(\.summary)
        #expect(summaries.contains { $0.contains("; a week ago it was $60.") })
    }
}
