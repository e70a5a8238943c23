/// What one window alone must show to be told at once. The detector's shortest horizon is an hour,
/// which a loop of twenty times the usual spend fills to its threshold only after three windows of
/// five minutes; this test needs one. Its thresholds are high: on labelled series it adds no false
/// alarm.
struct SurgeTest: BitwiseCopyable, Sendable {
    static let leastRatio = 10.0
    /// In mean distances from expected.
    static let leastScales = 20.0

    /// The largest excess so far, fading as the detector's records do.
    private(set) var record = 0.0
    /// Unix seconds of the last window that was told.
    private(set) var lastAlert = -1e18

    init(record: Double = 0, lastAlert: Double = -1e18) {
        self.record = record
        self.lastAlert = lastAlert
    }

    struct Input {
        let start: Int64
        let cost: Double
        let events: Double
        let largest: Double
        /// Of the detector, before it learnt from this window.
        let expected: Double
        let scale: Double
        let age: Double
    }

    /// True when the window is abnormal, once a cooldown.
    mutating func step(_ input: Input, _ model: SpendModel) -> Bool {
        let excess = input.cost - input.expected
        let policy = model.policy
        let isSurge =
            input.age >= policy.warmupDays && input.events >= policy.minEvents
            && excess >= policy.minDollars && excess > record
            && input.cost - input.largest >= Self.leastRatio * input.expected
            && excess - input.largest >= Self.leastScales * input.scale
            && Double(input.start) - lastAlert >= policy.cooldownSeconds
        record *= model.keepRecord
        if excess > record {
            record =
                input.age > 2
                ? min(excess, max(record * SpendModel.recordGrowth, 4 * input.scale)) : excess
        }
        if isSurge { lastAlert = Double(input.start) }
        return isSurge
    }
}
