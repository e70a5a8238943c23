internal import Wire

/// The unit cost of one model. A single dear call moves it for a window and is no news; a shift is
/// told once the detector has spoken and the windows after it all say the same.
struct PriceWatch: Sendable {
    /// Windows in a row that must be off by `leastShift`, to the same side.
    static let windows = 6
    static let leastShift = 0.15
    /// Windows after an alert of the detector in which that may happen.
    static let patience = 60

    private(set) var shape = ShapeDetector()
    private(set) var patience = 0
    /// Negative when the price is below what is expected.
    private(set) var streak = 0
    private var sum = 0.0

    init() {}

    struct Shift: Equatable {
        let observed: Double
        let expected: Double
    }

    /// - Parameter price: dollars for a thousand tokens, above 0.
    mutating func step(start: Int64, price: Double) -> Shift? {
        let reading = shape.step(time: Double(start), value: price)
        patience = reading.isAlert ? Self.patience : max(0, patience - 1)
        guard reading.expected > 0 else { return nil }
        let shift = price / reading.expected - 1
        guard abs(shift) >= Self.leastShift else {
            streak = 0
            return nil
        }
        if (shift > 0) != (streak > 0) {
            streak = 0
            sum = 0
        }
        streak += shift > 0 ? 1 : -1
        sum += price
        guard patience > 0, streak.magnitude >= Self.windows else { return nil }
        patience = 0
        return Shift(observed: sum / Double(streak.magnitude), expected: reading.expected)
    }
}

extension PriceWatch {
    static let stateBytes = ShapeDetector.stateBytes + 24

    func append(to bytes: inout [UInt8]) {
        shape.append(to: &bytes)
        bytes.append(state: Int64(patience))
        bytes.append(state: Int64(streak))
        bytes.append(state: sum)
    }

    init?(_ bytes: [UInt8]) {
        let start = ShapeDetector.stateBytes
        guard bytes.count == Self.stateBytes, let shape = ShapeDetector(Array(bytes[..<start]))
        else { return nil }
        self.shape = shape
        var state = StateReader(bytes, at: start)
        patience = Int(state.integer())
        streak = Int(state.integer())
        sum = state.number()
        guard state.isFinite, patience >= 0 else { return nil }
    }
}
