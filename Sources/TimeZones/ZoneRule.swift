internal import Wire

/// A POSIX TZ string, such as `CET-1CEST,M3.5.0,M10.5.0/3`: standard time, and between two days of
/// each year daylight saving time. IEEE Std 1003.1, section 8.3, with the longer times of RFC 8536.
struct ZoneRule: Equatable, Sendable {
    private enum Day: Equatable, Sendable {
        /// The nth weekday of a month; week 5 is the last one. Sunday is 0.
        case weekday(month: Int, week: Int, weekday: Int)
        /// 1 to 365, February 29 never counted.
        case julian(Int)
        /// 0 to 365, February 29 counted.
        case ordinal(Int)
    }

    private struct Change: Equatable, Sendable {
        let day: Day
        /// Seconds on the local clock before the change; may be negative or above a day.
        let seconds: Int64
    }

    private let standardOffset: Int64
    private let daylightOffset: Int64
    private let changes: (start: Change, end: Change)?

    static func == (left: ZoneRule, right: ZoneRule) -> Bool {
        left.standardOffset == right.standardOffset && left.daylightOffset == right.daylightOffset
            && left.changes?.start == right.changes?.start
            && left.changes?.end == right.changes?.end
    }

    init?(_ text: String) {
        var scanner = Scanner(text)
        guard scanner.skipName(), let standard = scanner.time() else { return nil }
        // The string counts west of Greenwich as positive.
        standardOffset = -standard
        guard !scanner.isAtEnd else {
            daylightOffset = standardOffset
            changes = nil
            return
        }
        guard scanner.skipName() else { return nil }
        daylightOffset = scanner.time().map { -$0 } ?? standardOffset + 3600
        guard scanner.skip(","), let start = scanner.change(), scanner.skip(","),
            let end = scanner.change(), scanner.isAtEnd
        else { return nil }
        changes = (start, end)
    }

    func offset(at unixSeconds: Int64) -> Int64 {
        guard let changes else { return standardOffset }
        let local = unixSeconds + standardOffset
        let year = RFC3339.civil(daysSinceEpoch: Int(floorDivide(local, 86_400))).year
        let start = Self.moment(changes.start, year) - standardOffset
        let end = Self.moment(changes.end, year) - daylightOffset
        // South of the equator summer spans the turn of the year.
        let isDaylight =
            start < end
            ? unixSeconds >= start && unixSeconds < end
            : unixSeconds >= start || unixSeconds < end
        return isDaylight ? daylightOffset : standardOffset
    }

    /// Local seconds of a change in a year.
    private static func moment(_ change: Change, _ year: Int) -> Int64 {
        let newYear = RFC3339.daysSinceEpoch(year: year, month: 1, day: 1)
        let day: Int
        switch change.day {
        case .ordinal(let number): day = newYear + number
        case .julian(let number):
            let isAfterLeapDay = number >= 60 && RFC3339.daysIn(month: 2, year: year) == 29
            day = newYear + number - 1 + (isAfterLeapDay ? 1 : 0)
        case .weekday(let month, let week, let weekday):
            let first = RFC3339.daysSinceEpoch(year: year, month: month, day: 1)
            // 1970-01-01 was a Thursday.
            let firstWeekday = ((first + 4) % 7 + 7) % 7
            var date = first + (weekday - firstWeekday + 7) % 7 + (week - 1) * 7
            if date >= first + RFC3339.daysIn(month: month, year: year) { date -= 7 }
            day = date
        }
        return Int64(day) * 86_400 + change.seconds
    }

    private struct Scanner {
        private var rest: Substring

        init(_ text: String) { rest = text[...] }

        var isAtEnd: Bool { rest.isEmpty }

        mutating func skip(_ character: Character) -> Bool {
            guard rest.first == character else { return false }
            rest.removeFirst()
            return true
        }

        /// Letters, or anything between angle brackets.
        mutating func skipName() -> Bool {
            if rest.first == "<" {
                guard let end = rest.firstIndex(of: ">") else { return false }
                rest = rest[rest.index(after: end)...]
                return true
            }
            let letters = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(letters.count)
            return letters.count >= 3
        }

        mutating func number() -> Int? {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            rest = rest.dropFirst(digits.count)
            return digits.count <= 4 ? Int(digits) : nil
        }

        /// `[+-]hh[:mm[:ss]]` in seconds; nil without digits.
        mutating func time() -> Int64? {
            let start = rest
            let isNegative = skip("-")
            if !isNegative { _ = skip("+") }
            guard let hours = number(), hours <= 167 else {
                rest = start
                return nil
            }
            var seconds = Int64(hours) * 3600
            if skip(":") {
                guard let minutes = number(), minutes < 60 else { return nil }
                seconds += Int64(minutes) * 60
                if skip(":") {
                    guard let rest = number(), rest < 60 else { return nil }
                    seconds += Int64(rest)
                }
            }
            return isNegative ? -seconds : seconds
        }

        mutating func change() -> Change? {
            let day: Day
            if skip("M") {
                guard let month = number(), (1...12).contains(month), skip("."),
                    let week = number(), (1...5).contains(week), skip("."),
                    let weekday = number(), (0...6).contains(weekday)
                else { return nil }
                day = .weekday(month: month, week: week, weekday: weekday)
            } else if skip("J") {
                guard let number = number(), (1...365).contains(number) else { return nil }
                day = .julian(number)
            } else {
                guard let number = number(), (0...365).contains(number) else { return nil }
                day = .ordinal(number)
            }
            guard skip("/") else { return Change(day: day, seconds: 7200) }
            guard let seconds = time() else { return nil }
            return Change(day: day, seconds: seconds)
        }
    }
}
