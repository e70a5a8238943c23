// Finds spikes and drops in a series of spend that comes in equal buckets.
//
// A decaying record: a statistic is abnormal when it passes the largest value it has reached
// before. That memory fades with time, has a floor, and one event can raise it by a bounded factor
// only. It adapts to series in which spikes are usual and assumes no distribution.
//
//     cost - expected  ->  fading mean over 1, 6, 24, 72 h  ->  z, ratio, record  ->  rank
//     expected = level x hour of day x weekday, each a fading mean
//
// Amounts are doubles here and nowhere else: they decide, they are never added to a sum that a
// person reads. Every expression keeps its written order, so that each machine decides the same.

internal import Wire

/// What the detector is told by its operator.
public struct SpendPolicy: Equatable, Sendable {
    /// Within about a day; less is not worth a word.
    public var minDollars = 3.0
    /// Within about a day, and within the horizon that fires.
    public var minEvents = 10.0
    public var cooldownSeconds = 86_400.0
    /// Days of history before the first alert.
    public var warmupDays = 7.0
    public var watchesDrops = true
    /// East of Greenwich: where the hours and days of the profile begin.
    public var offsetSeconds: Int64 = 0

    public init() {}
}

/// The constants of one bucket width and policy, shared by all series.
public struct SpendModel: Equatable, Sendable {
    public let policy: SpendPolicy
    public let bucketSeconds: Int64
    let bucketHours: Double
    let bucketDays: Double
    /// Weight of the newest bucket in each horizon.
    let weights: [4 of Double]
    let keepMemory: Double
    let keepRecord: Double
    let keepHour: Double
    let keepWeekday: Double
    let keepDay: Double

    static let horizons: [4 of Double] = [1, 6, 24, 72]
    static let leastZ: [4 of Double] = [7, 5.5, 4, 1.8]
    static let leastRatio: [4 of Double] = [5, 3, 1.6, 1.4]
    static let memoryDays = 7.0
    static let profileDays = 28.0
    static let recordDays = 10.0
    static let recordGrowth = 4.0
    /// Evidence that all hours, and all weekdays, are alike.
    static let priorHourDays = 2.0
    static let priorWeekdayDays = 7.0
    /// Learning sees at most the expected cost and so many scales.
    static let clip = 14.0
    static let dropHorizon = 1
    static let dropZ = 2.5
    static let dropRatio = 0.33
    /// Dollars; a scale below it counts as unknown.
    static let dust = 1e-6
    /// The ratio where nothing is usual.
    static let noBaseRatio = 99.0

    /// - Parameter bucketSeconds: from 1 on.
    public init(bucketSeconds: Int64, policy: SpendPolicy = SpendPolicy()) {
        precondition(bucketSeconds > 0, "BUG: a bucket of \(bucketSeconds) seconds")
        self.policy = policy
        self.bucketSeconds = bucketSeconds
        let hours = Double(bucketSeconds) / 3600
        let days = Double(bucketSeconds) / 86_400
        bucketHours = hours
        bucketDays = days
        var weights: [4 of Double] = [0, 0, 0, 0]
        for index in 0..<4 {
            let horizon = Self.horizons[index]
            weights[index] = hours >= horizon ? 1 : 1 - exponential(-hours / horizon)
        }
        self.weights = weights
        keepMemory = exponential(-days / Self.memoryDays)
        keepRecord = exponential(-days / Self.recordDays)
        keepHour = exponential(-hours / Self.profileDays)
        keepWeekday = exponential(-7 * days / Self.profileDays)
        keepDay = exponential(-days)
    }

    public static func == (left: SpendModel, right: SpendModel) -> Bool {
        left.policy == right.policy && left.bucketSeconds == right.bucketSeconds
    }
}

/// What the detector says of one bucket.
public struct SpendReading: Sendable {
    /// Dollars that the bucket usually has.
    public var expected = 0.0
    /// By horizon.
    public var z: [4 of Double] = [0, 0, 0, 0]
    public var ratio: [4 of Double] = [0, 0, 0, 0]
    public var alert: SpendAlert?
}

