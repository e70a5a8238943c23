internal import Aggregation
internal import Usage

// What happens to the sums when an operator changes the labels or the cap between two runs.
extension LedgerState {
    /// A new cap or new top dimensions: every row keeps its place, even above a lower cap.
    mutating func adopt(_ settings: LedgerSettings) {
        let old = self
        self.settings = settings
        var budget = SampleBudget(samplesMax: settings.maxSeries)
        budget.restore(used: old.budget.used)
        self.budget = budget
        rings = Self.rings(for: settings).map { wanted in
            guard let known = old.rings.first(where: { $0.dimension == wanted.dimension }) else {
                return wanted
            }
            return Rings(dimension: wanted.dimension, topCount: wanted.topCount, rings: known.rings)
        }
    }

    /// New labels: the usage counters are counted anew; the families with labels of their own stay.
    mutating func relabel(_ settings: LedgerSettings, names: Names) {
        adopt(settings)
        usage = UsageSeries(labels: settings.labels)
        labels = LabelReader(labels: settings.labels, names: names)
        var budget = SampleBudget(samplesMax: settings.maxSeries)
        budget.restore(
            used: unpriced.table.count + failedCost.table.count
                + requestCost.table.count * CostBuckets.samples)
        self.budget = budget
    }

    /// The sums of many past events with one set of dimensions.
    mutating func addHistory(of event: CostEvent, _ sums: RollUpDelta.Sums) {
        let row = usage.row(labels.key(of: event), at: event.received, &budget)
        if event.costSource != .unpriced {
            usage.add(sums.cost, UsageSeries.Slot.cost, row, &budget)
        }
        let kinds: [(TokenKind, Int64)] = [
            (.input, sums.plainInput), (.cachedInput, sums.cachedInput),
            (.cacheWrite, sums.cacheWrite),
            (.output, sums.plainOutput),
            (.reasoning, sums.reasoning), (.audioInput, sums.audioInput),
            (.audioOutput, sums.audioOutput),
        ]
        for (kind, count) in kinds where count > 0 {
            usage.add(count, UsageSeries.Slot.tokens(kind), row, &budget)
        }
        usage.add(sums.events, UsageSeries.Slot.requests(event.status), row, &budget)
    }
}
