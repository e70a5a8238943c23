internal import Budgets
internal import Usage
internal import Wire

// `budgets[].enforce`: what calls that ask first are told.
extension ConfigurationMap {
    private static let partMax: Int64 = 10_000_000_000

    /// Nil when the key is not there: the budget watches and tells.
    mutating func enforcement(_ name: String) -> Enforcement? {
        let isThere = has(name)
        var map = map(name)
        defer { map.finish() }
        guard isThere || reader.isListingKeys else { return nil }
        var enforcement = Enforcement()
        enforcement.mode = map.word("mode", default: enforcement.mode)
        enforcement.throttleAt = map.part("throttle_at", default: enforcement.throttleAt)
        enforcement.denyAt = map.part("deny_at", default: enforcement.denyAt)
        enforcement.grace = map.part("grace", default: enforcement.grace)
        enforcement.pausesAutomatically = map.boolean("auto_pause", default: false)
        enforcement.whenUnsure = map.word("when_unsure", default: enforcement.whenUnsure)
        if enforcement.denyAt == 0 {
            map.fault("deny_at", "must be above 0; write 1 for the whole limit")
        }
        if map.has("throttle_at"), enforcement.denyAt > 0,
            enforcement.throttleAt > enforcement.denyAt
        {
            map.fault(
                "throttle_at", "is above deny_at: calls would be denied before they are slowed")
        }
        return enforcement
    }

    private mutating func part(_ name: String, default fallback: Int64) -> Int64 {
        scalar(name, default: fallback, expected: "a part of the limit from 0 to 10, such as 0.8") {
            guard case .value(let part) = FixedPoint.read(Array($0.utf8).span, scale: 9), part >= 0,
                part <= Self.partMax
            else { return nil }
            return part
        }
    }
}