/// A bucket that is abnormal and is told.
public struct SpendAlert: Equatable, Sendable {
    public enum Direction: Int, Sendable {
        case drop = -1
        case spike = 1
    }

    public let direction: Direction
    public let grade: AnomalyGrade
    public let horizon: Int
    public let horizonHours: Double
    /// Dollars in the fading window of the horizon, and what it usually has.
    public let observed: Double
    public let expected: Double
    public let ratio: Double
    public let z: Double
    /// Dollars beyond expectation at the same hour a week before; 0 where there were none.
    public internal(set) var lastWeek = 0.0
}

/// The state of one series: 94 doubles and 2 integers. Time and memory are the same for every
/// bucket, however long the history.
public struct SpendDetector: Sendable {
    var hourNumerator = [24 of Double](repeating: 0)
    var hourDenominator = [24 of Double](repeating: 0)
    var weekdayNumerator = [7 of Double](repeating: 0)
    var weekdayDenominator = [7 of Double](repeating: 0)
    var levelNumerator = 0.0
    var levelDenominator = 0.0
    /// Fading mean of the distance from expected.
    var scale = 0.0
    /// Days of history.
    public internal(set) var age = 0.0
    /// By horizon: fading means of cost over expected and of expected, fading sum of events, fading
    /// maximum of the dearest request, fading sum of squared excess, decaying record of excess.
    var excess = [4 of Double](repeating: 0)
    var usual = [4 of Double](repeating: 0)
    var events = [4 of Double](repeating: 0)
    var dearest = [4 of Double](repeating: 0)
    var squares = [4 of Double](repeating: 0)
    var record = [4 of Double](repeating: 0)
    var squaresWeight = 0.0
    /// Dollars and events within about a day.
    public internal(set) var dayCost = 0.0
    public internal(set) var dayEvents = 0.0
    var lastAlert = -1e18
    var count = 0
    var lastRank = 0

    public init() {}

    /// Takes one closed and complete bucket, in order of time. An empty one is fed as zeros; one
    /// that is not complete is never fed. All numbers must be finite and not negative.
    ///
    /// - Parameter start: Unix seconds.
    /// - Parameter largest: dollars of the dearest request, 0 where unknown; an alert must hold
    ///   without it.
    public mutating func step(
        start: Int64, cost: Double, events newEvents: Double, largest: Double = 0,
        _ model: SpendModel
    ) -> SpendReading {
        if levelNumerator.isSubnormal || levelDenominator.isSubnormal { self = SpendDetector() }
        let place = Expectation(self, start: start, cost: cost, model)
        return step(
            place, start: start, cost: cost, events: newEvents, largest: largest,
            habitual: [0, 0, 0, 0], model)
    }

    /// The same for a series whose habits of the week are known: what is habitual is usual.
    public mutating func step(
        start: Int64, cost: Double, events newEvents: Double, largest: Double,
        habits: inout WeekHabits, _ model: SpendModel
    ) -> SpendReading {
        if levelNumerator.isSubnormal || levelDenominator.isSubnormal { self = SpendDetector() }
        var place = Expectation(self, start: start, cost: cost, model)
        let habitual = habits.absorb(
            start: start, cost: cost, expected: place.expected, model)
        if habitual > 0 { place = Expectation(self, start: start, cost: cost - habitual, model) }
        var reading = step(
            place, start: start, cost: cost, events: newEvents, largest: largest,
            habitual: habits.fading, model)
        reading.expected += habitual
        reading.alert?.lastWeek = habits.lastWeek
        return reading
    }

