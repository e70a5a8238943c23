internal import TimeZones
public import Usage
internal import Wire

/// A budget as the operator wrote it.
public struct BudgetDefinition: Equatable, Sendable {
    public struct Match: Equatable, Sendable {
        public let dimension: Dimension
        public let pattern: Pattern

        public init(dimension: Dimension, pattern: Pattern) {
            self.dimension = dimension
            self.pattern = pattern
        }
    }

    /// Another limit for scopes whose events match; the first that matches counts.
    public struct Override: Equatable, Sendable {
        public let when: [Match]
        public let limit: NanoUSD

        public init(when: [Match], limit: NanoUSD) {
            self.when = when
            self.limit = limit
        }
    }

    public struct Threshold: Equatable, Sendable {
        /// Part of the limit in thousand-millionths: 0.9 is 900 000 000.
        public let ratioNanos: Int64
        public let severity: Severity

        public init(ratioNanos: Int64, severity: Severity? = nil) {
            self.ratioNanos = ratioNanos
            self.severity = severity ?? Self.severity(of: ratioNanos)
        }

        private static func severity(of ratioNanos: Int64) -> Severity {
            if ratioNanos >= 1_000_000_000 { return .critical }
            return ratioNanos >= 750_000_000 ? .warning : .info
        }

        /// The shortest decimal: `0.5`, `1`.
        public var text: String {
            var bytes: [UInt8] = []
            FixedPoint.append(ratioNanos, scale: 9, to: &bytes)
            return bytes.text
        }

        /// True from exactly this part of the limit on.
        public func isReached(spent: NanoUSD, limit: NanoUSD) -> Bool {
            Int128(spent.nanos) * 1_000_000_000 >= Int128(limit.nanos) * Int128(ratioNanos)
        }

        /// At least 95 % of what reaches it.
        func isNear(spent: NanoUSD, limit: NanoUSD) -> Bool {
            Int128(spent.nanos) * 100_000_000_000
                >= Int128(limit.nanos) * Int128(ratioNanos) * 95
        }
    }

    /// More thresholds than this on one budget are a configuration fault.
    public static let thresholdsMax = 16
    /// Scopes that a budget keeps; events of further ones are counted and not watched.
    public static let scopesMax = 100_000

    public var name: String
    public var match: [Match]
    /// One budget per value of these; empty: one over all matching events.
    public var each: [Dimension]
    public var overrides: [Override]
    public var period: PeriodRule
    public var limit: NanoUSD
    /// Ascending.
    public var thresholds: [Threshold]
    public var cooldownNanos: Int64
    /// Warn when the pace would use up the rest long before the period ends.
    public var burns: Bool
    /// Warn when the projection to the period's end passes the limit.
    public var forecasts = false
    /// What calls that ask first are told; nil: they go ahead.
    public var enforcement: Enforcement?
    /// The unused part of a period goes into the next one, up to this part of the limit, in
    /// thousand-millionths; nil: it does not.
    public var rolloverCap: Int64?
    /// Scopes of conversations, tasks and requests are forgotten when nothing was spent for so
    /// long; they begin anew when they come again.
    public var idleNanos: Int64 = 86_400 * 1_000_000_000

    public init(
        name: String, match: [Match] = [], each: [Dimension] = [], overrides: [Override] = [],
        period: PeriodRule = PeriodRule(kind: .month), limit: NanoUSD,
        thresholds: [Threshold] = Self.defaultThresholds,
        cooldownNanos: Int64 = 3600 * 1_000_000_000, burns: Bool = true
    ) {
        self.name = name
        self.match = match
        self.each = each
        self.overrides = overrides
        self.period = period
        self.limit = limit
        self.thresholds = thresholds.sorted { $0.ratioNanos < $1.ratioNanos }
        self.cooldownNanos = cooldownNanos
        self.burns = burns
    }

    public static let defaultThresholds = [500_000_000, 750_000_000, 900_000_000, 1_000_000_000]
        .map { Threshold(ratioNanos: $0) }

    /// Every dimension that decides about an event, each once.
    public var dimensions: [Dimension] {
        var dimensions: [Dimension] = each
        for match in match + overrides.flatMap(\.when) where !dimensions.contains(match.dimension) {
            dimensions.append(match.dimension)
        }
        return dimensions
    }

    /// Some value that decides is kept as text: conversation, task or request.
    var readsText: Bool { dimensions.contains { !$0.isLabel } }

    /// Its scopes come and go.
    public var hasShortLivedScopes: Bool { each.contains { !$0.isLabel } }

    /// The pace is watched: a rolling window has no end to compare it with.
    var watchesPace: Bool { burns && !period.isRolling }

    /// Stands for everything that decides which spend belongs to a scope and a period; spend is
    /// stored under it. A changed limit or threshold leaves it as it is.
    public var identity: String {
        var text = name
        for match in match { text += "\u{1}m\(match.dimension)=\(match.pattern)" }
        for dimension in each { text += "\u{1}e\(dimension)" }
        text += "\u{1}p\(period.kind.rawValue)/\(period.zone.name)/\(period.weekStart.rawValue)"
        text += "/\(period.resetHour)"
        if period.isRolling { text += "/r\(period.rollingSeconds)" }
        if period.monthStartDay != 1 { text += "/\(period.monthStartDay)" }
        return Self.fnv1a(text)
    }

    /// FNV-1a, 64 bits (https://datatracker.ietf.org/doc/html/rfc9923): the same in every build.
    private static func fnv1a(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
