internal import Aggregation
internal import Usage
internal import Wire

/// Spend of one window by the values of the watched dimensions taken together, so that an event is
/// looked up once, and the parts of a series are known when it is abnormal.
struct WindowSums: Sendable {
    struct Sums: BitwiseCopyable, Equatable, Sendable {
        var events: Int64 = 0
        /// Nano-dollars.
        var cost: Int64 = 0
        var largest: Int64 = 0
        var tokens: Int64 = 0

        @inline(__always)
        mutating func add(_ other: Sums) {
            events &+= other.events
            cost &+= other.cost
            largest = max(largest, other.largest)
            tokens &+= other.tokens
        }

        @inline(__always)
        init(_ event: CostEvent) {
            events = 1
            cost = event.cost == CostEvent.noCost ? 0 : max(0, event.cost)
            largest = cost
            tokens = Int64(event.tokens.input) + Int64(event.tokens.output)
        }

        init() {}
    }

    /// Past so many sets of values the finer ones fold: all but the first dimension first, then all
    /// of them. The sum stays exact.
    static let setsMax = 8192

    private(set) var keys: [LabelKey] = []
    private(set) var sums: [Sums] = []
    private var slots: [UInt32] = Array(repeating: 0, count: 256)
    private(set) var total = Sums()
    /// Changed since it was stored.
    var isDirty = true

    @inline(__always)
    mutating func add(_ key: LabelKey, _ added: Sums) {
        total.add(added)
        isDirty = true
        if let entry = find(key) {
            sums[entry].add(added)
            return
        }
        insert(key, added)
    }

    @inline(__always)
    private func find(_ key: LabelKey) -> Int? {
        var slot = Int(truncatingIfNeeded: key.hash) & (slots.count &- 1)
        while slots[slot] != 0 {
            let entry = Int(slots[slot] &- 1)
            if keys[entry] == key { return entry }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return nil
    }

    private mutating func insert(_ key: LabelKey, _ added: Sums) {
        var key = key
        if keys.count >= Self.setsMax {
            for index in 1..<LabelKey.widthMax where key[index] != 0 {
                key[index] = NameTable.other
            }
            if keys.count >= 2 * Self.setsMax, find(key) == nil, key[0] != 0 {
                key[0] = NameTable.other
            }
            if let entry = find(key) {
                sums[entry].add(added)
                return
            }
        }
        keys.append(key)
        sums.append(added)
        if keys.count * 2 > slots.count {
            slots = Array(repeating: 0, count: slots.count * 2)
            for entry in keys.indices { place(entry) }
        } else {
            place(keys.count - 1)
        }
    }

    private mutating func place(_ entry: Int) {
        var slot = Int(truncatingIfNeeded: keys[entry].hash) & (slots.count &- 1)
        while slots[slot] != 0 { slot = (slot &+ 1) & (slots.count &- 1) }
        slots[slot] = UInt32(entry) + 1
    }
}

// As bytes: an entry is eight names of 4 bytes and four sums of 8.
extension WindowSums {
    private static let entryBytes = LabelKey.widthMax * 4 + 32

    var blob: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(keys.count * Self.entryBytes)
        for entry in keys.indices {
            for index in 0..<LabelKey.widthMax {
                bytes.append(littleEndian: UInt64(keys[entry][index]), bytes: 4)
            }
            for number in [
                sums[entry].events, sums[entry].cost, sums[entry].largest, sums[entry].tokens,
            ] {
                bytes.append(littleEndian: UInt64(bitPattern: number), bytes: 8)
            }
        }
        return bytes
    }

    init(blob: [UInt8]) {
        self.init()
        for start in stride(
            from: 0, to: blob.count / Self.entryBytes * Self.entryBytes, by: Self.entryBytes)
        {
            var key = LabelKey()
            for index in 0..<LabelKey.widthMax {
                key[index] = NameID(blob.littleEndian(at: start + index * 4, bytes: 4))
            }
            func number(_ index: Int) -> Int64 {
                let at = start + LabelKey.widthMax * 4 + index * 8
                return Int64(bitPattern: blob.littleEndian(at: at, bytes: 8))
            }
            var sums = Sums()
            sums.events = number(0)
            sums.cost = number(1)
            sums.largest = number(2)
            sums.tokens = number(3)
            add(key, sums)
        }
        isDirty = false
    }
}

// By single values, for the series.
extension WindowSums {
    /// The spend of every value of one dimension.
    func byValue(of index: Int) -> [NameID: Sums] {
        var values: [NameID: Sums] = [:]
        for entry in keys.indices where keys[entry][index] != 0 {
            values[keys[entry][index], default: Sums()].add(sums[entry])
        }
        return values
    }

    /// Of the spend of one value, the largest value of another dimension and its cost.
    func largest(_ other: Int, of index: Int, _ isMember: (NameID) -> Bool) -> (NameID, Int64)? {
        var costs: [NameID: Int64] = [:]
        for entry in keys.indices where isMember(keys[entry][index]) && keys[entry][other] != 0 {
            costs[keys[entry][other], default: 0] += sums[entry].cost
        }
        return costs.max { ($0.value, $1.key) < ($1.value, $0.key) }.map { ($0.key, $0.value) }
    }
}
