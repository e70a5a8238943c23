internal import Alerts
internal import Usage
internal import Wire

// `alerts.silences`: what nobody is to be told of for a while.
extension ConfigurationMap {
    mutating func silences(_ name: String, receivers: [String]) -> [Silence] {
        var number = 0
        return maps(name, countMax: Silence.countMax) { entry -> Silence? in
            number += 1
            let match = entry.silenceMatch("match", receivers)
            if match.isEmpty, !entry.reader.isListingKeys, !entry.has("match") {
                entry.missing("match", "write {kind: \"*\"} to silence every alert")
            }
            let starts = entry.time("starts_at")
            let ends = entry.time("ends_at")
            for (key, value) in [("starts_at", starts), ("ends_at", ends)]
            where value == nil && !entry.has(key) && !entry.reader.isListingKeys {
                entry.missing(key, "write a time such as 2026-12-24T18:00:00Z")
            }
            if let starts, let ends, ends <= starts {
                entry.fault("ends_at", "must be after starts_at")
            }
            return Silence(
                id: "file-\(number)", match: match,
                author: entry.string(
                    "author", default: "configuration", bytesMax: Limits.textBytes),
                reason: entry.string("reason", default: "", bytesMax: 1000),
                startsAt: starts ?? 0, endsAt: ends ?? 0, isConfigured: true)
        } ?? []
    }

    private mutating func silenceMatch(
        _ name: String, _ receivers: [String]
    ) -> [AlertRouter.Match] {
        texts(name, countMax: Silence.matchesMax).compactMap { entry in
            guard Silence.isField(entry.name) else {
                reader.fault(
                    entry.mark, "\(key(name)).\(entry.name)",
                    "alerts have no such field; there are "
                        + Silence.fields.joined(separator: ", ")
                        + " and the dimensions of budgets and anomalies, such as tenant")
                return nil
            }
            Configuration.checkMatch(entry, receivers, self)
            return AlertRouter.Match(field: entry.name, pattern: Pattern(entry.values))
        }
    }

    /// Unix nanoseconds.
    private mutating func time(_ name: String) -> Int64? {
        scalar(name, default: nil, expected: "a time such as 2026-12-24T18:00:00Z") { text in
            RFC3339.read(Array(text.utf8).span).map { .some($0) }
        }
    }
}
