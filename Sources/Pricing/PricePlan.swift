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
    /// The price is that of a sibling: the model's own is unknown.
    var isGuess = false
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

/// What a price is looked up by, as name ids; the tenant is 0 unless prices differ between tenants.
struct PlanKey: BitwiseCopyable, Equatable {
    var provider: NameID
    var model: NameID
    var tenant: NameID
    var region: NameID = 0

    static let free = PlanKey(provider: .max, model: .max, tenant: .max)

    @inline(__always)
    var hash: Int {
        let word = UInt64(provider) << 32 | UInt64(model)
        let rest = UInt64(region) << 32 | UInt64(tenant)
        let mixed = (word ^ rest &* 0xd6e8_feb8_6659_fd93) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed >> 32)
    }
}

/// `PlanKey` -> the newest plan of that model. Open addressing, grown at half
/// load; everything is dropped when callers invent models without end, or one model's price changes
/// so often that its chain of plans grows long.
struct PlanCache {
    static let plansMax = 65_536
    static let chainMax = 64

    private var keys = Array(repeating: PlanKey.free, count: 256)
    private var heads: [Int32] = Array(repeating: -1, count: 256)
    private var keyCount = 0
    private(set) var plans: [PricePlan] = []
    private(set) var cards: [RateCard] = []

    /// The slot of a key, or the free one where it would stand.
    @inline(__always)
    private func slot(_ key: PlanKey) -> Int {
        var slot = key.hash & (keys.count &- 1)
        while keys[slot] != key, keys[slot] != .free { slot = (slot &+ 1) & (keys.count &- 1) }
        return slot
    }

    /// The index of a plan that fits, or nil when one must be made.
    @inline(__always)
    func find(_ key: PlanKey, _ time: Int64, _ prompt: UInt32, _ tier: ServiceTier) -> Int? {
        // -1 in a free slot ends the walk at once.
        var index = heads[slot(key)]
        while index >= 0 {
            if plans[Int(index)].fits(time, prompt, tier) { return Int(index) }
            index = plans[Int(index)].next
        }
        return nil
    }

    mutating func insert(_ key: PlanKey, _ plan: PricePlan, _ card: RateCard?) -> Int {
        if plans.count >= Self.plansMax { self = PlanCache() }
        var plan = plan
        if let card {
            plan.index = Int32(cards.count)
            cards.append(card)
        }
        if keyCount * 2 >= keys.count { grow() }
        let slot = slot(key)
        if keys[slot] == .free {
            keyCount += 1
            keys[slot] = key
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
        keys = Array(repeating: .free, count: old.0.count * 2)
        heads = Array(repeating: -1, count: keys.count)
        for (index, key) in old.0.enumerated() where key != .free {
            let slot = slot(key)
            keys[slot] = key
            heads[slot] = old.1[index]
        }
    }
}
