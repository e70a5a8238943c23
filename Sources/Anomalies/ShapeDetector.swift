// Finds what is unusual in any series of numbers, at any sampling: latency, tokens, unit cost.
//
// Two tests against decaying records: the short mean of the distance from expected (a shift), and
// the range of all values seen (a range). Expected is a slow mean, and the hour of day as far as
// that has explained the past.

/// The state of one series: 58 doubles and 2 integers.
public struct ShapeDetector: Sendable {
    private static let longPoints = 8000.0
    private static let clip = 4.0
    private static let shortPoints = 18.0
    private static let seasonVisits = 7.0
    private static let gatePoints = 4000.0
    private static let recordPoints = 7000.0
    private static let recordGrowth = 1.6
    private static let recordFloor = 4.0 / 3.0
    private static let rangeMargin = 0.06
    private static let rangePoints = 100_000.0
    private static let cooldownPoints = 60
    private static let robustAfter = 20

    var previousTime = 0.0
    var base = 0.0
    var scale = 0.0
    /// Short mean of the distance from expected.
    public internal(set) var shortMean = 0.0
    var flatError = 0.0
    var seasonError = 0.0
    var recordUp = ShapeDetector.recordFloor
    var recordDown = ShapeDetector.recordFloor
    public internal(set) var high = 0.0
    public internal(set) var low = 0.0
    var season = [24 of Double](repeating: 0)
    var visits = [24 of Double](repeating: 0)
    public internal(set) var count = 0
    var lastAlert = -(1 << 40)

    public init() {}

    /// What the detector says of one point.
    public struct Reading: Sendable {
        public enum Cause: String, Sendable { case shift, range }

        /// 1 on an alert, otherwise from 0 to 0.5.
        public let score: Double
        public let isAlert: Bool
        /// From 1 on the point is beyond its record: a crossing, not a grade.
        public let strength: Double
        public let isUp: Bool
        public let cause: Cause
        public let expected: Double
        public let shift: Double
        public let range: Double
    }

    /// Takes a point. Times may repeat or step back a little. Both numbers must be finite.
    ///
    /// - Parameter time: Unix seconds.
    public mutating func step(time: Double, value: Double) -> Reading {
        var seconds = 300.0
        if count == 0 {
            (base, high, low) = (value, value, value)
        } else {
            seconds = min(max(time - previousTime, 1), 3600)
        }
        let place = Place(time)
        let isReady = visits[place.first] > 0.5 && visits[place.second] > 0.5
        let seasonal =
            (1 - place.share) * season[place.first] + place.share * season[place.second]
        let weight = seasonWeight(isReady: isReady)
        let fromFlat = value - base
        let fromSeason = fromFlat - seasonal
        let residual = fromFlat - weight * seasonal
        let expected = base + weight * seasonal
        let sigma = 1.2533 * scale + (1e-12 + 1e-6 * abs(base))
        let isRobust = count > Self.robustAfter
        let limit = Self.clip * sigma
        let clipped = isRobust ? min(max(residual, -limit), limit) : residual
        shortMean += (residual - shortMean) / Self.shortPoints
        let z = shortMean / sigma
        let gain = max(1 / Self.longPoints, 1 / Double(count + 1))
        scale += gain * (abs(clipped) - scale)
        base += gain * clipped
        judgeSeason(fromFlat, fromSeason, isReady: isReady, cap: isRobust ? 10 * sigma : nil)
        learnSeason(place, fromFlat, seconds: seconds)
        let shift = testShift(z)
        let range = testRange(value)
        defer {
            previousTime = time
            count += 1
        }
        return verdict(shift: shift, range: range, expected: expected)
    }
}

/// Between which two hours of the day a point lies.
private struct Place {
    let first: Int
    let second: Int
    /// Of the second hour.
    let share: Double

    @inline(__always)
    init(_ time: Double) {
        var ofDay = time.truncatingRemainder(dividingBy: 86_400)
        if ofDay < 0 { ofDay += 86_400 }
        let hour = ofDay / 3600 - 0.5
        let whole = hour.rounded(.down)
        share = hour - whole
        first = (Int(whole) + 24) % 24
        second = (first + 1) % 24
    }
}

extension ShapeDetector {
    /// The hour of day counts only as far as it has explained the past.
    @inline(__always)
    private func seasonWeight(isReady: Bool) -> Double {
        guard isReady, flatError > 0, seasonError < flatError else { return 0 }
        return (1 - seasonError / flatError).squareRoot().squareRoot()
    }

    @inline(__always)
    private mutating func judgeSeason(
        _ fromFlat: Double, _ fromSeason: Double, isReady: Bool, cap: Double?
    ) {
        let flat = cap.map { min(abs(fromFlat), $0) } ?? abs(fromFlat)
        let seasonal =
            isReady ? cap.map { min(abs(fromSeason), $0) } ?? abs(fromSeason) : flat
        let gain = max(1 / Self.gatePoints, 1 / Double(count + 2))
        flatError += gain * (flat - flatError)
        seasonError += gain * (seasonal - seasonError)
    }

    @inline(__always)
    private mutating func learnSeason(_ place: Place, _ fromFlat: Double, seconds: Double) {
        let hours = seconds / 3600
        visits[place.first] += (1 - place.share) * hours
        visits[place.second] += place.share * hours
        learnSeason(place.first, (1 - place.share), fromFlat, hours)
        learnSeason(place.second, place.share, fromFlat, hours)
    }

    @inline(__always)
    private mutating func learnSeason(
        _ hour: Int, _ share: Double, _ fromFlat: Double, _ hours: Double
    ) {
        let rate = max(1 / Self.seasonVisits, 1 / max(visits[hour], 1e-9))
        season[hour] += min(1, share * hours * rate) * (fromFlat - season[hour])
    }

    /// Signed; 1 and more is beyond the record.
    @inline(__always)
    private mutating func testShift(_ z: Double) -> Double {
        let strength = z >= 0 ? z / recordUp : z / recordDown
        let keep = 1 - 1 / Self.recordPoints
        recordUp = max(recordUp * keep, Self.recordFloor)
        recordDown = max(recordDown * keep, Self.recordFloor)
        if z > recordUp {
            recordUp = min(z, recordUp * Self.recordGrowth)
        } else if -z > recordDown {
            recordDown = min(-z, recordDown * Self.recordGrowth)
        }
        return strength
    }

    @inline(__always)
    private mutating func testRange(_ value: Double) -> Double {
        var strength = 0.0
        let width = high - low
        if width > 0 {
            if value > high {
                strength = 0.5 + 0.5 * (value - high) / (width * Self.rangeMargin)
            } else if value < low {
                strength = -(0.5 + 0.5 * (low - value) / (width * Self.rangeMargin))
            }
        }
        let fade = 1 / Self.rangePoints
        high = max(value, high - fade * (high - base))
        low = min(value, low + fade * (base - low))
        return strength
    }

    private mutating func verdict(shift: Double, range: Double, expected: Double) -> Reading {
        let isRange = abs(range) > abs(shift)
        let lead = isRange ? range : shift
        let strength = abs(lead)
        let isAlert = strength >= 1 && count - lastAlert >= Self.cooldownPoints
        if isAlert { lastAlert = count }
        return Reading(
            score: isAlert ? 1 : 0.5 * min(1, strength), isAlert: isAlert, strength: strength,
            isUp: lead >= 0, cause: isRange ? .range : .shift, expected: expected, shift: shift,
            range: range)
    }
}
