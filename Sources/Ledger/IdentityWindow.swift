internal import Usage

/// The ids of recent events: an event whose (tenant, id) is in here has been counted.
///
/// A ring holds the 128-bit hashes in the order of arrival, an open-addressing table finds them:
///
///     slots   [ tag 32 | number 32 ]   tag = low bits of the hash, which also name the home slot
///     ring    [ hash 128 ] [ hash 128 ] ...   place counted from the oldest
///
/// 16 bytes in the ring and 8 in a table filled to between 3/8 and 3/4: 27 to 38 bytes an id, about
/// 150 MB at the default of 5 million. Both start small and double.
struct IdentityWindow {
    /// The ring reaches this far past the limit, so that a whole group of batches can go in before
    /// its commit and come out again when that fails.
    static let slack = 65_536

    private let countMax: Int
    private let ageNanosMax: Int64
    private var ring: [UInt128] = Array(repeating: 0, count: 1024)
    private var slots: [UInt64] = Array(repeating: IdentityWindow.free, count: 2048)
    private var warmth: UInt64 = 0
    /// Numbers of the oldest id and of the next one.
    private var head: UInt64 = 0
    private var tail: UInt64 = 0
    /// Where the oldest id lies in the ring.
    private var headPlace = 0
    /// Times of arrival, at most one a second: what lies from `number` to the next mark came at
    /// `time` or less than a second later.
    private var marks: [Mark] = []
    private var marksStart = 0
    /// Ids from here on came with the group that is not settled yet.
    private var unsettled: UInt64 = 0
    /// Arrival of the newest id that had to go because of the count; 0 while none had to.
    private var crowdedOutAt: Int64 = 0

    private struct Mark {
        let number: UInt64
        let time: Int64
    }

    private static let free = UInt64.max
    private static let markNanos: Int64 = 1_000_000_000

    init(countMax: Int, ageNanosMax: Int64) {
        self.countMax = max(countMax, 1)
        self.ageNanosMax = ageNanosMax
    }

    var count: Int { Int(tail - head) }
    var memoryBytes: Int { ring.count * 16 + slots.count * 8 }

    /// How long an id is remembered now: the configured age, or less when ids were crowded out.
    func windowNanos(now: Int64) -> Int64 {
        crowdedOutAt == 0 ? ageNanosMax : min(ageNanosMax, max(0, now - crowdedOutAt))
    }

    /// Touches the slots of many hashes: these reads wait for memory side by side, those of
    /// `insert` would wait one after the other.
    @inline(__always)
    mutating func warm(_ events: ArraySlice<CostEvent>) {
        var touched: UInt64 = 0
        for event in events {
            let tag = UInt64(truncatingIfNeeded: event.identity) & 0xffff_ffff
            touched &+= slots[Int(tag) & (slots.count &- 1)]
        }
        // Kept, so that the reads are not left out.
        warmth = touched
    }

    mutating func warm(_ hashes: [UInt128]) {
        var touched: UInt64 = 0
        for hash in hashes {
            touched &+=
                slots[Int(UInt64(truncatingIfNeeded: hash) & 0xffff_ffff) & (slots.count &- 1)]
        }
        warmth = touched
    }

    /// Makes room for so many ids at once, while there are none.
    mutating func reserve(_ idCount: Int) {
        guard count == 0, idCount > ring.count else { return }
        ring = Array(repeating: 0, count: min(idCount, countMax) + Self.slack)
        var size = slots.count
        while idCount * 4 > size * 3 { size *= 2 }
        slots = Array(repeating: Self.free, count: size)
    }

