internal import Anomalies
internal import Usage
internal import YAML

// `anomalies`: what is watched and when it is told.
extension Configuration {
    private static let day: Int64 = 86_400_000_000_000
    static let rulesMax = 8

    static func readAnomalies(_ map: inout ConfigurationMap) -> AnomalySettings {
        var settings = AnomalySettings()
        var section = map.map("anomalies")
        settings.isEnabled = section.boolean("enabled", default: settings.isEnabled)
        settings.windowSeconds = section.scalar(
            "window", default: settings.windowSeconds,
            expected: "a duration from 1m to 1h that divides an hour, such as 5m"
        ) { text in
            guard let nanos = DurationText.nanos(text), nanos % 1_000_000_000 == 0 else {
                return nil
            }
            let seconds = nanos / 1_000_000_000
            let range =
                AnomalySettings.windowSecondsMin...AnomalySettings.windowSecondsMax
            return range.contains(seconds) && 3600 % seconds == 0 ? seconds : nil
        }
        settings.latenessNanos = section.nanos(
            "lateness", default: settings.latenessNanos, in: 0...day)
        settings.dimensions = section.list(
            "dimensions", default: settings.dimensions,
            countMax: AnomalySettings.dimensionsMax,
            expected: "a dimension that can be watched: tenant, user, feature, agent, operation, "
                + "provider, model or tags.NAME"
        ) { text in
            Dimension(text).flatMap { $0.isLabel && $0 != .status && $0 != .stage ? $0 : nil }
        }
        if Set(settings.dimensions).count < settings.dimensions.count {
            section.fault("dimensions", "names a dimension twice")
        }
        if settings.dimensions.isEmpty {
            section.fault("dimensions", "is empty; write enabled: false to watch nothing")
        }
        settings.seriesMax = section.integer(
            "max_series", default: settings.seriesMax, in: 1...10_000)
        readPolicy(&section, &settings)
        settings.rules = section.maps("rules", countMax: rulesMax) { readRule(&$0) } ?? []
        settings.snapshotNanos = section.nanos(
            "retention", default: settings.snapshotNanos, in: day...(366 * day))
        section.finish()
        return settings
    }

    private static func readPolicy(
        _ section: inout ConfigurationMap, _ settings: inout AnomalySettings
    ) {
        settings.spend.minDollars = section.number(
            "min_usd", default: settings.spend.minDollars, in: 0...1e9)
        settings.spend.minEvents = section.number(
            "min_events", default: settings.spend.minEvents, in: 0...1e9)
        settings.newSpenderDollars = section.number(
            "new_spender_usd", default: settings.newSpenderDollars, in: 0...1e9)
        let warmup = section.nanos("warmup", default: 7 * day, in: day...(28 * day))
        settings.spend.warmupDays = Double(warmup) / Double(day)
        let cooldown = section.nanos("cooldown", default: day, in: 0...(28 * day))
        settings.spend.cooldownSeconds = Double(cooldown) / 1e9
        settings.spend.watchesDrops = section.boolean("drops", default: true)
    }

    private static func readRule(_ map: inout ConfigurationMap) -> SpendRule? {
        let isListing = map.reader.isListingKeys
        for key in ["kind", "over"] where !map.has(key) && !isListing {
            map.missing(key, "a rule is, for example, {kind: ratio, over: 2, baseline: 7d}")
        }
        let kind: SpendRule.Kind = map.word("kind", default: .ratio)
        let over = map.number("over", default: 2, in: 0.1...1000)
        let baseline = map.nanos(
            "baseline", default: 7 * day, in: day...(Int64(SpendRule.daysMax) * day))
        if baseline % day != 0 { map.fault("baseline", "must be whole days, such as 7d") }
        return SpendRule(kind: kind, over: over, baselineDays: Int(baseline / day))
    }
}

extension ConfigurationMap {
    /// A number that decides and is no amount of money in a sum.
    mutating func number(
        _ name: String, default fallback: Double, in range: ClosedRange<Double>
    ) -> Double {
        func text(_ bound: Double) -> String {
            bound == bound.rounded() ? String(Int64(bound)) : "\(bound)"
        }
        return scalar(
            name, default: fallback,
            expected: "a number from \(text(range.lowerBound)) to \(text(range.upperBound))",
            isText: false
        ) { text in
            Double(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}
