public import Aggregation
public import Usage

/// A copy of what the page shows, taken in one moment. The counters share their memory with the
/// ledger until its next commit.
public struct LedgerSnapshot: Sendable {
    public let labels: [Dimension]
    public let usage: LabelSetTable
    public let unpriced: LabelSetTable
    public let failedCost: LabelSetTable
    public let requestCost: LabelSetTable
    public let foldedCount: Int64
    public let samplesUsed: Int
    /// Of `metrics.max_series`, what counters and windows leave to other gauges.
    public let samplesLeft: Int
    public let windows: [WindowSpend]

    /// The spend of one dimension value in one rolling window.
    public struct WindowSpend: Sendable, Equatable {
        public let dimension: Dimension
        public let value: NameID
        public let window: Window
        public let amount: NanoUSD
        /// One of the largest of a dimension without label, not of every value.
        public let isTop: Bool
    }

    /// Whole buckets of a ring: the current, unfinished one and those before it.
    public enum Window: String, CaseIterable, Sendable {
        case fiveMinutes = "5m"
        case hour = "1h"
        case day = "24h"
        case week = "7d"
        case month = "30d"

        var level: SpendRings.Level {
            switch self {
            case .fiveMinutes, .hour: .minute
            case .day: .hour
            case .week, .month: .day
            }
        }

        var buckets: UInt32 {
            switch self {
            case .fiveMinutes: 5
            case .hour: 60
            case .day: 24
            case .week: 7
            case .month: 30
            }
        }
    }
}

extension Ledger {
    public func snapshot() -> LedgerSnapshot {
        let now = now
        let gauges = windowGauges(now: now)
        return withState { state in
            LedgerSnapshot(
                labels: state.settings.labels, usage: state.usage.table,
                unpriced: state.unpriced.table, failedCost: state.failedCost.table,
                requestCost: state.requestCost.table, foldedCount: state.usage.foldedCount,
                samplesUsed: state.budget.used,
                samplesLeft: state.settings.maxSeries / 20 + state.budget.left, windows: gauges)
        }
    }

    /// The window gauges fit into half of the share of the cap that counters leave free: one half
    /// of that for the values of tenant, feature and model, the other for the top spenders.
    private func windowGauges(now: Int64) -> [LedgerSnapshot.WindowSpend] {
        let (count, share) = withState { state in
            (state.rings.count, state.settings.maxSeries / 20)
        }
        let perDimension = share / 2 / (3 * LedgerSnapshot.Window.allCases.count)
        let perTop = share / 2 / (3 * max(1, count - 3))
        var gauges: [LedgerSnapshot.WindowSpend] = []
        for index in 0..<count {
            gauges += spend(ofRing: index, now: now, windowMax: perDimension, topMax: perTop)
        }
        return gauges
    }

    private func spend(
        ofRing index: Int, now: Int64, windowMax: Int, topMax: Int
    ) -> [LedgerSnapshot.WindowSpend] {
        withState { state in
            let ring = state.rings[index]
            func largest(_ window: LedgerSnapshot.Window, _ count: Int) -> [(Int, NanoUSD)] {
                var heap = LargestSums(count: count)
                for scope in 0..<ring.rings.count {
                    let sum = ring.rings.sum(
                        window.level, last: window.buckets, of: scope, now: now)
                    if sum > .zero { heap.insert(scope, sum) }
                }
                return heap.sorted
            }
            func gauge(
                _ scope: Int, _ window: LedgerSnapshot.Window, _ amount: NanoUSD
            ) -> LedgerSnapshot.WindowSpend {
                LedgerSnapshot.WindowSpend(
                    dimension: ring.dimension, value: ring.rings.name(of: scope), window: window,
                    amount: amount, isTop: ring.topCount != nil)
            }
            if let topCount = ring.topCount {
                return [LedgerSnapshot.Window.hour, .day, .month].flatMap { window in
                    largest(window, min(topCount, topMax)).map { gauge($0.0, window, $0.1) }
                }
            }
            return largest(.month, windowMax).flatMap { scope, _ in
                LedgerSnapshot.Window.allCases.map { window in
                    gauge(
                        scope, window,
                        ring.rings.sum(window.level, last: window.buckets, of: scope, now: now))
                }
            }
        }
    }
}
