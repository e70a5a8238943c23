public import Usage
internal import Wire

/// Where spend leads by the end of a period: the pace of the period so far, spread over the days to
/// come by the profile of the week, with a band from how much single days stray.
///
///     projected = spent + pace x weight of the time left
///     pace      = (spent + k x mean day) / (weight of the time passed + k)
///     weight    = time x factor of its weekday; the factors are those of the last four weeks
///
/// A little of the mean day (k) keeps the first hours of a period from saying too much. All in
/// integers: amounts in nano-dollars, factors in millionths.
public struct Projection: Equatable, Sendable {
    public struct Input: Sendable {
        /// Spend by local day (days since 1970), ascending; days without spend may be missing.
        public let days: [(day: Int64, amount: NanoUSD)]
        public let spent: NanoUSD
        public let limit: NanoUSD?
        public let period: Period
        /// Unix seconds.
        public let now: Int64
        /// Of the local clock.
        public let offsetSeconds: Int64

        public init(
            days: [(day: Int64, amount: NanoUSD)], spent: NanoUSD, limit: NanoUSD?, period: Period,
            now: Int64, offsetSeconds: Int64 = 0
        ) {
            self.days = days
            self.spent = spent
            self.limit = limit
            self.period = period
            self.now = now
            self.offsetSeconds = offsetSeconds
        }
    }

    public enum Trend: String, Sendable { case rising, falling, steady }
    public enum Confidence: String, Sendable { case low, medium, high }

    public let projected: NanoUSD
    /// Four of five periods end between these.
    public let low: NanoUSD
    public let high: NanoUSD
    /// Unix seconds at which the limit is reached; nil when it is not, or was reached already.
    public let breachAt: Int64?
    /// Of a whole day, by the last four weeks.
    public let average: NanoUSD
    public let trend: Trend
    public let confidence: Confidence

    public static let historyDays: Int64 = 28
    private static let day: Int64 = 86_400
    private static let one: Int64 = 1_000_000

    public init(_ input: Input) {
        let history = History(input)
        let left = max(input.now, input.period.start)
        let begin = max(input.period.start, history.firstSecond ?? input.period.start)
        let passed = history.weight(from: min(begin, left), to: left)
        let prior =
            history.amounts.count < 3
            ? 0
            : Int128(min(Self.day, (input.period.end - input.period.start) / 8)) * Int128(Self.one)
        let mean = Int128(history.mean)
        let base = passed + prior
        let priorSpend = mean * prior / (Int128(Self.day) * Int128(Self.one))
        let pace: (nanos: Int128, weight: Int128) = (Int128(input.spent.nanos) + priorSpend, base)
        let rest = history.weight(from: left, to: max(left, input.period.end))
        // Ten minutes of nothing else to go by tell nothing.
        let knows = base >= 600 * Int128(Self.one)
        let more = knows ? pace.nanos * rest / max(1, pace.weight) : 0
        projected = Self.cents(Int128(input.spent.nanos) + more)
        let stray = Self.stray(history, more: more, rest: rest)
        low = Self.cents(Int128(input.spent.nanos) + max(0, more - stray))
        high = Self.cents(Int128(input.spent.nanos) + more + stray)
        average = NanoUSD(nanos: history.mean)
        trend = history.trend
        breachAt =
            knows ? Self.breach(input, history, pace: pace, from: left) : nil
        let share = stray * 100 / max(1, Int128(projected.nanos))
        confidence =
            history.amounts.count >= 14 && share <= 25
            ? .high : history.amounts.count >= 5 && share <= 60 ? .medium : .low
    }

    /// A guess: cents are more than enough.
    private static func cents(_ nanos: Int128) -> NanoUSD {
        NanoUSD(nanos: Int64(clamping: (nanos + 5_000_000) / 10_000_000 * 10_000_000))
    }

    /// Half of the band: 1.28 standard deviations of the days to come and of the mean itself. With
    /// less than a week to go by, half of what is still expected.
    private static func stray(_ history: History, more: Int128, rest: Int128) -> Int128 {
        let count = Int128(history.amounts.count)
        guard count >= 7 else { return more / 2 }
        let days = rest / Int128(one) * 1000 / Int128(day)
        let deviation = Int128(history.deviation)
        let variance = deviation * deviation * (days + days * days / 1000 / count) / 1000
        return Int128(squareRoot(UInt128(max(0, variance)))) * 128 / 100
    }

    private static func breach(
        _ input: Input, _ history: History, pace: (nanos: Int128, weight: Int128), from start: Int64
    ) -> Int64? {
        guard let limit = input.limit, pace.nanos > 0 else { return nil }
        var missing = Int128(limit.nanos - input.spent.nanos)
        guard missing > 0 else { return nil }
        var at = start
        while at < input.period.end {
            let next = min(input.period.end, history.endOfDay(at))
            let spend = pace.nanos * history.weight(from: at, to: next) / pace.weight
            if spend >= missing, spend > 0 {
                return at + Int64(clamping: Int128(next - at) * missing / spend)
            }
            missing -= spend
            at = next
        }
        return nil
    }

