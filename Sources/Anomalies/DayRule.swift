internal import Wire

/// A simple rule for those who want one: what a day has cost so far against the days before it.
/// Single windows would not do: the daily cycle alone passes any such rule.
public struct SpendRule: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// More than so many times the mean of the baseline's days.
        case ratio
        /// More than the mean and so many standard deviations.
        case sigma
    }

    public static let daysMax = 28

    public var kind: Kind
    public var over: Double
    /// Full days before the one under test, at most `daysMax`.
    public var baselineDays: Int

    public init(kind: Kind, over: Double, baselineDays: Int = 7) {
        self.kind = kind
        self.over = over
        self.baselineDays = min(max(1, baselineDays), Self.daysMax)
    }

    /// `2x the mean of 7 days`.
    public var text: String {
        switch kind {
        case .ratio: "\(FixedText.short(over))x the mean of \(baselineDays) days"
        case .sigma: "the mean of \(baselineDays) days and \(FixedText.short(over)) sigma"
        }
    }
}

/// The days of one series, as rules see them.
public struct DayTotals: Sendable {
    var totals = [28 of Double](repeating: 0)
    /// Full days seen, also those that have left `totals`.
    var days = 0
    /// Days since 1970; -1 before the first bucket.
    var day: Int64 = -1
    public internal(set) var cost = 0.0
    public internal(set) var events = 0.0
    var lastAlert = -1e18

    public init() {}

    /// What a rule says of a day that is over it.
    public struct Verdict: Equatable, Sendable {
        public let rule: SpendRule
        public let cost: Double
        public let mean: Double
        /// The spend past which the rule speaks.
        public let limit: Double
    }

    /// Takes a complete bucket. Answers the first rule that the day so far is over, once a
    /// cooldown.
    public mutating func step(
        start: Int64, cost newCost: Double, events newEvents: Double, rules: [SpendRule],
        policy: SpendPolicy
    ) -> Verdict? {
        let today = floorDivide(start + policy.offsetSeconds, 86_400)
        advance(to: today)
        cost += newCost
        events += newEvents
        guard cost >= policy.minDollars, events >= policy.minEvents,
            Double(start) - lastAlert >= policy.cooldownSeconds
        else { return nil }
        for rule in rules {
            guard let verdict = judge(rule) else { continue }
            lastAlert = Double(start)
            return verdict
        }
        return nil
    }

    private mutating func advance(to today: Int64) {
        guard day >= 0 else {
            day = today
            return
        }
        var steps = 0
        while day < today {
            totals[days % SpendRule.daysMax] = cost
            days += 1
            day += 1
            (cost, events) = (0, 0)
            // After so many empty days nothing is left of what was before.
            steps += 1
            if steps > SpendRule.daysMax { day = today }
        }
    }

    private func judge(_ rule: SpendRule) -> Verdict? {
        guard days >= rule.baselineDays else { return nil }
        var sum = 0.0
        var squares = 0.0
        for back in 1...rule.baselineDays {
            let total = totals[(days - back) % SpendRule.daysMax]
            sum += total
            squares += total * total
        }
        let count = Double(rule.baselineDays)
        let mean = sum / count
        let limit: Double
        switch rule.kind {
        case .ratio: limit = rule.over * mean
        case .sigma:
            limit = mean + rule.over * max(0, squares / count - mean * mean).squareRoot()
        }
        return cost > limit ? Verdict(rule: rule, cost: cost, mean: mean, limit: limit) : nil
    }
}

extension DayTotals.Verdict {
    public var grade: AnomalyGrade {
        AnomalyGrade(
            ratio: mean > 0 ? cost / mean : SpendModel.noBaseRatio, excessDollars: cost - mean,
            minDollars: 3)
    }

    public var why: String {
        "spent $\(FixedText.text(cost, decimals: 2)) today, over \(rule.text): "
            + "$\(FixedText.text(limit, decimals: 2))"
    }
}