    /// - Parameter habitual: of each horizon, dollars that are usual beyond the expectation.
    @inline(__always)
    private mutating func step(
        _ place: Expectation, start: Int64, cost: Double, events newEvents: Double,
        largest: Double, habitual: [4 of Double], _ model: SpendModel
    ) -> SpendReading {
        var reading = SpendReading()
        reading.expected = place.expected
        var spike: (grade: AnomalyGrade, horizon: Int)?
        var isDrop = false
        for index in 0..<4 {
            advance(index, place, events: newEvents, largest: largest, model)
            let base = usual[index] + habitual[index]
            measure(index, base, &reading)
            if isSpike(index, base, reading, largestFactor: model.weights[index], model) {
                let grade = AnomalyGrade(
                    ratio: reading.ratio[index],
                    excessDollars: excess[index] / model.weights[index],
                    minDollars: model.policy.minDollars)
                if spike.map({ grade > $0.grade }) ?? true { spike = (grade, index) }
            }
            if index == SpendModel.dropHorizon, reading.z[index] <= -SpendModel.dropZ,
                reading.ratio[index] <= SpendModel.dropRatio
            {
                isDrop = true
            }
            learnHorizon(index, model)
        }
        squaresWeight = squaresWeight * model.keepMemory + 1
        dayCost = dayCost * model.keepDay + cost
        dayEvents = dayEvents * model.keepDay + newEvents
        let policy = model.policy
        if dayCost < policy.minDollars || dayEvents < policy.minEvents { spike = nil }
        if let spike {
            let base = usual[spike.horizon] + habitual[spike.horizon]
            reading.alert = alert(.spike, spike.grade, spike.horizon, base, start, reading, model)
        } else if isDrop, policy.watchesDrops {
            let index = SpendModel.dropHorizon
            let base = usual[index] + habitual[index]
            reading.alert = alert(.drop, .low, index, base, start, reading, model)
        }
        learn(place, model)
        return reading
    }
}

/// What a bucket should cost, by what was learnt before it.
private struct Expectation {
    let hour: Int
    let weekday: Int
    let level: Double
    let hourFactor: Double
    let weekdayFactor: Double
    let expected: Double
    let residual: Double
    let limit: Double
    let isYoung: Bool
    /// The cost as far as it is learnt from.
    let learnt: Double

    @inline(__always)
    init(_ state: borrowing SpendDetector, start: Int64, cost: Double, _ model: SpendModel) {
        let local = start + model.policy.offsetSeconds
        let day = floorDivide(local, 86_400)
        hour = Int((local - day * 86_400) / 3600)
        // 0 is Monday.
        weekday = Int(day + 3 - floorDivide(day + 3, 7) * 7)
        level =
            state.levelDenominator > 0 ? state.levelNumerator / state.levelDenominator : cost
        if level > 0 {
            let hourPrior = SpendModel.priorHourDays * level / model.bucketHours
            hourFactor =
                (state.hourNumerator[hour] + hourPrior) / (state.hourDenominator[hour] + hourPrior)
            let dayPrior = SpendModel.priorWeekdayDays * 24 * level / model.bucketHours
            weekdayFactor =
                (state.weekdayNumerator[weekday] + dayPrior)
                / (state.weekdayDenominator[weekday] + dayPrior)
        } else {
            hourFactor = 1
            weekdayFactor = 1
        }
        expected = level * hourFactor * weekdayFactor
        residual = cost - expected
        limit = SpendModel.clip * state.scale
        isYoung = state.age <= 1
        learnt = !isYoung && residual > limit ? expected + limit : cost
    }
}

extension SpendDetector {
    /// Moves one horizon on.
    @inline(__always)
    private mutating func advance(
        _ index: Int, _ place: Expectation, events newEvents: Double, largest: Double,
        _ model: SpendModel
    ) {
        let weight = model.weights[index]
        excess[index] += weight * (place.residual - excess[index])
        usual[index] += weight * (place.expected - usual[index])
        events[index] = events[index] * (1 - weight) + newEvents
        dearest[index] = max(dearest[index] * (1 - weight), largest)
    }

