/// What one model costs while the row is in force.
public struct PriceRow: Equatable, Sendable {
    public struct Rate: Equatable, Sendable, BitwiseCopyable {
        public var key: RateKey
        public var usd: ExactUSD

        public init(key: RateKey, usd: ExactUSD) {
            self.key = key
            self.usd = usd
        }
    }

    /// Rates for prompts of more than `above` and at most `upTo` tokens; they price the whole
    /// request.
    public struct Band: Equatable, Sendable {
        public var above: UInt64
        public var upTo: UInt64
        public var rates: [Rate]

        public init(above: UInt64, upTo: UInt64, rates: [Rate]) {
            self.above = above
            self.upTo = upTo
            self.rates = rates
        }

        subscript(kind: RateKind) -> ExactUSD? { rates.first { $0.key.kind == kind }?.usd }
    }

    /// A factor on the whole price, and what asks for it.
    public struct Surcharge: Equatable, Sendable {
        public enum Cause: Hashable, Sendable {
            /// OpenAI's data residency, by region: `eu`, `us`.
            case residency(String)
            /// Vertex: any location but the global one.
            case regionalEndpoint
            /// Anthropic's `inference_geo`, or its fast mode under the name `fast`.
            case provider(String)
        }
        public var cause: Cause
        public var factor: Factor

        public init(cause: Cause, factor: Factor) {
            self.cause = cause
            self.factor = factor
        }
    }

    /// One spelling per provider: `openai`, `vertex_ai`, `bedrock`.
    public var provider: String
    /// The key under which the catalogue lists the model, often without its provider.
    public var key: String
    /// `chat` when the source names none.
    public var mode = "chat"
    public var rates: [Rate] = []
    public var bands: [Band] = []
    public var offPeak: OffPeak?
    public var surcharges: [Surcharge] = []
    /// Web searches are billed each; otherwise once per prompt that searched.
    public var isSearchPerQuery = false
    public var searchLow: ExactUSD?
    public var searchMedium: ExactUSD?
    public var searchHigh: ExactUSD?
    /// Unix seconds, from inclusive to exclusive.
    public var validFrom = Int64.min
    public var validTo = Int64.max
    /// The size of a sandbox that names none, in thousandths.
    public var defaultVCPUMilli: UInt32 = 0
    public var defaultGiBMilli: UInt32 = 0
    /// Which list the row comes from: an index into `PriceBook.origins`.
    public var origin = 0

    public init(provider: String, key: String) {
        self.provider = provider
        self.key = key
    }

    public subscript(_ key: RateKey) -> ExactUSD? { rates.first { $0.key == key }?.usd }

    public subscript(_ kind: RateKind) -> ExactUSD? { self[RateKey(kind)] }

    public mutating func set(_ key: RateKey, _ usd: ExactUSD) {
        rates.removeAll { $0.key == key }
        rates.append(Rate(key: key, usd: usd))
    }

    /// The key without a leading provider.
    public var model: String {
        guard let slash = key.firstIndex(of: "/"),
            ProviderNames.canonical(String(key[..<slash]).lowercased()) == provider
        else { return key }
        return String(key[key.index(after: slash)...])
    }

    /// The one spelling of a provider that rows use.
    public static func canonicalProvider(_ name: String) -> String {
        ProviderNames.canonical(name.lowercased())
    }

    public func isValid(at unixSeconds: Int64) -> Bool {
        unixSeconds >= validFrom && unixSeconds < validTo
    }

    /// What a web search costs, and whether it is billed once per prompt that searched. Perplexity
    /// bills each at the smallest context, Gemini before version 3 the prompt.
    var searchPrice: (usd: ExactUSD, isPerPrompt: Bool)? {
        guard let usd = provider == "perplexity" ? searchLow : searchMedium ?? searchLow else {
            return nil
        }
        let isGoogle = provider == "gemini" || provider == "vertex_ai"
        return (usd, !isSearchPerQuery && isGoogle && key.contains("gemini"))
    }

    mutating func takeSearches(of other: PriceRow) {
        searchLow = other.searchLow
        searchMedium = other.searchMedium
        searchHigh = other.searchHigh
        isSearchPerQuery = other.isSearchPerQuery
    }

    /// Prices some token at all; such models are never billed by the running time of a request.
    var pricesTokens: Bool {
        !bands.isEmpty || (self[.input] ?? .zero) > .zero || (self[.output] ?? .zero) > .zero
    }
}

extension PriceRow {
    /// A call at standard service costs the same under either name.
    public func hasPrices(of other: PriceRow) -> Bool {
        RateKind.allCases.allSatisfy { self[$0] == other[$0] } && bands == other.bands
            && offPeak == other.offPeak && surcharges == other.surcharges
    }
}
