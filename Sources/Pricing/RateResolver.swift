internal import Usage

/// A rate for one kind and where in the row it comes from.
public struct ResolvedRate: Equatable, Sendable {
    public var usd: ExactUSD
    public var rule: String

    public init(usd: ExactUSD, rule: String) {
        self.usd = usd
        self.rule = rule
    }
}

/// Chooses the rates of a row for one request. Order of precedence: off-peak hours, then the band
/// or the threshold that the whole prompt crosses, then the tier of service, field by field, each
/// falling back to the plainer field. Pure; the surcharges come last, on everything.
struct RateResolver {
    let row: PriceRow
    let prompt: UInt64
    let context: PriceContext
    private let band: PriceRow.Band?
    private let offPeak: OffPeak?
    /// Crossed thresholds, highest first.
    private let crossed: [UInt32]

    init(row: PriceRow, prompt: UInt64, context: PriceContext) {
        self.row = row
        self.prompt = prompt
        self.context = context
        offPeak = row.offPeak.flatMap { $0.isOpen(at: context.time) ? $0 : nil }
        band = Self.band(of: row, prompt)
        crossed = Self.thresholds(of: row).filter { Self.crosses(prompt, $0, row.provider) }
            .sorted(by: >)
    }

    /// The prompt lengths at which some rate of the row may change: crossed when exceeded, for xAI
    /// when reached.
    static func thresholds(of row: PriceRow) -> Set<UInt32> {
        Set(row.rates.lazy.map(\.key.threshold).filter { $0 > 0 })
    }

    static func crosses(_ prompt: UInt64, _ threshold: UInt32, _ provider: String) -> Bool {
        provider == "xai" ? prompt >= UInt64(threshold) : prompt > UInt64(threshold)
    }

    static func band(of row: PriceRow, _ prompt: UInt64) -> PriceRow.Band? {
        // An answer whose prompt nobody counted takes the first.
        if prompt == 0 { return row.bands.first }
        return row.bands.first { prompt > $0.above && prompt <= $0.upTo } ?? row.bands.last
    }

    /// The rate of a kind before surcharges; nil when the row has none and no other stands in.
    func rate(_ kind: RateKind) -> ResolvedRate? {
        if context.tier == .batch, let batch = batchRate(kind) { return batch }
        return rate(kind, context.tier == .batch ? .standard : context.tier)
    }

    private func rate(_ kind: RateKind, _ tier: ServiceTier) -> ResolvedRate? {
        switch kind {
        case .input, .output, .cachedInput, .cacheWrite, .cacheWriteHour, .cacheWriteHalfDay,
            .reasoning:
            return tokenRate(kind, tier)
        case .cachedAudio, .cachedImage:
            return flat(kind, tier) ?? rate(.cachedInput, tier)
        case .audioInput, .imageInput, .videoInput:
            return flat(kind, tier) ?? rate(.input, tier)
        case .audioOutput, .imageOutput, .videoOutput:
            return flat(kind, tier) ?? rate(.output, tier)
        default: return flat(kind, tier)
        }
    }

    /// One of the kinds that bands, thresholds and off-peak hours change.
    private func tokenRate(_ kind: RateKind, _ tier: ServiceTier) -> ResolvedRate? {
        if let usd = offPeak?[kind] { return ResolvedRate(usd: usd, rule: "off-peak") }
        if let band, band[.input] != nil { return bandRate(kind, band, tier) }
        let own = kind == .reasoning ? reasoningRate(tier) : tieredRate(kind, tier)
        if let own { return own }
        switch kind {
        case .cacheWriteHour, .cacheWriteHalfDay: return rate(.cacheWrite, tier)
        case .cachedInput where row.provider == "fireworks_ai" && row.mode != "embedding":
            return fireworksCached(tier)
        case .cachedInput, .cacheWrite: return rate(.input, tier)
        case .reasoning: return rate(.output, tier)
        // A model that makes images prices its answer by the tokens of images.
        case .output: return flat(.imageOutput, tier)
        default: return nil
        }
    }

    /// Cached input costs half where the list names no rate: https://fireworks.ai/pricing
    private func fireworksCached(_ tier: ServiceTier) -> ResolvedRate? {
        guard let input = rate(.input, tier), let half = input.usd.times(.half) else { return nil }
        return ResolvedRate(usd: half, rule: "half of \(input.rule)")
    }

