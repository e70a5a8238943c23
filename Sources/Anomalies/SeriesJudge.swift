/// What is said of one point or bucket.
public struct PointVerdict: Sendable {
    public let isAnomaly: Bool
    /// 1 on an anomaly, otherwise from 0 to 0.5; nil for spend, which has grades.
    public let score: Double?
    public let expected: Double
    public let grade: AnomalyGrade?
    /// 1 up, -1 down, 0 as usual.
    public let direction: Int
    public let why: String?
}

/// Judges one series point by point, as `costgauge detect` and its path of the API do.
public struct SeriesJudge: Sendable {
    private let model: SpendModel
    /// Without rules the detector decides, with some only they do.
    private let rules: [SpendRule]
    private var spend = SpendDetector()
    private var habits = WeekHabits()
    private var days = DayTotals()
    private var shape = ShapeDetector()

    public init(model: SpendModel = SpendModel(bucketSeconds: 3600), rules: [SpendRule] = []) {
        self.model = model
        self.rules = rules
    }

    /// Any number; both must be finite.
    public mutating func judge(time: Double, value: Double) -> PointVerdict {
        let reading = shape.step(time: time, value: value)
        return PointVerdict(
            isAnomaly: reading.isAlert, score: reading.score, expected: reading.expected,
            grade: nil, direction: reading.isAlert ? (reading.isUp ? 1 : -1) : 0, why: nil)
    }

    /// A complete bucket of spend, after the one before it.
    public mutating func judge(
        start: Int64, cost: Double, events: Double, largest: Double
    ) -> PointVerdict {
        let reading = spend.step(
            start: start, cost: cost, events: events, largest: largest, habits: &habits, model)
        guard !rules.isEmpty else {
            return PointVerdict(
                isAnomaly: reading.alert != nil, score: nil, expected: reading.expected,
                grade: reading.alert?.grade, direction: reading.alert?.direction.rawValue ?? 0,
                why: reading.alert?.why)
        }
        let verdict = days.step(
            start: start, cost: cost, events: events, rules: rules, policy: model.policy)
        return PointVerdict(
            isAnomaly: verdict != nil, score: nil, expected: reading.expected,
            grade: verdict?.grade, direction: verdict == nil ? 0 : 1, why: verdict?.why)
    }
}
