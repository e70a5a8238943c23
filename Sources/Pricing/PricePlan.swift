internal import Usage

/// How the events of one model are priced within a span of time and a range of prompt lengths in
/// which nothing about the price changes. Plans are made when the first such event comes.
struct PricePlan: BitwiseCopyable {
    enum Outcome: UInt8, BitwiseCopyable { case unpriced, tokens, compute }

    /// Unix nanoseconds, from inclusive to exclusive.
    var from = Int64.min
    var to = Int64.max
    var promptMin: UInt32 = 0
    var promptMax = UInt32.max
    var tier = ServiceTier.standard
    var outcome = Outcome.unpriced
    /// The name of the row's provider, for events that name none.
    var provider: NameID = 0
    /// Index of a card or of a row, by `outcome`.
    var index: Int32 = -1
    /// The next plan of the same model; -1: none.
    var next: Int32 = -1

    @inline(__always)
    func fits(_ time: Int64, _ prompt: UInt32, _ tier: ServiceTier) -> Bool {
        time >= from && time < to && prompt >= promptMin && prompt <= promptMax
            && tier == self.tier
    }
}

/// (provider, model) as name ids -> the newest plan of that model. Open addressing, grown at half
/// load; everything is dropped when callers invent models without end, or one model's price changes
/// so often that its chain of plans grows long.
struct PlanCache {
    static let plansMax = 65_536
    static let chainMax = 64

    private var keys: [UInt64] = Array(repeating: 0, count: 256)
    private var heads: [Int32] = Array(repeating: -1, count: 256)
    private var keyCount = 0
    private(set) var plans: [PricePlan] = []
    private(set) var cards: [RateCard] = []

    /// The index of a plan that fits, or nil when one must be made.
    @inline(__always)
    func find(_ key: UInt64, _ time: Int64, _ prompt: UInt32, _ tier: ServiceTier) -> Int? {
        // Keys are stored one higher, so that 0 marks a free slot.
        var slot = Self.slot(key, keys.count)
        while keys[slot] != 0 {
            if keys[slot] == key &+ 1 {
                var index = heads[slot]
                while index >= 0 {
                    if plans[Int(index)].fits(time, prompt, tier) { return Int(index) }
                    index = plans[Int(index)].next
                }
                return nil
            }
            slot = (slot &+ 1) & (keys.count &- 1)
        }
        return nil
    }

    mutating func insert(_ key: UInt64, _ plan: PricePlan, _ card: RateCard?) -> Int {
        if plans.count >= Self.plansMax { self = PlanCache() }
        var plan = plan
        if let card {
            plan.index = Int32(cards.count)
            cards.append(card)
        }
        if keyCount * 2 >= keys.count { grow() }
        var slot = Self.slot(key, keys.count)
        while keys[slot] != 0, keys[slot] != key &+ 1 { slot = (slot + 1) & (keys.count - 1) }
        if keys[slot] == 0 {
            keyCount += 1
            keys[slot] = key &+ 1
            heads[slot] = -1
        }
        plan.next = length(heads[slot]) < Self.chainMax ? heads[slot] : -1
        heads[slot] = Int32(plans.count)
        plans.append(plan)
        return plans.count - 1
    }

    private func length(_ head: Int32) -> Int {
        var count = 0
        var index = head
        while index >= 0 {
            count += 1
            index = plans[Int(index)].next
        }
        return count
    }

    private mutating func grow() {
        let old = (keys, heads)
        keys = Array(repeating: 0, count: old.0.count * 2)
        heads = Array(repeating: -1, count: keys.count)
        for (index, key) in old.0.enumerated() where key != 0 {
            var slot = Self.slot(key &- 1, keys.count)
            while keys[slot] != 0 { slot = (slot + 1) & (keys.count - 1) }
            keys[slot] = key
            heads[slot] = old.1[index]
        }
    }

    @inline(__always)
    private static func slot(_ key: UInt64, _ count: Int) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 32) & (count &- 1)
    }
}