    static func squareRoot(_ value: UInt128) -> UInt64 {
        guard value > 0 else { return 0 }
        var root = UInt128(1) << UInt128((128 - value.leadingZeroBitCount + 1) / 2)
        while true {
            let next = (root + value / root) / 2
            if next >= root { return UInt64(clamping: root) }
            root = next
        }
    }
}

/// The whole days before today, since the first with spend, at most four weeks.
private struct History {
    let amounts: [Int64]
    let mean: Int64
    /// Of single days from what their weekday lets expect.
    let deviation: Int64
    /// When the first day with spend begins.
    let firstSecond: Int64?
    /// History goes back further, so that the first of the days was there from its begin.
    private let isFirstWhole: Bool
    private let factors: [Int64]
    private let offset: Int64

    private static let day: Int64 = 86_400
    private static let one: Int64 = 1_000_000

    init(_ input: Projection.Input) {
        offset = input.offsetSeconds
        let today = floorDivide(input.now + offset, Self.day)
        let known = input.days.filter { $0.amount.nanos > 0 && $0.day <= today }
        let firstDay = known.first?.day
        firstSecond = firstDay.map { $0 * Self.day - input.offsetSeconds }
        let first = max(firstDay ?? today, today - Projection.historyDays)
        isFirstWhole = (firstDay ?? today) < first
        var amounts = [Int64](repeating: 0, count: Int(max(0, today - first)))
        for entry in known where entry.day >= first && entry.day < today {
            amounts[Int(entry.day - first)] += entry.amount.nanos
        }
        let total = amounts.reduce(Int128(0)) { $0 + Int128($1) }
        let mean = amounts.isEmpty ? 0 : Int64(clamping: total / Int128(amounts.count))
        self.amounts = amounts
        self.mean = mean
        let factors = Self.factors(amounts, first: first, mean: mean)
        self.factors = factors
        var squares: Int128 = 0
        for (index, amount) in amounts.enumerated() {
            let expected = Int128(mean) * Int128(factors[Self.weekday(first + Int64(index))])
            let residue = (Int128(amount) - expected / Int128(Self.one)) / 1000
            squares += residue * residue
        }
        deviation =
            amounts.isEmpty
            ? 0
            : Int64(clamping: Projection.squareRoot(UInt128(squares / Int128(amounts.count))))
                .multipliedReportingOverflow(by: 1000).partialValue
    }

    /// With two weeks and more: each weekday's mean, drawn towards the common one by two days'
    /// worth.
    private static func factors(_ amounts: [Int64], first: Int64, mean: Int64) -> [Int64] {
        guard amounts.count >= 14, mean > 0 else { return Array(repeating: one, count: 7) }
        return (0..<7).map { weekday in
            var (sum, count) = (Int128(2) * Int128(mean), Int128(2))
            for (index, amount) in amounts.enumerated()
            where Self.weekday(first + Int64(index)) == weekday {
                sum += Int128(amount)
                count += 1
            }
            return Int64(clamping: sum * Int128(one) / count / Int128(mean))
        }
    }

    /// Thursday, on which 1970 began, is 0.
    private static func weekday(_ day: Int64) -> Int { Int(((day % 7) + 7) % 7) }

    func endOfDay(_ seconds: Int64) -> Int64 {
        (floorDivide(seconds + offset, Self.day) + 1) * Self.day - offset
    }

    /// Seconds times the factors of their days, in millionths.
    func weight(from start: Int64, to end: Int64) -> Int128 {
        var (at, sum) = (start, Int128(0))
        while at < end {
            let next = min(end, endOfDay(at))
            let factor = factors[Self.weekday(floorDivide(at + offset, Self.day))]
            sum += Int128(next - at) * Int128(factor)
            at = next
        }
        return sum
    }

    /// Days of history under which no trend is told: two of each weekday.
    private static let trendDaysMin = 14

    /// By the slope of the least squares lines through the amounts of each weekday, one slope for
    /// all seven: more than a quarter of the mean over the whole. A line through all days would
    /// take the weekend for a fall on Mondays and for a rise on Fridays.
    var trend: Projection.Trend {
        // What began in the middle of its first day would rise.
        let days = isFirstWhole ? amounts[...] : amounts.dropFirst()
        guard days.count >= Self.trendDaysMin, mean > 0 else { return .steady }
        var (product, squares) = (Int128(0), Int128(0))
        for weekday in 0..<7 {
            var (count, x, y, xy, xx) = (Int128(0), Int128(0), Int128(0), Int128(0), Int128(0))
            for (week, index) in stride(
                from: days.startIndex + weekday, to: days.endIndex, by: 7
            ).enumerated() {
                let (week, amount) = (Int128(week), Int128(days[index]))
                count += 1
                x += week
                y += amount
                xy += week * amount
                xx += week * week
            }
            // A weekday comes four times at most: twelve of it can be divided by its count.
            product += 12 * xy - 12 / count * x * y
            squares += 12 * xx - 12 / count * x * x
        }
        let change = product * Int128(days.count) / (7 * squares)
        if change > Int128(mean) / 4 { return .rising }
        return change < -Int128(mean) / 4 ? .falling : .steady
    }
}
