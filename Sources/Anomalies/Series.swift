internal import Usage

/// One value of a dimension and what its detectors have learnt.
struct Series: Sendable {
    struct Key: Hashable, Sendable {
        /// Into the settings' dimensions.
        let dimension: Int
        let name: NameID
    }

    let key: Key
    /// Unix seconds: begin of its first window, and of the last one with spend.
    let since: Int64
    var lastSpend: Int64
    /// Until then it is somebody new; 0 once that was told.
    var newUntil: Int64 = 0
    var spend = SpendDetector()
    var habits = WeekHabits()
    var surge = SurgeTest()

    init(key: Key, since: Int64) {
        self.key = key
        self.since = since
        lastSpend = since
    }

    /// Feeds a complete window, of dollars and events, to the detectors of spend.
    mutating func step(
        start: Int64, cost: Double, events: Double, largest: Double, _ model: SpendModel
    ) -> (reading: SpendReading, isSurge: Bool) {
        let (scale, age) = (spend.scale, spend.age)
        let reading = spend.step(
            start: start, cost: cost, events: events, largest: largest, habits: &habits, model)
        let isSurge = surge.step(
            SurgeTest.Input(
                start: start, cost: cost, events: events, largest: largest,
                expected: reading.expected, scale: scale, age: age), model)
        return (reading, isSurge)
    }

    /// Dollars that are usual in the fading window of a horizon, and how often they were spent.
    func ratio(_ horizon: Int) -> Double {
        let base = spend.usual[horizon] + habits.fading[horizon]
        return base > 0 ? 1 + spend.excess[horizon] / base : SpendModel.noBaseRatio
    }
}

/// Values without a series of their own: a sketch of how much the largest of them have spent within
/// about a day (space saving, Metwally and others, 2005). Not stored.
struct PooledValues: Sendable {
    static let countMax = 128
    private(set) var costs: [NameID: Int64] = [:]

    mutating func add(_ name: NameID, _ cost: Int64) {
        if costs[name] != nil || costs.count < Self.countMax {
            costs[name, default: 0] += cost
            return
        }
        // A newcomer takes the place and the cost of the smallest: nobody large is missed.
        guard let least = costs.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }) else { return }
        costs[least.key] = nil
        costs[name] = least.value + cost
    }

    mutating func fade() {
        for (name, cost) in costs { costs[name] = cost / 2 }
        costs = costs.filter { $0.value > 0 }
    }

    var largest: (name: NameID, cost: Int64)? {
        costs.max { ($0.value, $1.key) < ($1.value, $0.key) }.map { ($0.key, $0.value) }
    }

    mutating func remove(_ name: NameID) { costs[name] = nil }
}

/// Everything that freezing a window changes. The writer works on a copy and keeps it once the
/// transaction is durable.
struct Watch: Sendable {
    /// Unix seconds: end of the last frozen window.
    var frozenUntil: Int64 = 0
    /// Begin of the history that detectors know.
    var historySince: Int64 = 0
    var series: [Series] = []
    var days: [DayTotals] = []
    var index: [Series.Key: Int] = [:]
    var pooled: [PooledValues] = []
    /// Unit cost by the series' place.
    var prices: [Series.Key: PriceWatch] = [:]
    var active: [OpenKey: OpenAnomaly] = [:]
    var counts: [AnomalyCount: Int64] = [:]
    var nextID: Int64 = 1

    struct OpenKey: Hashable, Sendable {
        let series: Series.Key
        let kind: AnomalyKind
    }

    struct OpenAnomaly: Sendable {
        var anomaly: Anomaly
        /// The detector's horizon that shows when it is over.
        var horizon: Int
        /// Unix seconds of the last window that showed it.
        var lastSeen: Int64
    }

    init(dimensions: Int) {
        pooled = Array(repeating: PooledValues(), count: dimensions)
    }

    /// The largest age of a detector, in days.
    var age: Double { series.reduce(0) { max($0, $1.spend.age) } }

    mutating func append(_ new: Series, days new2: DayTotals = DayTotals()) -> Int {
        series.append(new)
        days.append(new2)
        index[new.key] = series.count - 1
        return series.count - 1
    }

    /// Puts another value into the place of one that is not watched any longer.
    mutating func replace(_ place: Int, with new: Series) {
        index[series[place].key] = nil
        prices[series[place].key] = nil
        series[place] = new
        days[place] = DayTotals()
        index[new.key] = place
    }
}

/// What the counter of anomalies is broken down by.
public struct AnomalyCount: Hashable, Sendable {
    public let kind: String
    public let grade: AnomalyGrade
}
