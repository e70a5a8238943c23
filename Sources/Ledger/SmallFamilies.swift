public import Aggregation
internal import Usage

/// A family of counters with two labels, of which the second folds first, then both.
public struct PairFamily: Sendable {
    public private(set) var table: LabelSetTable
    /// Samples that one label set shows.
    private let samplesPerSet: Int

    init(valueWidth: Int, samplesPerSet: Int) {
        table = LabelSetTable(valueWidth: valueWidth)
        self.samplesPerSet = samplesPerSet
    }

    @inline(__always)
    mutating func row(_ key: LabelKey, at time: Int64, _ budget: inout SampleBudget) -> Int {
        table.find(key) ?? newRow(key, time, &budget)
    }

    private mutating func newRow(
        _ key: LabelKey, _ time: Int64, _ budget: inout SampleBudget
    ) -> Int {
        let half = LabelKey(key[0], NameTable.other)
        let all = LabelKey(NameTable.other, NameTable.other)
        for (candidate, level) in [(key, SampleBudget.Level.full), (half, .second), (all, .all)] {
            if let known = table.find(candidate) { return known }
            if budget.take(samplesPerSet, level) { return table.append(candidate, created: time) }
        }
        preconditionFailure("BUG: the last fold step refused a label set")
    }

    mutating func add(_ amount: Int64, to value: Int, of row: Int) {
        table.add(amount, to: value, of: row)
    }

    mutating func restore(_ key: LabelKey, _ row: [Int64], created time: Int64) {
        table.restore(key, row, created: time)
    }

    mutating func markClean() { table.markClean() }
    mutating func markAllDirty() { table.markAllDirty() }
}

/// Bounds of `costgauge_request_cost_usd`, from a hundredth of a cent to ten dollars.
public enum CostBuckets {
    /// Nano-dollars, inclusive; the bucket behind them has no bound.
    public static let bounds: [Int64] = [
        100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000, 300_000_000,
        1_000_000_000, 3_000_000_000, 10_000_000_000,
    ]
    /// The same as `le` labels, in the one form that every format and scraper keeps.
    public static let labels = [
        "0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1.0", "3.0", "10.0",
    ]
    public static let sum = bounds.count + 1
    public static let width = bounds.count + 2
    /// Buckets, +Inf, sum and count.
    public static let samples = bounds.count + 3

    /// Counts lie in the bucket of their amount alone; the page adds them up.
    static func bucket(_ nanos: Int64) -> Int {
        var index = 0
        while index < bounds.count, nanos > bounds[index] { index += 1 }
        return index
    }
}
