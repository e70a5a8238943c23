internal import Aggregation
internal import Usage

/// An amount held against every budget that watches its call, until the call has ended.
struct Reservation: Sendable {
    struct Hold: BitwiseCopyable, Sendable {
        let table: Int
        let scope: Int
    }

    let request: AdmissionRequest
    /// As it was asked for; what a settlement leaves out is taken from it.
    let body: [UInt8]
    /// Unix nanoseconds.
    let expiresAt: Int64
    var holds: [Hold]
    /// Held, but not yet in the store.
    var isPending: Bool
}

/// What admission keeps beside the book: reservations, what they hold, pauses, counts. Lock order:
/// this, then the book, then the names.
struct AdmissionState: Sendable {
    /// More reservations at a time are refused.
    static let reservationsMax = 100_000
    /// Dimensions in which something may be paused at a time.
    static let pausedDimensionsMax = LabelKey.widthMax
    static let pausesMax = 10_000

    /// Of its own: the writer's matchers are used without a lock.
    var matchers: [BudgetMatcher]
    /// By table and scope number; shorter than the scopes where nothing was ever held.
    private(set) var reserved: [[Int64]]
    private(set) var live: [String: Reservation] = [:]
    /// Ids by the second after which they are over.
    private var expiries: [Int64: [String]] = [:]
    private var sweptSecond: Int64 = 0
    private(set) var pauses: [Dimension: [NameID: ScopePause]] = [:]
    private var pauseReader: LabelReader?
    private var pausedDimensions: [Dimension] = []
    var counts = DecisionCounts()
    var denials = DenialLog()
    var folds = AdmissionFolds()

    init(matchers: [BudgetMatcher]) {
        self.matchers = matchers
        reserved = Array(repeating: [], count: matchers.count)
        counts.define(matchers.map(\.budget))
    }

    func reserved(_ table: Int, _ scope: Int?) -> Int64 {
        guard let scope, scope < reserved[table].count else { return 0 }
        return reserved[table][scope]
    }

    private mutating func add(_ nanos: Int64, to hold: Reservation.Hold) {
        let missing = hold.scope + 1 - reserved[hold.table].count
        if missing > 0 {
            reserved[hold.table].append(contentsOf: repeatElement(0, count: missing))
        }
        reserved[hold.table][hold.scope] += nanos
    }

    mutating func insert(_ id: String, _ reservation: Reservation) {
        for hold in reservation.holds { add(reservation.request.estimate.nanos, to: hold) }
        live[id] = reservation
        let second = (reservation.expiresAt + 999_999_999) / 1_000_000_000
        if sweptSecond == 0 || second < sweptSecond { sweptSecond = second }
        expiries[second, default: []].append(id)
    }

    /// Nothing when it is gone already.
    @discardableResult
    mutating func remove(_ id: String) -> Reservation? {
        guard let reservation = live.removeValue(forKey: id) else { return nil }
        for hold in reservation.holds { add(-reservation.request.estimate.nanos, to: hold) }
        return reservation
    }

    mutating func confirm(_ id: String) { live[id]?.isPending = false }

    /// Gives back what has expired. Each second is looked at once.
    mutating func expire(now: Int64) {
        let second = now / 1_000_000_000
        guard sweptSecond > 0, sweptSecond <= second else { return }
        if second - sweptSecond > 7200 || expiries.count < 100 {
            for key in expiries.keys.filter({ $0 <= second }) { expire(key, now) }
        } else {
            for key in sweptSecond...second { expire(key, now) }
        }
        sweptSecond = second + 1
    }

    private mutating func expire(_ second: Int64, _ now: Int64) {
        for id in expiries.removeValue(forKey: second) ?? [] {
            if let known = live[id], known.expiresAt <= now { remove(id) }
        }
    }

    /// Other budgets are in force: every reservation holds against those that now watch its call.
    mutating func redefine(
        _ matchers: [BudgetMatcher],
        _ holds: (Reservation, inout AdmissionState) -> [Reservation.Hold]
    ) {
        self.matchers = matchers
        reserved = Array(repeating: [], count: matchers.count)
        counts.define(matchers.map(\.budget))
        for (id, reservation) in live {
            var moved = reservation
            moved.holds = holds(reservation, &self)
            for hold in moved.holds { add(moved.request.estimate.nanos, to: hold) }
            live[id] = moved
        }
    }

    mutating func setPauses(_ pauses: [Dimension: [NameID: ScopePause]], names: Names) {
        // Values that calls carry as text are looked up in a dictionary that takes no others.
        let values = pauses.filter { !$0.key.isLabel }.flatMap { $0.value.values.map(\.value) }
        let texts = names.emptied(countMax: Set(values).count + 1)
        self.pauses = pauses.filter { !$0.value.isEmpty }
        for (dimension, known) in self.pauses where !dimension.isLabel {
            self.pauses[dimension] = [:]
            for pause in known.values {
                self.pauses[dimension]?[texts.intern(pause.value)] = pause
            }
        }
        pausedDimensions = Array(self.pauses.keys)
        pauseReader =
            pausedDimensions.isEmpty
            ? nil : LabelReader(labels: pausedDimensions, names: names, texts: texts)
    }

    /// The pause that the call falls under, if one is in force.
    mutating func pause(of request: AdmissionRequest) -> ScopePause? {
        guard pauseReader != nil,
            let key = pauseReader?.key(of: request.event, in: request.rows)
        else { return nil }
        for (index, dimension) in pausedDimensions.enumerated() {
            if let pause = pauses[dimension]?[key[index]] { return pause }
        }
        return nil
    }
}
