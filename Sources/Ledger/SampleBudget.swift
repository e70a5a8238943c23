/// How many samples may still appear on the page. Every counter sample takes its place before it is
/// shown for the first time and keeps it for good.
///
/// Full label sets may fill 80 % of the places, sets with their first labels folded a little more,
/// and so on, so that the coarser sums still find room when the fine ones no longer do. The set in
/// which every label is folded has places of its own and is never refused.
public struct SampleBudget: Equatable, Sendable {
    public let limit: Int
    public private(set) var used = 0

    /// What the sets in which everything is folded may show, of all families together.
    static let folded = UsageSeries.Slot.samples + CostBuckets.samples + 2

    /// A tenth of `samplesMax` is left to the gauges.
    init(samplesMax: Int) {
        limit = samplesMax - samplesMax / 10 - Self.folded
    }

    var left: Int { max(0, limit - used) }

    /// How far a label set is folded.
    enum Level: Int, Sendable {
        case full, first, second, all

        var percent: Int {
            switch self {
            case .full: 80
            case .first: 90
            case .second: 97
            case .all: .max
            }
        }
    }

    /// The places that an earlier state had taken.
    mutating func restore(used: Int) { self.used = used }

    mutating func take(_ count: Int, _ level: Level) -> Bool {
        if level == .all { return true }
        guard (used + count) * 100 <= limit * level.percent else { return false }
        used += count
        return true
    }
}
