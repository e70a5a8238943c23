internal import Usage

/// Warns when the pace of spending would use up the rest of a budget long before its period ends:
/// over a short and a longer window at once, so that neither a single large call nor a loop that
/// has stopped raises it. After "Alerting on SLOs", The Site Reliability Workbook, chapter 5,
/// https://sre.google/workbook/alerting-on-slos/
enum BurnRate {
    struct Rule: Sendable {
        let shortMinutes: Int64
        let longMinutes: Int64
        /// Times the pace that would just last until the end of the period.
        let factor: Int64
        /// Part of the limit that the long window must have used, in thousandths: small change is
        /// no alarm.
        let shareMille: Int64
    }

    static let rules = [
        Rule(shortMinutes: 1, longMinutes: 5, factor: 10, shareMille: 10),
        Rule(shortMinutes: 5, longMinutes: 60, factor: 4, shareMille: 30),
    ]

    /// An alert ends when no rule has held for this long.
    static let quietNanos: Int64 = 300 * 1_000_000_000

    /// Spend of the last minutes, the running minute included, and the seconds that it covers.
    struct Window: Equatable, Sendable {
        let spent: NanoUSD
        let seconds: Int64
    }

    struct Input {
        let spent: NanoUSD
        let limit: NanoUSD
        let period: Period
        /// Unix seconds.
        let now: Int64
    }

    /// The seconds until the budget is used up at the slower of the two paces, when a rule holds.
    ///
    /// - Parameter isSpread: whether more than one of these minutes has spend: one large call lies
    ///   in both windows and is no pace.
    static func secondsLeft(
        _ input: Input, window: (_ minutes: Int64) -> Window,
        isSpread: (_ minutes: Int64) -> Bool
    ) -> Int64? {
        let rest = input.limit - input.spent
        // What is used up already has told so by its last threshold.
        guard rest > .zero, input.period.contains(input.now) else { return nil }
        let periodLeft = input.period.end - input.now
        for rule in rules {
            let long = window(rule.longMinutes)
            guard
                Int128(long.spent.nanos) * 1000 >= Int128(input.limit.nanos)
                    * Int128(rule.shareMille),
                let slow = secondsLeft(rest, long),
                let fast = secondsLeft(rest, window(rule.shortMinutes))
            else { continue }
            let left = max(slow, fast)
            if left * rule.factor <= periodLeft, isSpread(rule.longMinutes) { return left }
        }
        return nil
    }

    private static func secondsLeft(_ rest: NanoUSD, _ window: Window) -> Int64? {
        guard window.spent > .zero, window.seconds > 0 else { return nil }
        return Int64(
            clamping: Int128(rest.nanos) * Int128(window.seconds) / Int128(window.spent.nanos))
    }

    /// The buckets of a minute ring that hold the last `minutes` whole ones and the running one,
    /// and the time that they cover.
    static func cover(minutes: Int64, now: Int64) -> (buckets: UInt32, seconds: Int64) {
        (UInt32(minutes + 1), minutes * 60 + now % 60)
    }
}

/// Whether a scope's burn alert is open.
struct BurnState: Equatable, Sendable {
    var isFiring = false
    /// Openings in this period; the key of the second carries 2.
    var arm = 0
    /// Unix nanoseconds at which a rule last held.
    var heldAt: Int64 = 0
    var notifiedAt: Int64?

    enum Change: Equatable, Sendable {
        case fired(secondsLeft: Int64, arm: Int)
        case resolved(arm: Int)
    }

    /// Called every few seconds. The cooldown keeps a pace that comes and goes from telling each
    /// time.
    mutating func evaluate(secondsLeft: Int64?, cooldownNanos: Int64, now: Int64) -> Change? {
        if let secondsLeft {
            heldAt = now
            let isCool = notifiedAt.map { now >= $0 + cooldownNanos } ?? true
            guard !isFiring, isCool else { return nil }
            isFiring = true
            notifiedAt = now
            defer { arm += 1 }
            return .fired(secondsLeft: secondsLeft, arm: arm)
        }
        guard isFiring, now - heldAt >= BurnRate.quietNanos else { return nil }
        return close()
    }

    mutating func close() -> Change? {
        guard isFiring else { return nil }
        isFiring = false
        return .resolved(arm: arm - 1)
    }
}
