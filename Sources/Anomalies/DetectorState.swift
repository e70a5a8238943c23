internal import Wire

// States as bytes: every double and integer in the order of its declaration, little-endian. A blob
// of another length is of another version and is not read.

extension [UInt8] {
    mutating func append(state number: Double) {
        append(littleEndian: number.bitPattern, bytes: 8)
    }

    mutating func append(state integer: Int64) {
        append(littleEndian: UInt64(bitPattern: integer), bytes: 8)
    }
}

/// Takes the values out again. The bytes must be enough for what is asked for.
struct StateReader {
    private let bytes: [UInt8]
    private var at: Int
    /// False once a double is infinite or no number: no state of ours holds one.
    private(set) var isFinite = true

    init(_ bytes: [UInt8], at start: Int = 0) {
        self.bytes = bytes
        at = start
    }

    mutating func number() -> Double {
        let number = Double(bitPattern: word())
        if !number.isFinite { isFinite = false }
        return number
    }

    mutating func integer() -> Int64 { Int64(bitPattern: word()) }

    private mutating func word() -> UInt64 {
        defer { at += 8 }
        return bytes.littleEndian(at: at, bytes: 8)
    }
}

/// A detector: its state is doubles and integers.
protocol DetectorState {
    static var stateBytes: Int { get }
    /// Points seen.
    var count: Int { get }
    init()
    /// Calls `body` with every double in order.
    mutating func forEachDouble(_ body: (inout Double) -> Void)
    /// Behind the doubles.
    mutating func forEachInteger(_ body: (inout Int) -> Void)
}

extension DetectorState {
    func append(to bytes: inout [UInt8]) {
        var copy = self
        copy.forEachDouble { bytes.append(state: $0) }
        copy.forEachInteger { bytes.append(state: Int64($0)) }
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.stateBytes else { return nil }
        self.init()
        var state = StateReader(bytes)
        forEachDouble { $0 = state.number() }
        forEachInteger { $0 = Int(state.integer()) }
        guard state.isFinite, count >= 0 else { return nil }
    }
}

extension SpendDetector: DetectorState {
    public static let stateBytes = 768

    @inline(__always)
    mutating func forEachDouble(_ body: (inout Double) -> Void) {
        for index in 0..<24 { body(&hourNumerator[index]) }
        for index in 0..<24 { body(&hourDenominator[index]) }
        for index in 0..<7 { body(&weekdayNumerator[index]) }
        for index in 0..<7 { body(&weekdayDenominator[index]) }
        body(&levelNumerator)
        body(&levelDenominator)
        body(&scale)
        body(&age)
        for index in 0..<4 { body(&excess[index]) }
        for index in 0..<4 { body(&usual[index]) }
        for index in 0..<4 { body(&events[index]) }
        for index in 0..<4 { body(&dearest[index]) }
        for index in 0..<4 { body(&squares[index]) }
        for index in 0..<4 { body(&record[index]) }
        body(&squaresWeight)
        body(&dayCost)
        body(&dayEvents)
        body(&lastAlert)
    }

    @inline(__always)
    mutating func forEachInteger(_ body: (inout Int) -> Void) {
        body(&count)
        body(&lastRank)
    }
}

extension ShapeDetector: DetectorState {
    public static let stateBytes = 480

    @inline(__always)
    mutating func forEachDouble(_ body: (inout Double) -> Void) {
        body(&previousTime)
        body(&base)
        body(&scale)
        body(&shortMean)
        body(&flatError)
        body(&seasonError)
        body(&recordUp)
        body(&recordDown)
        body(&high)
        body(&low)
        for index in 0..<24 { body(&season[index]) }
        for index in 0..<24 { body(&visits[index]) }
    }

    @inline(__always)
    mutating func forEachInteger(_ body: (inout Int) -> Void) {
        body(&count)
        body(&lastAlert)
    }
}

extension SurgeTest {
    func append(to bytes: inout [UInt8]) {
        bytes.append(state: record)
        bytes.append(state: lastAlert)
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        var state = StateReader(bytes)
        self.init(record: state.number(), lastAlert: state.number())
        guard state.isFinite else { return nil }
    }
}

extension DayTotals {
    func append(to bytes: inout [UInt8]) {
        for index in 0..<SpendRule.daysMax { bytes.append(state: totals[index]) }
        for number in [cost, events, lastAlert] { bytes.append(state: number) }
        bytes.append(state: Int64(days))
        bytes.append(state: day)
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == (SpendRule.daysMax + 5) * 8 else { return nil }
        self.init()
        var state = StateReader(bytes)
        for index in 0..<SpendRule.daysMax { totals[index] = state.number() }
        cost = state.number()
        events = state.number()
        lastAlert = state.number()
        days = Int(state.integer())
        day = state.integer()
        guard days >= 0, state.isFinite else { return nil }
    }
}
