internal import Aggregation
internal import Usage
internal import Wire

/// Something that a detector found in one series.
struct Candidate {
    let place: Int
    let kind: AnomalyKind
    let grade: AnomalyGrade
    /// Dollars in the span; for a price, dollars for a thousand tokens.
    let observed: Double
    let expected: Double
    let ratio: Double
    let span: Span
    /// The detector's horizon that shows when it is over.
    let horizon: Int
    /// What a rule said, when it was one.
    var why: String?
    /// Dollars beyond expectation at the same hour a week before.
    var lastWeek = 0.0

    enum Span: Equatable {
        case window
        /// Fading, so "about".
        case hours(Double)
        case today
        case day
    }
}

// What the detectors say of a frozen window.
extension AnomalyEngine {
    /// Tokens in a window from which a unit cost is read; fewer say nothing.
    static let priceTokensMin: Int64 = 1000

    func judge(_ window: FrozenWindow, _ next: inout Watch) -> [Candidate] {
        var candidates: [Candidate] = []
        for place in next.series.indices {
            if let found = step(place, window, &next) { candidates.append(found) }
            if let found = stepPrice(place, window, &next) { candidates.append(found) }
            if let found = newSpender(place, window, &next) { candidates.append(found) }
        }
        return candidates
    }

    /// Feeds one series; a spike or a drop, whichever detector saw it.
    private func step(_ place: Int, _ window: FrozenWindow, _ next: inout Watch) -> Candidate? {
        let sums = window.spend[place]
        let cost = Double(sums.cost) / 1e9
        let events = Double(sums.events)
        let largest = Double(sums.largest) / 1e9
        let (reading, isSurge) = next.series[place].step(
            start: window.start, cost: cost, events: events, largest: largest, model)
        let verdict =
            settings.rules.isEmpty
            ? nil
            : next.days[place].step(
                start: window.start, cost: cost, events: events, rules: settings.rules,
                policy: settings.spend)
        let spike = AnomalyKind.spike(settings.dimensions[next.series[place].key.dimension])
        // One window that says it alone says it best: no fading mean dilutes it.
        if isSurge {
            let ratio =
                reading.expected > SpendModel.dust
                ? cost / reading.expected : SpendModel.noBaseRatio
            return Candidate(
                place: place, kind: spike,
                grade: AnomalyGrade(
                    ratio: ratio, excessDollars: cost - reading.expected,
                    minDollars: settings.spend.minDollars),
                observed: cost, expected: reading.expected, ratio: ratio, span: .window, horizon: 0,
                lastWeek: next.series[place].habits.lastWeek)
        }
        if let alert = reading.alert {
            return Candidate(
                place: place, kind: alert.direction == .drop ? .drop : spike, grade: alert.grade,
                observed: alert.observed, expected: alert.expected, ratio: alert.ratio,
                span: .hours(alert.horizonHours), horizon: alert.horizon,
                lastWeek: alert.lastWeek)
        }
        guard let verdict else { return nil }
        return Candidate(
            place: place, kind: spike, grade: verdict.grade, observed: verdict.cost,
            expected: verdict.mean,
            ratio: verdict.mean > 0 ? verdict.cost / verdict.mean : SpendModel.noBaseRatio,
            span: .today, horizon: 2, why: "over \(verdict.rule.text)")
    }

    /// Feeds the unit cost of a model.
    private func stepPrice(
        _ place: Int, _ window: FrozenWindow, _ next: inout Watch
    ) -> Candidate? {
        let key = next.series[place].key
        let sums = window.spend[place]
        guard settings.dimensions[key.dimension] == .model, key.name != NameTable.other,
            sums.tokens >= Self.priceTokensMin, sums.cost > 0
        else { return nil }
        let price = Double(sums.cost) / 1e6 / Double(sums.tokens)
        let shift = next.prices[key, default: PriceWatch()].step(start: window.start, price: price)
        let policy = settings.spend
        guard let shift, next.series[place].spend.age >= policy.warmupDays,
            next.series[place].spend.dayCost >= policy.minDollars,
            next.series[place].spend.dayEvents >= policy.minEvents
        else { return nil }
        let ratio = shift.observed / shift.expected
        let grade: AnomalyGrade = ratio >= 2 ? .high : ratio > 1 ? .medium : .low
        return Candidate(
            place: place, kind: .priceShift, grade: grade, observed: shift.observed,
            expected: shift.expected, ratio: ratio, span: .window, horizon: 0)
    }

    /// Somebody who was not there when the detectors had learnt already.
    private func newSpender(
        _ place: Int, _ window: FrozenWindow, _ next: inout Watch
    ) -> Candidate? {
        let series = next.series[place]
        guard series.newUntil > 0 else { return nil }
        guard window.start < series.newUntil else {
            next.series[place].newUntil = 0
            return nil
        }
        let limit = settings.newSpenderDollars
        let spent = series.spend.dayCost
        guard spent >= limit, series.spend.dayEvents >= settings.spend.minEvents else { return nil }
        next.series[place].newUntil = 0
        return Candidate(
            place: place, kind: .newSpender, grade: spent >= 10 * limit ? .high : .medium,
            observed: spent, expected: 0, ratio: SpendModel.noBaseRatio, span: .day, horizon: 2)
    }

    /// Why an active anomaly is over; nil while it goes on.
    func ending(
        _ open: Watch.OpenAnomaly, _ place: Int?, _ next: Watch, at end: Int64
    ) -> String? {
        guard let place else { return "it is not watched any longer" }
        let ratio = next.series[place].ratio(open.horizon)
        switch open.anomaly.kind {
        case .spike:
            let least = SpendModel.leastRatio[open.horizon]
            return ratio < 1 + (least - 1) / 2 ? "spend is back to what is usual" : nil
        case .drop:
            return ratio > 2 * SpendModel.dropRatio ? "spend is back" : nil
        case .priceShift, .newSpender:
            return end - open.lastSeen >= 86_400 ? "a day has passed" : nil
        }
    }
}
