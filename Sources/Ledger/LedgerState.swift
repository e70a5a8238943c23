public import Aggregation
public import Usage

/// Everything the page and the queries read: sums over all committed events, each applied once, in
/// the order of their rows. The same rows in the same order with the same settings give the same
/// state, so that a checkpoint and a replay of the rows after it restore it exactly.
public struct LedgerState: Sendable {
    public internal(set) var settings: LedgerSettings
    public internal(set) var usage: UsageSeries
    /// By (provider, model).
    public internal(set) var unpriced = PairFamily(valueWidth: 1, samplesPerSet: 1)
    /// By (stage, provider).
    public internal(set) var failedCost = PairFamily(valueWidth: 1, samplesPerSet: 1)
    /// By (provider, model); columns as in `CostBuckets`.
    public internal(set) var requestCost = PairFamily(
        valueWidth: CostBuckets.width, samplesPerSet: CostBuckets.samples)
    public internal(set) var rings: [Rings]
    public internal(set) var budget: SampleBudget
    /// Of all amounts ever; bounds every other sum.
    public internal(set) var grandTotal: Int64 = 0
    public internal(set) var tokenTotal: Int64 = 0
    /// Row number of the last event that is in these sums.
    public internal(set) var appliedSeq: Int64 = 0
    /// Arrival of the last committed event: time never goes behind it.
    public internal(set) var lastReceived: Int64 = 0
    var labels: LabelReader

    public struct Rings: Sendable {
        public let dimension: Dimension
        /// Shown as top spenders, this many; nil: shown as window gauges.
        public let topCount: Int?
        public internal(set) var rings = SpendRings()

        mutating func add(_ rows: EventRows) { rings.add(rows, by: dimension) }

        mutating func add(_ event: CostEvent) {
            var rows = EventRows()
            rows.events.append(event)
            add(rows)
        }
    }

    init(settings: LedgerSettings, names: Names) {
        self.settings = settings
        usage = UsageSeries(labels: settings.labels)
        budget = SampleBudget(samplesMax: settings.maxSeries)
        labels = LabelReader(labels: settings.labels, names: names)
        rings = Self.rings(for: settings)
    }

    static func rings(for settings: LedgerSettings) -> [Rings] {
        [Dimension.tenant, .feature, .model].map { Rings(dimension: $0, topCount: nil) }
            + settings.top.map { Rings(dimension: $0.dimension, topCount: $0.count) }
    }

    /// Looks the labels of events up without counting them.
    mutating func internLabels(of rows: EventRows) {
        guard labels.interns else { return }
        for event in rows.events where !event.isSkipped { _ = labels.key(of: event) }
    }

    /// Adds every event of the batch that is no duplicate.
    mutating func apply(_ rows: EventRows) {
        for index in rows.events.indices where !rows.events[index].isSkipped {
            apply(rows.events[index])
        }
        for index in rings.indices { rings[index].add(rows) }
    }

    @inline(__always)
    private mutating func apply(_ event: CostEvent) {
        usage.add(event, key: labels.key(of: event), budget: &budget)
        appliedSeq += 1
        lastReceived = max(lastReceived, event.received)
        tokenTotal += event.tokens.grandTotal
        if event.isAdjustment {
            grandTotal += event.cost
        } else if let amount = event.amount {
            grandTotal += amount.nanos
            let row = requestCost.row(
                LabelKey(event.provider, event.model), at: event.received, &budget)
            requestCost.add(1, to: CostBuckets.bucket(amount.nanos), of: row)
            requestCost.add(amount.nanos, to: CostBuckets.sum, of: row)
            if event.status != .ok {
                let stage = labels.stageName(event.stage)
                let row = failedCost.row(
                    LabelKey(stage, event.provider), at: event.received, &budget)
                failedCost.add(amount.nanos, to: 0, of: row)
            }
        } else {
            let row = unpriced.row(
                LabelKey(event.provider, event.model), at: event.received, &budget)
            unpriced.add(1, to: 0, of: row)
        }
    }

    public var memoryBytes: Int {
        usage.table.memoryBytes + requestCost.table.memoryBytes + unpriced.table.memoryBytes
            + failedCost.table.memoryBytes + rings.reduce(0) { $0 + $1.rings.memoryBytes }
    }

    /// Label sets with a row of their own, all families together.
    public var setCount: Int {
        usage.table.count + unpriced.table.count + failedCost.table.count + requestCost.table.count
    }
}

extension TokenCounts {
    var grandTotal: Int64 {
        Int64(input) + Int64(output)
    }
}
