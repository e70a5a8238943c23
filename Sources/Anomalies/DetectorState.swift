internal import Wire

// States as bytes: every double and integer in the order of its declaration, little-endian. A blob
// of another length is of another version and is not read.

extension SpendDetector {
    public static let stateBytes = 768

    /// Calls `body` with every double in order.
    @inline(__always)
    private mutating func forEachDouble(_ body: (inout Double) -> Void) {
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

    public func append(to bytes: inout [UInt8]) {
        var copy = self
        copy.forEachDouble { bytes.append(littleEndian: $0.bitPattern, bytes: 8) }
        bytes.append(littleEndian: UInt64(bitPattern: Int64(count)), bytes: 8)
        bytes.append(littleEndian: UInt64(bitPattern: Int64(lastRank)), bytes: 8)
    }

    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.stateBytes else { return nil }
        self.init()
        var at = 0
        func next() -> UInt64 {
            defer { at += 8 }
            return bytes.littleEndian(at: at, bytes: 8)
        }
        var isFinite = true
        forEachDouble {
            $0 = Double(bitPattern: next())
            if !$0.isFinite { isFinite = false }
        }
        count = Int(Int64(bitPattern: next()))
        lastRank = Int(Int64(bitPattern: next()))
        guard isFinite, count >= 0 else { return nil }
    }
}

extension ShapeDetector {
    public static let stateBytes = 480

    @inline(__always)
    private mutating func forEachDouble(_ body: (inout Double) -> Void) {
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

    public func append(to bytes: inout [UInt8]) {
        var copy = self
        copy.forEachDouble { bytes.append(littleEndian: $0.bitPattern, bytes: 8) }
        bytes.append(littleEndian: UInt64(bitPattern: Int64(count)), bytes: 8)
        bytes.append(littleEndian: UInt64(bitPattern: Int64(lastAlert)), bytes: 8)
    }

    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.stateBytes else { return nil }
        self.init()
        var at = 0
        func next() -> UInt64 {
            defer { at += 8 }
            return bytes.littleEndian(at: at, bytes: 8)
        }
        var isFinite = true
        forEachDouble {
            $0 = Double(bitPattern: next())
            if !$0.isFinite { isFinite = false }
        }
        count = Int(Int64(bitPattern: next()))
        lastAlert = Int(Int64(bitPattern: next()))
        guard isFinite, count >= 0 else { return nil }
    }
}

extension SurgeTest {
    func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: record.bitPattern, bytes: 8)
        bytes.append(littleEndian: lastAlert.bitPattern, bytes: 8)
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(
            record: Double(bitPattern: bytes.littleEndian(at: 0, bytes: 8)),
            lastAlert: Double(bitPattern: bytes.littleEndian(at: 8, bytes: 8)))
        guard record.isFinite, lastAlert.isFinite else { return nil }
    }
}

extension DayTotals {
    func append(to bytes: inout [UInt8]) {
        for index in 0..<SpendRule.daysMax {
            bytes.append(littleEndian: totals[index].bitPattern, bytes: 8)
        }
        for number in [cost, events, lastAlert] {
            bytes.append(littleEndian: number.bitPattern, bytes: 8)
        }
        bytes.append(littleEndian: UInt64(bitPattern: Int64(days)), bytes: 8)
        bytes.append(littleEndian: UInt64(bitPattern: day), bytes: 8)
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == (SpendRule.daysMax + 5) * 8 else { return nil }
        self.init()
        func number(_ index: Int) -> Double {
            Double(bitPattern: bytes.littleEndian(at: index * 8, bytes: 8))
        }
        for index in 0..<SpendRule.daysMax { totals[index] = number(index) }
        cost = number(SpendRule.daysMax)
        events = number(SpendRule.daysMax + 1)
        lastAlert = number(SpendRule.daysMax + 2)
        func integer(_ index: Int) -> Int64 {
            Int64(bitPattern: bytes.littleEndian(at: (SpendRule.daysMax + index) * 8, bytes: 8))
        }
        days = Int(integer(3))
        day = integer(4)
        guard days >= 0, cost.isFinite, events.isFinite, lastAlert.isFinite else { return nil }
    }
}
