public import Usage

extension PriceEngine {
    /// The cost of machine time: (vCPU x rate + GiB x rate + rate) x seconds. Without any size,
    /// that of the row's default one. Nil when the row prices no machine time.
    public static func computeCost(
        _ row: PriceRow, micros: Int64, vcpuMilli: UInt32, gibMilli: UInt32
    ) -> NanoUSD? {
        let hasSize = vcpuMilli > 0 || gibMilli > 0
        let vcpu = hasSize ? vcpuMilli : row.defaultVCPUMilli
        let gib = hasSize ? gibMilli : row.defaultGiBMilli
        var total: ExactUSD?
        // Microseconds times thousandths: 1e9 parts of one second of a whole.
        for (kind, milli) in [
            (RateKind.vcpuSecond, vcpu), (.gibSecond, gib), (.runningSecond, 1000),
        ] {
            guard micros >= 0, let rate = row[kind] else { continue }
            guard
                let part = rate.scaled(
                    by: Int128(micros) * Int128(milli), over: 1_000_000_000),
                let sum = ExactUSD.sum(total ?? .zero, part)
            else { return nil }
            total = sum
        }
        return total?.rounded
    }
}

extension PriceBook {
    /// The row of a sandbox by its resource: `e2b.standard` is what E2B sells.
    func computeRow(provider: String, resource: String, at unixSeconds: Int64) -> Int? {
        if let own = row(resource: resource, at: unixSeconds) { return own }
        let parts = resource.lowercased().split(separator: ".", maxSplits: 1)
        let owner =
            provider.isEmpty
            ? parts.first.map(String.init) ?? ""
            : ProviderNames.canonical(provider.lowercased())
        // `e2b.gpu` and other sizes have no published rate by vCPU and GiB.
        let kind = parts.count > 1 ? parts[1] : ""
        guard ["", "standard", "sandbox"].contains(kind) else { return nil }
        return rows.indices.last { index in
            rows[index].provider == owner && rows[index][.vcpuSecond] != nil
                && rows[index].isValid(at: unixSeconds)
        }
    }

    /// The span around a moment in which no row comes into force or ends.
    func steadySpan(around unixSeconds: Int64) -> Range<Int64> {
        var low = 0
        var high = edges.count
        // The number of edges at or before the moment.
        while low < high {
            let middle = (low + high) / 2
            if edges[middle] <= unixSeconds { low = middle + 1 } else { high = middle }
        }
        return (low > 0 ? edges[low - 1] : Int64.min)..<(low < edges.count ? edges[low] : .max)
    }
}

extension PriceRow {
    /// Tokens are what its price is about; a list may name token rates of 0 beside the price of a
    /// query, and then tokens alone do not make a call free.
    var isBilledByTokens: Bool {
        if pricesTokens { return true }
        return !rates.contains { !$0.key.kind.isToken && $0.usd > .zero }
            && rates.contains { $0.key.kind.isToken }
    }
}

extension RateResolver {
    /// The prompts around one, inclusive, that take the same rates of a row.
    static func steadyPrompts(of row: PriceRow, around prompt: UInt32) -> ClosedRange<UInt32> {
        var starts: Set<UInt64> = [0]
        for threshold in thresholds(of: row) {
            starts.insert(UInt64(threshold) + (row.provider == "xai" ? 0 : 1))
        }
        for band in row.bands { starts.formUnion([1, band.above + 1, band.upTo + 1]) }
        let prompt = UInt64(prompt)
        let low = starts.filter { $0 <= prompt }.max() ?? 0
        let high = starts.filter { $0 > prompt }.min() ?? UInt64(UInt32.max) + 1
        return UInt32(clamping: low)...UInt32(clamping: high - 1)
    }
}
