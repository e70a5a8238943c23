public import TimeZones
internal import Wire

/// Rates that hold at certain hours and replace the ordinary ones.
public struct OffPeak: Equatable, Sendable {
    public static let secondsPerDay: Int64 = 86_400

    /// Seconds of the UTC day; `start` inclusive, `end` exclusive. A window whose end is not after
    /// its start runs past midnight; equal ends make a whole day.
    public struct Hours: Equatable, Sendable {
        public var start: Int64
        public var end: Int64

        public init(start: Int64, end: Int64) {
            self.start = start
            self.end = end
        }

        func contains(_ second: Int64) -> Bool {
            start < end ? second >= start && second < end : second >= start || second < end
        }
    }

    public struct Window: Equatable, Sendable {
        public var hours: [Hours]
        /// 1 is Monday, 7 Sunday; nil: every day.
        public var weekdays: Set<Int>?

        public init(hours: [Hours], weekdays: Set<Int>?) {
            self.hours = hours
            self.weekdays = weekdays
        }
    }

    public var windows: [Window]
    public var rates: [PriceRow.Rate]
    /// The calendar in which the weekdays are read.
    public var zone: Zone

    public init(windows: [Window], rates: [PriceRow.Rate], zone: Zone = .utc) {
        self.windows = windows
        self.rates = rates
        self.zone = zone
    }

    subscript(kind: RateKind) -> ExactUSD? { rates.first { $0.key.kind == kind }?.usd }

    public func isOpen(at unixSeconds: Int64) -> Bool {
        let second = unixSeconds - floorDivide(unixSeconds, Self.secondsPerDay) * Self.secondsPerDay
        let day = floorDivide(zone.local(unixSeconds), Self.secondsPerDay)
        // 1970-01-01 was a Thursday.
        let weekday = Int((day + 3) - floorDivide(day + 3, 7) * 7) + 1
        return windows.contains { window in
            (window.weekdays?.contains(weekday) ?? true)
                && window.hours.contains { $0.contains(second) }
        }
    }

    /// The span around a moment in which the answer of `isOpen` cannot change: between two edges of
    /// windows or days, at most a day long.
    func steadySpan(around unixSeconds: Int64) -> Range<Int64> {
        let midnight = floorDivide(unixSeconds, Self.secondsPerDay) * Self.secondsPerDay
        var edges: [Int64] = [midnight, midnight + Self.secondsPerDay]
        for window in windows {
            for hours in window.hours { edges += [midnight + hours.start, midnight + hours.end] }
        }
        // A local midnight lies within the UTC day; the shift of clocks moves it by hours only.
        let local = zone.local(unixSeconds)
        let localMidnight = floorDivide(local, Self.secondsPerDay) * Self.secondsPerDay
        edges += [
            zone.unixSeconds(local: localMidnight),
            zone.unixSeconds(local: localMidnight + Self.secondsPerDay),
        ]
        let start = edges.filter { $0 <= unixSeconds }.max() ?? midnight
        let end = edges.filter { $0 > unixSeconds }.min() ?? midnight + Self.secondsPerDay
        return start..<end
    }
}