    func contains(_ hash: UInt128) -> Bool {
        let tag = UInt64(truncatingIfNeeded: hash) & 0xffff_ffff
        var slot = Int(tag) & (slots.count &- 1)
        while slots[slot] != Self.free {
            if slots[slot] >> 32 == tag, self[slots[slot] & 0xffff_ffff] == hash { return true }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return false
    }

    /// False when the id is known.
    mutating func insert(_ hash: UInt128) -> Bool {
        let tag = UInt64(truncatingIfNeeded: hash) & 0xffff_ffff
        var slot = Int(tag) & (slots.count &- 1)
        while slots[slot] != Self.free {
            if slots[slot] >> 32 == tag, self[slots[slot] & 0xffff_ffff] == hash { return false }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        if count == ring.count { growRing() }
        slots[slot] = tag << 32 | (tail & 0xffff_ffff)
        ring[place(of: tail)] = hash
        tail += 1
        if count * 4 > slots.count * 3 { growSlots() }
        return true
    }

    /// Forgets the last `count` ids: their commit failed.
    mutating func rollBack(_ count: Int) {
        for _ in 0..<count {
            tail -= 1
            remove(number: tail)
        }
    }

    /// Forgets what is older than the configured age. Call before a group goes in.
    mutating func forgetOld(now: Int64) {
        while marksStart < marks.count,
            marks[marksStart].time + Self.markNanos <= now - ageNanosMax
        {
            let end = marksStart + 1 < marks.count ? marks[marksStart + 1].number : tail
            while head < end { popOldest() }
            marksStart += 1
        }
        if marksStart > 4096 {
            marks.removeFirst(marksStart)
            marksStart = 0
        }
    }

    /// The ids inserted since the last call are committed and came at `now`; forgets the oldest of
    /// too many.
    mutating func settle(now: Int64) {
        if tail > unsettled {
            let last = marksStart < marks.count ? marks.last : nil
            if last.map({ now - $0.time >= Self.markNanos }) ?? true {
                marks.append(Mark(number: unsettled, time: now))
            }
            unsettled = tail
        }
        while count > countMax {
            while marksStart + 1 < marks.count, marks[marksStart + 1].number <= head {
                marksStart += 1
            }
            crowdedOutAt = marks[marksStart].time
            popOldest()
        }
    }

    private mutating func popOldest() {
        remove(number: head)
        head += 1
        headPlace = headPlace &+ 1 == ring.count ? 0 : headPlace &+ 1
    }

    /// Linear probing without tombstones: entries behind the gap move up when their home allows it.
    private mutating func remove(number: UInt64) {
        let hash = ring[place(of: number)]
        let mask = slots.count &- 1
        let entry = (UInt64(truncatingIfNeeded: hash) & 0xffff_ffff) << 32 | (number & 0xffff_ffff)
        var gap = Int(entry >> 32) & mask
        while slots[gap] != entry {
            precondition(slots[gap] != Self.free, "BUG: id \(number) is not in its table")
            gap = (gap &+ 1) & mask
        }
        var next = (gap &+ 1) & mask
        while slots[next] != Self.free {
            let home = Int(slots[next] >> 32) & mask
            if (next &- home) & mask >= (next &- gap) & mask {
                slots[gap] = slots[next]
                gap = next
            }
            next = (next &+ 1) & mask
        }
        slots[gap] = Self.free
    }

    /// The hash with this number; numbers in slots have lost their upper half.
    private subscript(low: UInt64) -> UInt128 {
        ring[place(of: head &+ ((low &- head) & 0xffff_ffff))]
    }

    /// Without a division, which would be the dearest part of a look-up.
    @inline(__always)
    private func place(of number: UInt64) -> Int {
        let place = headPlace &+ Int(truncatingIfNeeded: number &- head)
        return place >= ring.count ? place &- ring.count : place
    }

    private mutating func growRing() {
        let wanted = min(ring.count * 2, countMax + Self.slack)
        precondition(wanted > ring.count, "BUG: more ids in one group than the slack holds")
        var wider = [UInt128](repeating: 0, count: wanted)
        for number in head..<tail {
            wider[Int(number - head)] = ring[place(of: number)]
        }
        ring = wider
        headPlace = 0
    }

    private mutating func growSlots() {
        var wider = [UInt64](repeating: Self.free, count: slots.count * 2)
        for entry in slots where entry != Self.free {
            var slot = Int(entry >> 32) & (wider.count &- 1)
            while wider[slot] != Self.free { slot = (slot &+ 1) & (wider.count &- 1) }
            wider[slot] = entry
        }
        slots = wider
    }
}
