import Testing
import Usage

@testable import Budgets

@Suite struct ProjectionTests {
    private static let day: Int64 = 86_400
    /// 2026-11-02, a Monday, in days since 1970.
    private static let monday: Int64 = 20_759
    private static let november = Period(start: 20_758 * day, end: 20_788 * day)

    private func dollars(_ amount: Int64) -> NanoUSD { NanoUSD(nanos: amount * 1_000_000_000) }

    private func project(
        _ days: [(day: Int64, amount: NanoUSD)], spent: Int64, limit: Int64? = nil,
        period: Period = november, now: Int64
    ) -> Projection {
        Projection(
            Projection.Input(
                days: days, spent: dollars(spent), limit: limit.map { dollars($0) },
                period: period, now: now))
    }

    @Test func `an even pace leads to its multiple`() {
        // $10 a day since 28 days before the middle of the month.
        let now = Self.november.start + 15 * Self.day
        let days = (1...28).map { (day: now / Self.day - 29 + $0, amount: dollars(10)) }
        let projection = project(days, spent: 150, limit: 200, now: now)
        #expect(projection.projected == dollars(300))
        #expect(projection.low == projection.projected && projection.high == projection.projected)
        #expect(projection.average == dollars(10))
        #expect(projection.trend == .steady && projection.confidence == .high)
        // The missing $50 take five days.
        #expect(projection.breachAt == now + 5 * Self.day)
    }

    @Test func `the days to come weigh as their weekdays did`() {
        // $20 on working days, nothing at weekends; it is Friday evening, the week ends on Sunday.
        let days = (0..<28).compactMap { index -> (day: Int64, amount: NanoUSD)? in
            let day = Self.monday - 28 + Int64(index)
            return index % 7 < 5 ? (day: day, amount: dollars(20)) : nil
        }
        let week = Period(start: Self.monday * Self.day, end: (Self.monday + 7) * Self.day)
        let friday = (0..<5).map { (day: Self.monday + Int64($0), amount: dollars(20)) }
        let projection = project(
            days + friday, spent: 100, period: week, now: (Self.monday + 5) * Self.day - 1)
        // An even pace would say 140.
        #expect(projection.projected < dollars(125))
        #expect(projection.projected >= dollars(100))
        #expect(projection.low <= projection.projected && projection.projected <= projection.high)
    }

    @Test func `a first hour tells little, and what is used up breaches no more`() {
        let early = project([], spent: 1, now: Self.november.start + 300)
        #expect(early.projected == dollars(1) && early.confidence == .low)
        let over = project(
            [(day: Self.november.start / Self.day, amount: dollars(60))], spent: 60, limit: 50,
            now: Self.november.start + Self.day)
        #expect(over.breachAt == nil && over.projected > dollars(60))
    }

    @Test func `growth is told as a trend`() {
        let now = Self.november.start + 20 * Self.day
        func days(_ amount: (Int64) -> Int64) -> [(day: Int64, amount: NanoUSD)] {
            (1...20).map { (day: now / Self.day - 21 + $0, amount: dollars(amount($0))) }
        }
        #expect(project(days { $0 }, spent: 200, now: now).trend == .rising)
        #expect(project(days { 21 - $0 }, spent: 200, now: now).trend == .falling)
    }

    @Test func `the same week again is no trend, on whichever day somebody asks`() {
        // $6 on working days since long ago, and for so many days only.
        for today in Self.monday..<Self.monday + 7 {
            for known in [15, 16, 19, 20, 24, 28, 29, 60] as [Int64] {
                let days = (today - known...today).compactMap {
                    (($0 - Self.monday) % 7 + 7) % 7 < 5 ? (day: $0, amount: dollars(6)) : nil
                }
                let projection = project(days, spent: 60, now: today * Self.day + 43_200)
                #expect(projection.trend == .steady, "\(today - Self.monday), \(known) days")
            }
        }
    }

    @Test func `a week above the one before is a trend, from two whole weeks on`() {
        let today = Self.monday + 2
        /// Working days alone, $5 more in each week; the first of `known` days began in its middle.
        func trend(_ known: Int64, by step: Int64) -> Projection.Trend {
            let days = (1...known).reversed().compactMap { back -> (day: Int64, amount: NanoUSD)? in
                let day = today - back
                guard ((day - Self.monday) % 7 + 7) % 7 < 5 else { return nil }
                return (day: day, amount: dollars(30 - step * ((Self.monday + 6 - day) / 7)))
            }
            return project(days, spent: 60, now: today * Self.day).trend
        }
        #expect(trend(28, by: 5) == .rising && trend(28, by: -5) == .falling)
        #expect(trend(28, by: 1) == .steady)
        #expect(trend(40, by: 5) == .rising)
        // Tuesday to Monday, twice, without the day on which it began.
        #expect(trend(15, by: 5) == .rising && trend(14, by: 5) == .steady)
    }

    @Test func `who began in the evening does not rise for it`() {
        let today = Self.monday
        let days = (today - 15..<today).map {
            (day: $0, amount: $0 == today - 15 ? dollars(1) : dollars(24))
        }
        #expect(project(days, spent: 60, now: today * Self.day).trend == .steady)
    }

    @Test func `roots are whole and rounded down`() {
        for (value, root): (UInt128, UInt64) in [
            (0, 0), (1, 1), (3, 1), (4, 2), (99, 9), (100, 10),
            (UInt128(UInt64.max), 4_294_967_295),
        ] {
            #expect(Projection.squareRoot(value) == root)
        }
    }
}
