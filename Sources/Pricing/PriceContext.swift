public import Usage

/// What a price depends on besides the model and its tokens.
public struct PriceContext: Equatable, Sendable {
    public var tier = ServiceTier.standard
    /// OpenAI's data residency (`eu`, `us`); empty: none.
    public var residency = ""
    /// Vertex location; empty or `global`: no surcharge.
    public var location = ""
    /// Anthropic's `inference_geo`; empty, `global` or `not_available`: no surcharge.
    public var geo = ""
    /// Anthropic's fast mode.
    public var isFast = false
    /// Unix seconds of the call.
    public var time: Int64 = 0

    public init() {}

    /// An event names one place; what it means depends on the provider.
    public mutating func setRegion(_ name: String) {
        residency = name
        location = name
        geo = name
    }

    /// The served tier counts when it names a priced one or says plainly that it was the standard
    /// one; otherwise the tier that was asked for.
    public static func tier(requested: String, served: String) -> ServiceTier {
        let tier = ServiceTier(spelling: served)
        if tier != .standard { return tier }
        return ["default", "standard"].contains(served.lowercased())
            ? .standard : ServiceTier(spelling: requested)
    }

    func applies(_ cause: PriceRow.Surcharge.Cause) -> Bool {
        switch cause {
        case .residency(let region): residency.lowercased() == region
        case .regionalEndpoint: !location.isEmpty && location.lowercased() != "global"
        case .provider("fast"): isFast
        case .provider(let region): geo.lowercased() == region
        }
    }
}