    private func bandRate(
        _ kind: RateKind, _ band: PriceRow.Band, _ tier: ServiceTier
    ) -> ResolvedRate? {
        let rule = "prompt of \(band.above) to \(band.upTo)"
        if let usd = band[kind] { return ResolvedRate(usd: usd, rule: rule) }
        switch kind {
        case .cachedInput, .cacheWrite: return rate(.input, tier)
        case .cacheWriteHour, .cacheWriteHalfDay: return rate(.cacheWrite, tier)
        // A table of input rates alone leaves the answer to the model's own rate.
        case .output: return flat(.output, tier)
        case .reasoning:
            return band[.output] != nil
                ? rate(.output, tier) : flat(.reasoning, tier) ?? rate(.output, tier)
        default: return nil
        }
    }

    /// The rate above the highest crossed threshold that names one, else the flat one.
    private func tieredRate(_ kind: RateKind, _ tier: ServiceTier) -> ResolvedRate? {
        for threshold in crossed {
            let own = RateKey(kind, tier: tier, above: threshold)
            if let usd = row[own] { return ResolvedRate(usd: usd, rule: own.priceFileKey) }
            let plain = RateKey(kind, above: threshold)
            if let usd = row[plain] {
                return scaled(usd, plain, to: tier)
                    ?? ResolvedRate(usd: usd, rule: plain.priceFileKey)
            }
        }
        return flat(kind, tier)
    }

    /// A tier whose rates stop at the threshold keeps its ratio to the standard price above it.
    /// Falling back to the standard rate would make a long prompt cheaper by priority than a short
    /// one, and take flex's discount away.
    private func scaled(
        _ usd: ExactUSD, _ key: RateKey, to tier: ServiceTier
    ) -> ResolvedRate? {
        guard tier != .standard, row[RateKey(.input, tier: tier)] != nil,
            row[RateKey(.input, tier: tier, above: key.threshold)] == nil,
            let ofTier = row[RateKey(key.kind, tier: tier)], let standard = row[RateKey(key.kind)],
            let scaled = usd.scaled(by: ofTier.units, over: standard.units)
        else { return nil }
        return ResolvedRate(usd: scaled, rule: "\(key.priceFileKey) at the ratio of \(tier.word)")
    }

    /// Reasoning has a rate of its own only at the standard tier, unless a tier names one.
    private func reasoningRate(_ tier: ServiceTier) -> ResolvedRate? {
        let own = RateKey(.reasoning, tier: tier)
        if let usd = row[own] { return ResolvedRate(usd: usd, rule: own.priceFileKey) }
        if tier != .standard, row[RateKey(.output, tier: tier)] != nil { return nil }
        return flat(.reasoning, .standard)
    }

    private func flat(_ kind: RateKind, _ tier: ServiceTier) -> ResolvedRate? {
        let own = RateKey(kind, tier: tier)
        if let usd = row[own] { return ResolvedRate(usd: usd, rule: own.priceFileKey) }
        let plain = RateKey(kind)
        return row[plain].map { ResolvedRate(usd: $0, rule: plain.priceFileKey) }
    }

    /// The batch rate of a kind: its own, the one it falls back to, or half of the standard rate.
    private func batchRate(_ kind: RateKind) -> ResolvedRate? {
        for threshold in crossed + [0] {
            let key = RateKey(kind, tier: .batch, above: threshold)
            if let usd = row[key] { return ResolvedRate(usd: usd, rule: key.priceFileKey) }
        }
        if kind == .cacheWriteHour || kind == .cacheWriteHalfDay,
            row[.init(.cacheWrite, tier: .batch)] != nil
        {
            return batchRate(.cacheWrite)
        }
        guard kind.isToken, let standard = rate(kind, .standard),
            let half = standard.usd.times(.half)
        else { return nil }
        // Without a rate of its own a kind is priced like text, in a batch too.
        if let plainer = plainer(kind), let plain = rate(plainer, .standard),
            plain.usd == standard.usd
        {
            return batchRate(plainer)
        }
        return ResolvedRate(usd: half, rule: "half of \(standard.rule)")
    }

    private func plainer(_ kind: RateKind) -> RateKind? {
        switch kind {
        case .cachedInput, .cacheWrite, .audioInput, .imageInput, .videoInput: .input
        case .cachedAudio, .cachedImage: .cachedInput
        case .cacheWriteHour, .cacheWriteHalfDay: .cacheWrite
        case .reasoning, .audioOutput, .imageOutput, .videoOutput: .output
        default: nil
        }
    }

    /// The product of the surcharges that the request asks for.
    var surcharges: [PriceRow.Surcharge] {
        row.surcharges.filter { context.applies($0.cause) }
    }
}
