internal import Usage

/// Sums of a quarter of an hour and one set of dimension values, gathered since the last
/// checkpoint. The checkpoint adds them to the stored roll-ups, from which reports, queries and
/// back-fills are answered long after the raw events are gone.
struct RollUpDelta {
    static let seconds: Int64 = 900

    struct Key: BitwiseCopyable, Equatable {
        /// Quarter hours since 1970.
        var quarter: UInt32 = 0
        var tenant: NameID = 0
        var user: NameID = 0
        var feature: NameID = 0
        var agent: NameID = 0
        var operation: NameID = 0
        var provider: NameID = 0
        var model: NameID = 0
        var tags: NameID = 0
        /// Status, stage and cost source as in `CostEvent.facts`.
        var facts: UInt32 = 0

        @inline(__always)
        init(_ event: CostEvent) {
            quarter = UInt32(clamping: event.timestamp / (RollUpDelta.seconds &* 1_000_000_000))
            tenant = event.tenant
            user = event.user
            feature = event.feature
            agent = event.agent
            operation = event.operation
            provider = event.provider
            model = event.model
            tags = event.tags
            facts = event.facts & 0xfff
        }

        @inline(__always)
        var hash: UInt64 {
            var state: UInt64 = 0xa076_1d64_78bd_642f
            func mix(_ low: UInt32, _ high: UInt32) {
                let word = UInt64(low) | UInt64(high) &<< 32
                let product = (state ^ word).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
                state = product.high ^ product.low
            }
            mix(quarter, tenant)
            mix(user, feature)
            mix(agent, operation)
            mix(provider, model)
            mix(tags, facts)
            return state
        }
    }

    struct Sums: BitwiseCopyable, Equatable {
        var events: Int64 = 0
        var input: Int64 = 0
        var plainInput: Int64 = 0
        var plainOutput: Int64 = 0
        var cachedInput: Int64 = 0
        var cacheWrite: Int64 = 0
        var output: Int64 = 0
        var reasoning: Int64 = 0
        var audioInput: Int64 = 0
        var audioOutput: Int64 = 0
        var cost: Int64 = 0
        var largest: Int64 = 0

        @inline(__always)
        mutating func add(_ event: CostEvent) {
            if event.isAdjustment {
                cost += event.cost
                return
            }
            events &+= 1
            input &+= Int64(event.tokens.input)
            plainInput &+= Int64(event.tokens.disjoint(.input))
            plainOutput &+= Int64(event.tokens.disjoint(.output))
            cachedInput &+= Int64(event.tokens.cachedInput)
            cacheWrite &+= Int64(event.tokens.cacheWrite)
            output &+= Int64(event.tokens.output)
            reasoning &+= Int64(event.tokens.reasoning)
            audioInput &+= Int64(event.tokens.disjoint(.audioInput))
            audioOutput &+= Int64(event.tokens.audioOutput)
            if let amount = event.amount {
                cost += amount.nanos
                largest = max(largest, amount.nanos)
            }
        }
    }

    /// One row of the table; the virtual table that writes it reads the fields in place.
    struct Entry: BitwiseCopyable, Equatable {
        var key: Key
        var sums = Sums()
    }

    private(set) var entries: [Entry] = []
    private var slots: [UInt32] = Array(repeating: 0, count: 1024)

    var count: Int { entries.count }

    @inline(__always)
    mutating func add(_ event: CostEvent) {
        entries[place(of: Key(event))].sums.add(event)
        if event.isFirstAmount { movePriced(event) }
    }

    /// A call that was stored without an amount has one now: it counts with those that do. Its
    /// tokens stay where they are; nobody asks for them by the source of the amount.
    @inline(never)
    private mutating func movePriced(_ event: CostEvent) {
        entries[place(of: Key(event))].sums.events += 1
        var before = event
        before.costSource = .unpriced
        entries[place(of: Key(before))].sums.events -= 1
    }

    @inline(__always)
    private mutating func place(of key: Key) -> Int {
        var slot = Int(truncatingIfNeeded: key.hash) & (slots.count &- 1)
        while slots[slot] != 0 {
            let place = Int(slots[slot] &- 1)
            if entries[place].key == key { return place }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        entries.append(Entry(key: key))
        slots[slot] = UInt32(entries.count)
        if entries.count * 2 > slots.count { grow() }
        return entries.count &- 1
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for place in entries.indices {
            var slot = Int(truncatingIfNeeded: entries[place].key.hash) & (slots.count &- 1)
            while slots[slot] != 0 { slot = (slot &+ 1) & (slots.count &- 1) }
            slots[slot] = UInt32(place) + 1
        }
    }

    /// In the order of the table's primary key: each page is then touched once. The delta can only
    /// be written or cleared afterwards.
    ///
    /// What is moved while sorting is the front of each key, not the whole entry.
    mutating func sort() {
        var order = entries.indices.map { place in
            let key = entries[place].key
            return Front(
                high: UInt64(key.quarter) << 32 | UInt64(key.tenant),
                low: UInt64(key.feature) << 32 | UInt64(key.model), place: place)
        }
        order.sort { left, right in
            if left.high != right.high { return left.high < right.high }
            if left.low != right.low { return left.low < right.low }
            return entries[left.place].key < entries[right.place].key
        }
        entries = order.map { entries[$0.place] }
    }

    private struct Front: BitwiseCopyable {
        let high: UInt64
        let low: UInt64
        let place: Int
    }

    /// Empty again, with its memory unless it used little of it: the next flood finds it.
    mutating func clear() {
        if slots.count > 8192, entries.count * 16 < slots.count {
            self = RollUpDelta()
            return
        }
        entries.removeAll(keepingCapacity: true)
        for slot in slots.indices { slots[slot] = 0 }
    }
}

extension RollUpDelta.Key: Comparable {
    static func < (left: Self, right: Self) -> Bool {
        func word(_ high: UInt32, _ low: UInt32) -> UInt64 { UInt64(high) &<< 32 | UInt64(low) }
        let pairs = (
            word(left.quarter, left.tenant), word(right.quarter, right.tenant),
            word(left.feature, left.model), word(right.feature, right.model)
        )
        if pairs.0 != pairs.1 { return pairs.0 < pairs.1 }
        if pairs.2 != pairs.3 { return pairs.2 < pairs.3 }
        let rest = (
            word(left.provider, left.user), word(right.provider, right.user),
            word(left.agent, left.operation), word(right.agent, right.operation),
            word(left.facts, left.tags), word(right.facts, right.tags)
        )
        if rest.0 != rest.1 { return rest.0 < rest.1 }
        if rest.2 != rest.3 { return rest.2 < rest.3 }
        return rest.4 < rest.5
    }
}
