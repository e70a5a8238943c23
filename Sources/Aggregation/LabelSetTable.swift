/// Label sets with a row of integers each. Rows are numbered in the order of their first event and
/// are never removed: a counter that left the page would look like a reset.
public struct LabelSetTable: Sendable {
    public let valueWidth: Int
    public private(set) var keys: [LabelKey] = []
    public private(set) var values: [Int64] = []
    /// Unix nanoseconds at which each row took its first event.
    public private(set) var created: [Int64] = []
    private var slots: [UInt32] = Array(repeating: 0, count: 64)
    /// Rows changed since the last checkpoint, each once.
    public private(set) var dirtyRows: [Int] = []
    private var isDirty: [Bool] = []

    public init(valueWidth: Int) {
        self.valueWidth = valueWidth
    }

    public var count: Int { keys.count }
    public var memoryBytes: Int {
        keys.count * (MemoryLayout<LabelKey>.stride + valueWidth * 8 + 9) + slots.count * 4
    }

    @inline(__always)
    public func find(_ key: LabelKey) -> Int? {
        var slot = Int(truncatingIfNeeded: key.hash) & (slots.count &- 1)
        while slots[slot] != 0 {
            let row = Int(slots[slot] &- 1)
            if keys[row] == key { return row }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return nil
    }

    /// `key` must be new.
    public mutating func append(_ key: LabelKey, created time: Int64) -> Int {
        let row = keys.count
        keys.append(key)
        created.append(time)
        values.append(contentsOf: repeatElement(0, count: valueWidth))
        isDirty.append(false)
        if keys.count * 2 > slots.count { grow() } else { place(row) }
        markDirty(row)
        return row
    }

    @inline(__always)
    public mutating func add(_ amount: Int64, to value: Int, of row: Int) {
        values[row &* valueWidth &+ value] += amount
        if !isDirty[row] { markDirty(row) }
    }

    /// Adds to the first columns of a row, one amount each. Nothing happens, and the answer is
    /// false, unless the row's last column has every bit of `bits`.
    public mutating func add(
        _ amounts: InlineArray<14, Int64>, ifLastHas bits: Int64, of row: Int
    ) -> Bool {
        let start = row &* valueWidth
        guard values[start &+ valueWidth &- 1] & bits == bits else { return false }
        for index in 0..<14 where amounts[index] != 0 { values[start &+ index] += amounts[index] }
        if !isDirty[row] { markDirty(row) }
        return true
    }

    public func value(_ value: Int, of row: Int) -> Int64 { values[row * valueWidth + value] }

    public func row(_ row: Int) -> ArraySlice<Int64> {
        values[row * valueWidth..<(row + 1) * valueWidth]
    }

    public mutating func restore(_ key: LabelKey, _ row: [Int64], created time: Int64) {
        let index = append(key, created: time)
        for (offset, value) in row.prefix(valueWidth).enumerated() {
            values[index * valueWidth + offset] = value
        }
    }

    public mutating func markClean() {
        for row in dirtyRows { isDirty[row] = false }
        dirtyRows.removeAll(keepingCapacity: true)
    }

    public mutating func markAllDirty() {
        for row in keys.indices { markDirty(row) }
    }

    private mutating func markDirty(_ row: Int) {
        guard !isDirty[row] else { return }
        isDirty[row] = true
        dirtyRows.append(row)
    }

    private mutating func place(_ row: Int) {
        var slot = Int(truncatingIfNeeded: keys[row].hash) & (slots.count &- 1)
        while slots[slot] != 0 { slot = (slot &+ 1) & (slots.count &- 1) }
        slots[slot] = UInt32(row) + 1
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for row in keys.indices { place(row) }
    }
}
