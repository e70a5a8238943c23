public import TimeZones
internal import Wire

/// A span of time in Unix seconds: `start` belongs to it, `end` does not.
public struct Period: Hashable, Sendable {
    public let start: Int64
    public let end: Int64

    public init(start: Int64, end: Int64) {
        self.start = start
        self.end = end
    }

    /// The one period of a rolling budget: what counts is a matter of the moment. Ends with the
    /// year 9999.
    static let always = Period(start: 0, end: 253_402_300_800)

    public func contains(_ unixSeconds: Int64) -> Bool {
        unixSeconds >= start && unixSeconds < end
    }
}

/// Calendar periods on the local clock of a zone. There is no reset job: a period is computed from
/// the time of an event, and a new one is a new key.
public struct PeriodRule: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case hour, day, week, month, quarter, year
    }

    public enum Weekday: String, CaseIterable, Sendable {
        case monday, tuesday, wednesday, thursday, friday, saturday, sunday

        /// Monday is 0.
        var number: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    public var kind: Kind
    public var zone: Zone
    public var weekStart: Weekday
    /// Hour of the local clock at which days, weeks and months begin.
    public var resetHour: Int
    /// Day on which months, quarters and years begin, 1 to 28: every month has it.
    public var monthStartDay = 1
    /// Above 0: not a calendar period but always the last so many seconds.
    public var rollingSeconds: Int64 = 0

    public init(
        kind: Kind, zone: Zone = .utc, weekStart: Weekday = .monday, resetHour: Int = 0
    ) {
        self.kind = kind
        self.zone = zone
        self.weekStart = weekStart
        self.resetHour = resetHour
    }

    public var isRolling: Bool { rollingSeconds > 0 }

    /// `month`, or `rolling`.
    public var word: String { isRolling ? "rolling" : kind.rawValue }

    /// The length of a rolling window: `24h`, `90m`.
    public var rollingText: String {
        if rollingSeconds % 3600 == 0 { return "\(rollingSeconds / 3600)h" }
        return rollingSeconds % 60 == 0 ? "\(rollingSeconds / 60)m" : "\(rollingSeconds)s"
    }

    public func period(containing unixSeconds: Int64) -> Period {
        if isRolling { return .always }
        if kind == .hour { return hour(containing: unixSeconds) }
        let local = zone.local(unixSeconds) - Int64(resetHour) * 3600
        var day = Int(floorDivide(local, 86_400))
        // Where clocks change, the local reading can be off by the change; then the neighbour is
        // right.
        for step in [0, -1, 1] {
            let first = firstDay(of: day + step)
            let candidate = Period(start: moment(first), end: moment(firstDayAfter(first)))
            if candidate.contains(unixSeconds) { return candidate }
        }
        day = firstDay(of: day)
        return Period(start: moment(day), end: moment(firstDayAfter(day)))
    }

    /// The period before or after another.
    public func period(before period: Period) -> Period {
        self.period(containing: period.start - 1)
    }

    /// A whole hour of the local clock; one that comes twice is two periods.
    private func hour(containing unixSeconds: Int64) -> Period {
        let offset = zone.offset(at: unixSeconds)
        let start = floorDivide(unixSeconds + offset, 3600) * 3600 - offset
        return Period(start: start, end: start + 3600)
    }

    /// Days since 1970 on the local clock.
    private func firstDay(of day: Int) -> Int {
        switch kind {
        case .hour, .day: return day
        case .week:
            // 1970-01-01 was a Thursday: three days after Monday.
            let sinceStart = ((day + 3 - weekStart.number) % 7 + 7) % 7
            return day - sinceStart
        case .month, .quarter, .year:
            let date = RFC3339.civil(daysSinceEpoch: day)
            var month = date.year * 12 + date.month - 1
            if date.day < monthStartDay { month -= 1 }
            return firstDay(ofMonth: month / months * months)
        }
    }

    /// Calendar months of a period.
    private var months: Int {
        switch kind {
        case .year: 12
        case .quarter: 3
        default: 1
        }
    }

    /// Months count from the year 0.
    private func firstDay(ofMonth month: Int) -> Int {
        RFC3339.daysSinceEpoch(year: month / 12, month: month % 12 + 1, day: monthStartDay)
    }

    private func firstDayAfter(_ first: Int) -> Int {
        switch kind {
        case .hour, .day: return first + 1
        case .week: return first + 7
        case .month, .quarter, .year:
            let date = RFC3339.civil(daysSinceEpoch: first)
            return firstDay(ofMonth: date.year * 12 + date.month - 1 + months)
        }
    }

    private func moment(_ day: Int) -> Int64 {
        zone.unixSeconds(local: Int64(day) * 86_400 + Int64(resetHour) * 3600)
    }

    /// Names a period in keys: `2026`, `2026-Q4`, `2026-11`, `2026-11-20`, `week-2026-11-16`,
    /// `2026-11-20T09Z` (UTC, because a local hour can come twice), `rolling-24h`.
    public func key(of period: Period) -> String {
        if isRolling { return "rolling-\(rollingText)" }
        if kind == .hour {
            return String(RFC3339.text(unixNanos: period.start * 1_000_000_000).prefix(13)) + "Z"
        }
        // Where midnight is left out, the period begins later on that same day.
        let local = zone.local(period.start) - Int64(resetHour) * 3600
        let date = RFC3339.civil(daysSinceEpoch: Int(floorDivide(local, 86_400)))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        switch kind {
        case .year: return "\(date.year)"
        case .quarter: return "\(date.year)-Q\((date.month - 1) / 3 + 1)"
        case .month: return "\(date.year)-\(two(date.month))"
        case .week: return "week-\(date.year)-\(two(date.month))-\(two(date.day))"
        case .hour, .day: return "\(date.year)-\(two(date.month))-\(two(date.day))"
        }
    }
}
