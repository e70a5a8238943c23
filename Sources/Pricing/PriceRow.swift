public import Usage

/// What one model costs, in femto-dollars (1e-15 USD) per unit: finer than any published rate, and
/// an integer. $1 per million tokens is 1e9 femto-dollars a token.
public struct PriceRow: Equatable, Sendable {
    public static let rateScale = 15

    public var provider: String
    public var model: String
    public var input: Int64?
    public var cachedInput: Int64?
    public var cacheWrite: Int64?
    public var output: Int64?
    public var reasoning: Int64?
    public var audioInput: Int64?
    public var audioOutput: Int64?
    /// The model is also or only billed by queries, seconds or characters, which events do not
    /// carry: then tokens without a rate are no reason to call it free.
    public var hasOtherUnits = false
    public var vcpuSecond: Int64?
    public var gibSecond: Int64?
    /// The size of a sandbox that names none.
    public var defaultVCPUMilli: UInt32 = 0
    public var defaultGiBMilli: UInt32 = 0

    public init(provider: String, model: String) {
        self.provider = provider
        self.model = model
    }

    /// The rate of a kind, falling back as providers bill: cached and written input like input,
    /// reasoning like output. Nil: this model has no price for such tokens. An explicit 0 is a
    /// price.
    public func rate(_ kind: TokenKind) -> Int64? {
        switch kind {
        case .input: input
        case .cachedInput: cachedInput ?? input
        case .cacheWrite: cacheWrite ?? input
        case .output: output
        case .reasoning: reasoning ?? output
        case .audioInput: audioInput ?? input
        case .audioOutput: audioOutput ?? output
        }
    }
}

extension PriceRow {
    /// Femto-dollars in a nano-dollar.
    private static let perNano: Int128 = 1_000_000

    /// The cost of a call by its tokens, rounded once, half away from zero. Nil when tokens were
    /// used for which this row has no rate, or the amount leaves the range.
    public func cost(of tokens: TokenCounts) -> NanoUSD? {
        if hasOtherUnits { return nil }
        guard input != nil || output != nil else { return nil }
        var total: Int128 = 0
        for kind in TokenKind.allCases {
            let count = tokens.disjoint(kind)
            if count == 0 { continue }
            guard let rate = rate(kind) else { return nil }
            total += Int128(count) * Int128(rate)
        }
        return Self.rounded(total)
    }

    /// The cost of a sandbox: (vCPU x rate + GiB x rate) x seconds. Without any size, that of the
    /// default one.
    public func cost(computeMicros: Int64, vcpuMilli: UInt32, gibMilli: UInt32) -> NanoUSD? {
        guard let vcpuSecond, let gibSecond else { return nil }
        let hasSize = vcpuMilli > 0 || gibMilli > 0
        let vcpuMilli = hasSize ? vcpuMilli : defaultVCPUMilli
        let gibMilli = hasSize ? gibMilli : defaultGiBMilli
        // Micro-seconds times thousandths: 1e9 parts of one vCPU-second.
        let size = Int128(vcpuMilli) * Int128(vcpuSecond) + Int128(gibMilli) * Int128(gibSecond)
        let femto = (Int128(computeMicros) * size + 500_000_000) / 1_000_000_000
        return Self.rounded(femto)
    }

    private static func rounded(_ femto: Int128) -> NanoUSD? {
        let nanos = (femto + perNano / 2) / perNano
        guard nanos <= Int128(Limits.costMax.nanos) else { return nil }
        return NanoUSD(nanos: Int64(nanos))
    }
}
