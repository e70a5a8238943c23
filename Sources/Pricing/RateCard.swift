internal import Usage

/// The rates of one row for one kind of request, surcharges included, ready to be multiplied: what
/// an event on the hot path needs, without allocation or look-up.
public struct RateCard: BitwiseCopyable, Sendable {
    /// By `RateKind.rawValue`, in units of `ExactUSD`.
    private var units = InlineArray<16, Int128>(repeating: 0)
    /// One bit per kind that has a rate.
    private var known: UInt32 = 0
    /// Of a web search; billed once per prompt that searched, or each.
    private var search: Int128 = 0
    private var hasSearch = false
    private var isSearchPerPrompt = false

    /// `discount` is what is left to pay.
    init(_ resolver: RateResolver, discount: Factor = .one) {
        if let price = resolver.row.searchPrice {
            search = price.usd.units
            hasSearch = true
            isSearchPerPrompt = price.isPerPrompt
        }
        for kind in RateKind.allCases where kind.isToken {
            guard var usd = resolver.rate(kind)?.usd else { continue }
            var isInRange = true
            for factor in resolver.surcharges.map(\.factor) + [discount] {
                guard let next = usd.times(factor) else {
                    isInRange = false
                    break
                }
                usd = next
            }
            // 2^32 tokens at 2^90 units stay far inside 128 bits.
            guard isInRange, usd.units < 1 << 90 else { continue }
            units[Int(kind.rawValue)] = usd.units
            known |= 1 << UInt32(kind.rawValue)
        }
    }

    @inline(__always)
    private func add(_ count: UInt32, _ kind: RateKind, _ sum: inout Int128) -> Bool {
        if count == 0 { return true }
        guard known & (1 << UInt32(kind.rawValue)) != 0 else { return false }
        sum &+= units[Int(kind.rawValue)] &* Int128(count)
        return true
    }

    /// What an event used has web searches, for which there is no rate.
    @inline(__always)
    func lacksSearchPrice(_ event: CostEvent) -> Bool { event.webSearches > 0 && !hasSearch }

    /// The exact cost of what an event used, without its web searches when there is no rate for
    /// them; nil when there is none for some of its tokens.
    @inline(__always)
    func cost(_ event: CostEvent) -> ExactUSD? {
        let tokens = event.tokens
        let hour = min(event.cacheWriteHour, tokens.cacheWrite)
        var sum: Int128 = 0
        if event.webSearches > 0, hasSearch {
            sum = search &* Int128(isSearchPerPrompt ? 1 : event.webSearches)
        }
        let isPriced =
            add(tokens.disjoint(.input), .input, &sum)
            && add(tokens.disjoint(.cachedInput), .cachedInput, &sum)
            && add(tokens.cacheWrite &- hour, .cacheWrite, &sum)
            && add(hour, .cacheWriteHour, &sum)
            && add(tokens.disjoint(.audioInput), .audioInput, &sum)
            && add(tokens.disjoint(.output), .output, &sum)
            && add(tokens.disjoint(.reasoning), .reasoning, &sum)
            && add(tokens.disjoint(.audioOutput), .audioOutput, &sum)
        return isPriced ? ExactUSD(units: sum) : nil
    }
}
