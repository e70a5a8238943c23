internal import Wire

/// What a series spends beyond expectation at the same hour of the week, week after week: a batch
/// on Mondays at nine.
///
/// The detector expects level x hour of day x weekday, and a product has no place for one hour of
/// one weekday. So the excess of each hour is remembered here by its hour of the week. What came in
/// two weeks running is usual from the third on: it is taken out of the spend before the detector
/// sees it, and is part of what the detector calls usual.
///
///     excess of an hour  ->  usual = sqrt(last week's x this week's), at least half of before
///     spend  ->  up to the usual excess of this hour and its neighbours  ->  usual
///            ->  the rest                                               ->  the detector
///
/// The neighbours are for batches that begin a little earlier or later, and for summer time. A week
/// without the batch halves what is usual, some make it new again. A batch that grows is seen for
/// what it has grown by.
public struct WeekHabits: Sendable {
    struct Hour: Sendable {
        let slot: Int
        /// Dollars beyond expectation a week before, and usually.
        var last: Double
        var usual: Double
    }

    static let slotsMax = 168
    /// An hour under so many times the expectation is not remembered, nor one that is over it by
    /// less than a part of the least dollars of an alert.
    static let leastRatio = 2.0
    static let leastPart = 0.1
    /// Dollars; less is forgotten.
    static let dust = 0.01

    /// Hours with an excess, by slot, ascending: at most one for each hour of the week.
    private(set) var hours: [Hour] = []
    /// Dollars taken for usual in the fading windows of the detector's horizons, as means.
    private(set) var fading = [4 of Double](repeating: 0)
    /// The running hour, in hours of the local clock since 1970.
    private var hour: Int64 = 0
    private var cost = 0.0
    private var expected = 0.0
    /// Taken in the running hour.
    private var absorbed = 0.0
    /// What is usual in the hour before and did not come, and what is usual in this one and was not
    /// taken before it.
    private var carry = 0.0
    private var own = 0.0
    /// What may still be taken: of these two first, then of the next hour's.
    private var room = 0.0

    public init() {}

    /// Dollars of a bucket that are usual at this hour of the week beyond `expected`.
    mutating func absorb(
        start: Int64, cost newCost: Double, expected newExpected: Double, _ model: SpendModel
    ) -> Double {
        let now = floorDivide(start + model.policy.offsetSeconds, 3600)
        if now != hour { begin(now, leastDollars: Self.leastPart * model.policy.minDollars) }
        cost += newCost
        expected += newExpected
        let taken = min(max(0, newCost - newExpected), room)
        absorbed += taken
        room -= taken
        for index in 0..<4 { fading[index] += model.weights[index] * (taken - fading[index]) }
        return taken
    }

    private mutating func begin(_ now: Int64, leastDollars: Double) {
        let excess = cost - expected
        let isNotable = excess >= leastDollars && cost >= Self.leastRatio * expected
        visit(Self.slot(hour), isNotable ? excess : 0)
        let fromOwn = max(0, absorbed - carry)
        let borrowed = max(0, fromOwn - own)
        let isNext = now == hour + 1
        carry = isNext ? max(0, own - fromOwn) : usual(now - 1)
        own = max(0, usual(now) - (isNext ? borrowed : 0))
        room = carry + own + usual(now + 1)
        hour = now
        (cost, expected, absorbed) = (0, 0, 0)
    }

    private mutating func visit(_ slot: Int, _ excess: Double) {
        let place = hours.firstIndex { $0.slot >= slot } ?? hours.count
        guard place < hours.count, hours[place].slot == slot else {
            if excess > 0 { hours.insert(Hour(slot: slot, last: excess, usual: 0), at: place) }
            return
        }
        let known = hours[place]
        let usual = max((excess * known.last).squareRoot(), known.usual / 2)
        if excess == 0, usual < Self.dust {
            hours.remove(at: place)
        } else {
            hours[place].last = excess
            hours[place].usual = usual
        }
    }

    private static func slot(_ hour: Int64) -> Int {
        Int(hour - floorDivide(hour, Int64(slotsMax)) * Int64(slotsMax))
    }

    private func usual(_ hour: Int64) -> Double { entry(hour)?.usual ?? 0 }

    private func entry(_ hour: Int64) -> Hour? {
        guard !hours.isEmpty else { return nil }
        let slot = Self.slot(hour)
        return hours.first { $0.slot == slot }
    }

    /// Dollars that came beyond expectation a week before the running hour, or in the hour after
    /// that, and are no habit yet; 0 where nothing did.
    var lastWeek: Double {
        guard carry == 0, own == 0, usual(hour + 1) == 0 else { return 0 }
        return (entry(hour)?.last ?? 0) + (entry(hour + 1)?.last ?? 0)
    }
}

// As bytes, behind those of the detector.
extension WeekHabits {
    private static let headBytes = 11 * 8
    private static let hourBytes = 3 * 8

    func append(to bytes: inout [UInt8]) {
        bytes.append(state: hour)
        for index in 0..<4 { bytes.append(state: fading[index]) }
        for number in [cost, expected, absorbed, carry, own, room] {
            bytes.append(state: number)
        }
        for entry in hours {
            bytes.append(state: Int64(entry.slot))
            bytes.append(state: entry.last)
            bytes.append(state: entry.usual)
        }
    }

    init?(_ bytes: [UInt8], at start: Int) {
        let length = bytes.count - start - Self.headBytes
        guard length >= 0, length % Self.hourBytes == 0, length / Self.hourBytes <= Self.slotsMax
        else { return nil }
        var state = StateReader(bytes, at: start)
        hour = state.integer()
        for index in 0..<4 { fading[index] = state.number() }
        cost = state.number()
        expected = state.number()
        absorbed = state.number()
        carry = state.number()
        own = state.number()
        room = state.number()
        for _ in 0..<length / Self.hourBytes {
            let slot = state.integer()
            guard slot < Self.slotsMax, slot > Int64(hours.last?.slot ?? -1) else { return nil }
            hours.append(Hour(slot: Int(slot), last: state.number(), usual: state.number()))
        }
        guard state.isFinite else { return nil }
    }
}
