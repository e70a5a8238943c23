/// What one call costs, kind by kind, exact and not yet rounded.
public struct Bill: Equatable, Sendable {
    public struct Line: Equatable, Sendable {
        public enum Part: Sendable {
            case prompt, completion
            /// Tools of the provider, such as web searches: neither prompt nor answer.
            case tools
        }
        public var kind: RateKind
        public var part: Part
        /// In parts of 1e-9: tokens, characters, seconds.
        public var quantityNanos: Int128
        public var rate: ExactUSD
        public var rule: String
        /// Before surcharges.
        public var usd: ExactUSD

        /// The quantity as people write it.
        public var quantity: String {
            let whole = quantityNanos / 1_000_000_000
            let rest = quantityNanos % 1_000_000_000
            guard rest > 0 else { return "\(whole)" }
            var digits = String(rest + 1_000_000_000).dropFirst()
            while digits.last == "0" { digits.removeLast() }
            return "\(whole).\(digits)"
        }
    }

    public var lines: [Line] = []
    public var surcharges: [PriceRow.Surcharge] = []
    public var prompt = ExactUSD.zero
    public var completion = ExactUSD.zero
    public var tools = ExactUSD.zero
    public var flags: [String] = []
    /// The flag of a bill that leaves web searches out.
    public static let searchWithoutPrice = "web_search_without_price"

    public init() {}

    /// Nil when the sum leaves the range.
    public var total: ExactUSD? {
        ExactUSD.sum(prompt, completion).flatMap { ExactUSD.sum($0, tools) }
    }
}

/// Why there is no bill.
public enum Unpriced: Error, Equatable, Sendable {
    /// No row of any list is for this model at that time.
    case unknownModel
    /// The row has no rate for something that was used.
    case noRate(RateKind)
    /// The model is billed by a unit that the call does not report.
    case unitMissing(RateKind)
    /// The amount leaves the range of `Limits.costMax`.
    case outOfRange
}
