/// Moments as RFC 3339 text and Unix nanoseconds (years 1970 to 2261, what Int64 holds).
///
/// Calendar arithmetic follows Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
/// (https://howardhinnant.github.io/date_algorithms.html): years begin in March, so that the leap
/// day is the last day of a year.
public enum RFC3339 {
    public static let nanosPerSecond: Int64 = 1_000_000_000
    public static let secondsPerDay: Int64 = 86_400

    /// `2026-11-20T10:00:00.250Z`, `2026-11-20 11:00:00+01:00`. A zone is required: a local time
    /// without one is ambiguous. Digits past the ninth of a fraction are cut off.
    public static func read(_ text: Span<UInt8>) -> Int64? {
        guard text.count >= 20,
            let year = number(text, at: 0, digits: 4), text[4] == UInt8(ascii: "-"),
            let month = number(text, at: 5, digits: 2), text[7] == UInt8(ascii: "-"),
            let day = number(text, at: 8, digits: 2), isDateSeparator(text[10]),
            let hour = number(text, at: 11, digits: 2), text[13] == UInt8(ascii: ":"),
            let minute = number(text, at: 14, digits: 2), text[16] == UInt8(ascii: ":"),
            let second = number(text, at: 17, digits: 2)
        else { return nil }
        // A leap second (60) is read as the first moment of the next minute, as POSIX time does.
        guard (1970...2261).contains(year), (1...12).contains(month), day >= 1,
            day <= daysIn(month: month, year: year), hour < 24, minute < 60, second <= 60
        else { return nil }
        var at = 19
        guard let nanos = fraction(text, &at), let offset = zoneOffset(text, &at), at == text.count
        else { return nil }
        let seconds =
            Int64(daysSinceEpoch(year: year, month: month, day: day)) * secondsPerDay
            + Int64(hour * 3600 + minute * 60 + second - offset)
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: nanosPerSecond)
        let (total, overflowed) = scaled.addingReportingOverflow(nanos)
        return overflow || overflowed || total < 0 ? nil : total
    }

    /// Whole seconds print without a fraction, others with three, six or nine digits.
    public static func shortText(unixNanos: Int64) -> ShortText {
        let seconds = floorDivide(unixNanos, nanosPerSecond)
        var nanos = unixNanos - seconds * nanosPerSecond
        let days = floorDivide(seconds, secondsPerDay)
        let time = Int(seconds - days * secondsPerDay)
        let date = civil(daysSinceEpoch: Int(days))
        var text = ShortText()
        text.prepend(UInt8(ascii: "Z"))
        if nanos != 0 {
            var digits = 9
            while nanos % 1000 == 0 {
                nanos /= 1000
                digits -= 3
            }
            for _ in 0..<digits {
                text.prepend(UInt8(ascii: "0") + UInt8(nanos % 10))
                nanos /= 10
            }
            text.prepend(UInt8(ascii: "."))
        }
        text.prepend(twoDigits: time % 60)
        text.prepend(UInt8(ascii: ":"))
        text.prepend(twoDigits: time / 60 % 60)
        text.prepend(UInt8(ascii: ":"))
        text.prepend(twoDigits: time / 3600)
        text.prepend(UInt8(ascii: "T"))
        text.prepend(twoDigits: date.day)
        text.prepend(UInt8(ascii: "-"))
        text.prepend(twoDigits: date.month)
        text.prepend(UInt8(ascii: "-"))
        text.prepend(twoDigits: date.year % 100)
        text.prepend(twoDigits: date.year / 100)
        return text
    }

    public static func append(unixNanos: Int64, to bytes: inout [UInt8]) {
        bytes.append(shortText(unixNanos: unixNanos))
    }

    public static func text(unixNanos: Int64) -> String {
        var bytes: [UInt8] = []
        append(unixNanos: unixNanos, to: &bytes)
        return bytes.text
    }

    public static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let marchYear = month <= 2 ? year - 1 : year
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    public static func civil(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    public static func daysIn(month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func number(_ text: Span<UInt8>, at start: Int, digits: Int) -> Int? {
        var value = 0
        for index in start..<start + digits {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        return value
    }

    private static func isDateSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "T") || byte == UInt8(ascii: "t") || byte == UInt8(ascii: " ")
    }

    private static func fraction(_ text: Span<UInt8>, _ at: inout Int) -> Int64? {
        guard at < text.count, text[at] == UInt8(ascii: ".") else { return 0 }
        at += 1
        var nanos: Int64 = 0
        var unit = nanosPerSecond / 10
        let start = at
        while at < text.count {
            let digit = text[at] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            nanos += Int64(digit) * unit
            unit /= 10
            at += 1
        }
        return at > start ? nanos : nil
    }

    /// Seconds east of Greenwich.
    private static func zoneOffset(_ text: Span<UInt8>, _ at: inout Int) -> Int? {
        guard at < text.count else { return nil }
        let sign = text[at]
        at += 1
        if sign == UInt8(ascii: "Z") || sign == UInt8(ascii: "z") { return 0 }
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), text.count >= at + 5,
            let hours = number(text, at: at, digits: 2), text[at + 2] == UInt8(ascii: ":"),
            let minutes = number(text, at: at + 3, digits: 2), hours < 24, minutes < 60
        else { return nil }
        at += 5
        let offset = hours * 3600 + minutes * 60
        return sign == UInt8(ascii: "-") ? -offset : offset
    }
}

extension ShortText {
    @inline(__always)
    fileprivate mutating func prepend(twoDigits value: Int) {
        prepend(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
        prepend(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10 % 10))
    }
}

/// Division that rounds toward negative infinity, as calendars need before 1970.
@inlinable
public func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
}