    /// - Parameter base: dollars that are usual in the horizon.
    @inline(__always)
    private func measure(_ index: Int, _ base: Double, _ reading: inout SpendReading) {
        reading.z[index] =
            squaresWeight > 0 ? excess[index] / max(sigma(index), SpendModel.dust) : 0
        reading.ratio[index] = base > 0 ? 1 + excess[index] / base : SpendModel.noBaseRatio
    }

    @inline(__always)
    private func sigma(_ index: Int) -> Double {
        squaresWeight > 0 ? (squares[index] / squaresWeight).squareRoot() : 0
    }

    @inline(__always)
    private func isSpike(
        _ index: Int, _ base: Double, _ reading: SpendReading, largestFactor: Double,
        _ model: SpendModel
    ) -> Bool {
        let ratioLessDearest =
            base > 0
            ? (excess[index] + base - largestFactor * dearest[index]) / base
            : SpendModel.noBaseRatio
        return reading.z[index] >= SpendModel.leastZ[index]
            && reading.ratio[index] >= SpendModel.leastRatio[index]
            && excess[index] > record[index] && ratioLessDearest >= SpendModel.leastRatio[index]
            && events[index] >= model.policy.minEvents
    }

    @inline(__always)
    private mutating func learnHorizon(_ index: Int, _ model: SpendModel) {
        let sigma = sigma(index)
        var clipped = excess[index]
        if age > 2, sigma >= SpendModel.dust { clipped = min(max(clipped, -3 * sigma), 3 * sigma) }
        squares[index] = squares[index] * model.keepMemory + clipped * clipped
        record[index] *= model.keepRecord
        guard excess[index] > record[index] else { return }
        record[index] =
            age > 2
            ? min(excess[index], max(record[index] * SpendModel.recordGrowth, 4 * sigma))
            : excess[index]
    }

    /// Nil while the series warms up, and while an alert of the same rank is young.
    private mutating func alert(
        _ direction: SpendAlert.Direction, _ grade: AnomalyGrade, _ index: Int, _ base: Double,
        _ start: Int64, _ reading: SpendReading, _ model: SpendModel
    ) -> SpendAlert? {
        let time = Double(start)
        guard age >= model.policy.warmupDays,
            time - lastAlert >= model.policy.cooldownSeconds || grade.rawValue > lastRank
        else { return nil }
        lastRank = grade.rawValue
        lastAlert = time
        return SpendAlert(
            direction: direction, grade: grade, horizon: index,
            horizonHours: max(SpendModel.horizons[index], model.bucketHours),
            observed: (excess[index] + base) / model.weights[index],
            expected: base / model.weights[index], ratio: reading.ratio[index],
            z: reading.z[index])
    }

    /// Always, during anomalies too, so that a lasting change is the new normal within a week.
    @inline(__always)
    private mutating func learn(_ place: Expectation, _ model: SpendModel) {
        let gain = max(1 - model.keepMemory, 1 / Double(count + 1))
        let distance = abs(place.residual)
        if place.isYoung {
            scale += gain * (distance - scale)
        } else if scale < SpendModel.dust {
            scale = gain * distance
        } else {
            scale += gain * (min(distance, place.limit) - scale)
        }
        let (hour, weekday) = (place.hour, place.weekday)
        levelNumerator = levelNumerator * model.keepMemory + place.learnt
        levelDenominator =
            levelDenominator * model.keepMemory + place.hourFactor * place.weekdayFactor
        hourNumerator[hour] =
            hourNumerator[hour] * model.keepHour + place.learnt / place.weekdayFactor
        hourDenominator[hour] = hourDenominator[hour] * model.keepHour + place.level
        weekdayNumerator[weekday] =
            weekdayNumerator[weekday] * model.keepWeekday + place.learnt / place.hourFactor
        weekdayDenominator[weekday] =
            weekdayDenominator[weekday] * model.keepWeekday + place.level
        age += model.bucketDays
        count += 1
    }
}
