internal import Wire

/// Days as price lists write them.
public enum PriceDay {
    /// Unix seconds at which the day `2026-12-31` begins in UTC, or of an RFC 3339 moment.
    public static func start(of text: String) -> Int64? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        if parts.count == 3, parts[0].utf8.count == 4, parts[1].utf8.count == 2,
            parts[2].utf8.count == 2, let year = Int(parts[0]), let month = Int(parts[1]),
            let day = Int(parts[2]), (1...12).contains(month), day >= 1,
            day <= RFC3339.daysIn(month: month, year: year)
        {
            let days = RFC3339.daysSinceEpoch(year: year, month: month, day: day)
            return Int64(days) * RFC3339.secondsPerDay
        }
        return RFC3339.read(Array(text.utf8).span).map { $0 / RFC3339.nanosPerSecond }
    }
}
