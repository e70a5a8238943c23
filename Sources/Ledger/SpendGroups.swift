internal import SQLite

/// Spend by a few numbers each: a hash table from the numbers that tell groups apart to the sums of
/// the group. Adding millions of rows here takes a fraction of what sorting them in SQL takes, and
/// memory for the groups only: for each 40 bytes, 4 a number and at most 16 of the table.
struct SpendGroups {
    struct Sums: BitwiseCopyable {
        var events: Int64 = 0
        var unpriced: Int64 = 0
        var input: Int64 = 0
        var output: Int64 = 0
        var cost: Int64 = 0
    }

    /// Numbers that tell a group from others.
    let width: Int
    private(set) var sums: [Sums] = []
    /// The numbers of all groups, one after the other.
    private var keys: [UInt32] = []
    /// Places of groups plus one, 0 where there is none; at most half of them are taken.
    private var slots: [UInt32] = Array(repeating: 0, count: 1024)
    /// The numbers of the row that is being added.
    private var key: [UInt32]

    /// - Parameter width: at least 1.
    init(width: Int) {
        self.width = width
        key = Array(repeating: 0, count: width)
    }

    func key(of group: Int, _ index: Int) -> UInt32 { keys[group &* width &+ index] }

    /// Adds a row of `width` numbers, events, unpriced events, input and output tokens and cost.
    mutating func add(_ row: borrowing Statement) {
        for index in 0..<width {
            key[index] = UInt32(truncatingIfNeeded: row.integer(Int32(index)))
        }
        let group = group()
        let first = Int32(width)
        sums[group].events += row.integer(first)
        sums[group].unpriced += row.integer(first + 1)
        sums[group].input += row.integer(first + 2)
        sums[group].output += row.integer(first + 3)
        sums[group].cost += row.integer(first + 4)
    }

    /// The group of `key`, which may be new.
    private mutating func group() -> Int {
        var slot = slot(of: key[...])
        while slots[slot] != 0 {
            let group = Int(slots[slot] &- 1)
            if isKey(of: group) { return group }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        keys += key
        sums.append(Sums())
        slots[slot] = UInt32(sums.count)
        if sums.count * 2 > slots.count { grow() }
        return sums.count - 1
    }

    private func isKey(of group: Int) -> Bool {
        for index in 0..<width where keys[group &* width &+ index] != key[index] { return false }
        return true
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for group in sums.indices {
            var slot = slot(of: keys[group * width..<(group + 1) * width])
            while slots[slot] != 0 { slot = (slot &+ 1) & (slots.count &- 1) }
            slots[slot] = UInt32(group) + 1
        }
    }

    /// Where the search for a key begins.
    private func slot(of key: ArraySlice<UInt32>) -> Int {
        var state: UInt64 = 0xa076_1d64_78bd_642f
        for number in key {
            let product = (state ^ UInt64(number)).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
            state = product.high ^ product.low
        }
        return Int(truncatingIfNeeded: state) & (slots.count &- 1)
    }
}
