internal import Pricing
internal import Usage
internal import Wire

// `pricing`: price files, negotiated prices, and what to do without a price.
extension Configuration {
    static let priceFilesMax = 100
    static let discountsMax = 10_000
    static let aliasesMax = 10_000
    static let resourcesMax = 1000

    static func readPricing(_ map: inout ConfigurationMap) -> PricingSettings {
        var settings = PricingSettings()
        var pricing = map.map("pricing")
        settings.files = pricing.list(
            "files", default: [], countMax: priceFilesMax,
            expected: "a path that ends in .yaml, .yml or, for LiteLLM's layout, .json"
        ) { path in
            [".yaml", ".yml", ".json"].contains { path.hasSuffix($0) } ? path : nil
        }
        settings.isLenient = pricing.boolean("lenient", default: false)
        settings.policy.unknown = pricing.word("unknown", default: settings.policy.unknown)
        settings.policy.profile = pricing.word("profile", default: settings.policy.profile)
        for entry in pricing.texts("aliases", countMax: aliasesMax) {
            guard entry.values.count == 1, let model = entry.values.first, !model.isEmpty else {
                pricing.reader.fault(
                    entry.mark, "pricing.aliases.\(entry.name)", "must be one name of a model")
                continue
            }
            settings.aliases[entry.name] = model
        }
        settings.policy.discounts =
            pricing.maps("discounts", countMax: discountsMax) { readDiscount(&$0) } ?? []
        var names: Set<String> = []
        settings.resources =
            pricing.maps("resources", countMax: resourcesMax) { entry in
                readResource(&entry, &names)
            } ?? []
        pricing.finish()
        return settings
    }

    private static func readDiscount(
        _ map: inout ConfigurationMap
    ) -> PricingPolicy.Discount? {
        func pattern(_ key: String) -> Pattern {
            let text = map.string(key, default: "", bytesMax: Limits.textBytes)
            return Pattern(text.isEmpty || text == "*" ? [] : [text])
        }
        let (provider, model, tenant) = (pattern("provider"), pattern("model"), pattern("tenant"))
        // Per cent with four decimals make a factor with six.
        let parts = map.scalar(
            "percent", default: nil, expected: "a number from 0 to 100, such as 15", isText: false
        ) { text -> Int64?? in
            guard case .value(let parts) = FixedPoint.read(Array(text.utf8).span, scale: 4),
                (0...1_000_000).contains(parts)
            else { return nil }
            return .some(parts)
        }
        guard let parts else {
            if !map.has("percent"), !map.reader.isListingKeys {
                map.missing("percent", "write how much less than the list price it is, such as 15")
            }
            return nil
        }
        return PricingPolicy.Discount(
            provider: provider, model: model, tenant: tenant,
            factor: Factor(parts: Factor.one.parts - parts))
    }

    private static func readResource(
        _ map: inout ConfigurationMap, _ names: inout Set<String>
    ) -> PricingSettings.Resource? {
        let name = map.name("name")
        if let name, !names.insert(name.lowercased()).inserted {
            map.fault("name", "\"\(name)\" names another resource already")
        }
        var resource = PricingSettings.Resource(name: name ?? "")
        resource.second = map.rate("usd_per_second", .runningSecond)
        resource.vcpuSecond = map.rate("usd_per_vcpu_second", .vcpuSecond)
        resource.gibSecond = map.rate("usd_per_gib_second", .gibSecond)
        let hasRate =
            resource.second != nil || resource.vcpuSecond != nil || resource.gibSecond != nil
        if !hasRate, !map.reader.isListingKeys, !map.has("usd_per_second"),
            !map.has("usd_per_vcpu_second"), !map.has("usd_per_gib_second")
        {
            map.missing("usd_per_second", "write what a second costs, or usd_per_vcpu_second")
        }
        return hasRate && name != nil ? resource : nil
    }
}

extension ConfigurationMap {
    fileprivate mutating func rate(_ key: String, _ kind: RateKind) -> ExactUSD? {
        scalar(
            key, default: nil, expected: "an amount in dollars, such as 0.000014", isText: false
        ) { text -> ExactUSD?? in
            guard case .value(let usd) = ExactUSD.read(text), RateBounds.doubt(usd, kind) == nil
            else { return nil }
            return .some(usd)
        }
    }
}
