public import Usage

public struct LedgerSettings: Equatable, Sendable {
    /// Labels of the usage counters, at most eight.
    public var labels: [Dimension]
    public var maxSeries: Int
    /// Dimensions without a label whose largest spenders are shown, and how many of each.
    public var top: [TopDimension]
    public var dedupCountMax: Int
    public var dedupAgeNanos: Int64
    /// Events in the queue past which senders are told to come back.
    public var queueEventsMax: Int

    public struct TopDimension: Equatable, Sendable {
        public var dimension: Dimension
        public var count: Int

        public init(dimension: Dimension, count: Int) {
            self.dimension = dimension
            self.count = count
        }
    }

    public init(
        labels: [Dimension] = [.tenant, .feature, .provider, .model], maxSeries: Int = 10_000,
        top: [TopDimension] = [
            TopDimension(dimension: .user, count: 50), TopDimension(dimension: .agent, count: 50),
        ],
        dedupCountMax: Int = 5_000_000, dedupAgeNanos: Int64 = 86_400 * 1_000_000_000,
        queueEventsMax: Int = 200_000
    ) {
        self.labels = labels
        self.maxSeries = maxSeries
        self.top = top
        self.dedupCountMax = dedupCountMax
        self.dedupAgeNanos = dedupAgeNanos
        self.queueEventsMax = queueEventsMax
    }
}
