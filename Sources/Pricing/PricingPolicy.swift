public import Usage

/// What a price list does not say: what was negotiated, and what to do without a price.
public struct PricingPolicy: Equatable, Sendable {
    public enum Unknown: String, CaseIterable, Sendable {
        /// Keep the event without an amount, count it and tell people.
        case alert
        /// Take the dearest model that the provider is known to sell, and mark the amount.
        case estimate
        /// Refuse the event with the reason `unpriced`.
        case reject
    }

    public enum Profile: String, CaseIterable, Sendable {
        case production
        /// Every amount is 0; tokens count.
        case development
    }

    /// A discount on list prices. The first that matches an event counts.
    public struct Discount: Equatable, Sendable {
        public var provider: Pattern
        public var model: Pattern
        public var tenant: Pattern
        /// What is left to pay: 0.85 after 15 %.
        public var factor: Factor

        public init(provider: Pattern, model: Pattern, tenant: Pattern, factor: Factor) {
            self.provider = provider
            self.model = model
            self.tenant = tenant
            self.factor = factor
        }
    }

    public var unknown = Unknown.alert
    public var profile = Profile.production
    public var discounts: [Discount] = []

    public init() {}

    /// Some discount asks for the tenant: then the price of a model differs between tenants.
    var looksAtTenants: Bool { discounts.contains { $0.tenant != Pattern([]) } }

    func discount(provider: String, model: String, tenant: String) -> Factor? {
        discounts.first {
            $0.provider.matches(provider) && $0.model.matches(model) && $0.tenant.matches(tenant)
        }?.factor
    }
}

/// Everything that the configuration says about prices.
public struct PricingSettings: Equatable, Sendable {
    /// The user's own rate of machine time.
    public struct Resource: Equatable, Sendable {
        /// As events name it: `e2b.gpu`.
        public var name: String
        public var second: ExactUSD?
        public var vcpuSecond: ExactUSD?
        public var gibSecond: ExactUSD?

        public init(name: String) { self.name = name }
    }

    /// Later files hide rows of earlier ones and of the built-in list.
    public var files: [String] = []
    /// A file with faults is taken without the rows that have them.
    public var isLenient = false
    /// Other names of models: `azure/my-deployment` to `azure/gpt-4o`.
    public var aliases: [String: String] = [:]
    public var resources: [Resource] = []
    public var policy = PricingPolicy()

    public init() {}

    /// The rates of `resources` as a list.
    public var resourceRows: [PriceRow] {
        resources.map { resource in
            let provider = resource.name.split(separator: ".").first.map(String.init) ?? ""
            var row = PriceRow(
                provider: ProviderNames.canonical(provider.lowercased()),
                key: PriceRow.resourceKey(resource.name))
            row.mode = "compute"
            if let usd = resource.second { row.set(RateKey(.runningSecond), usd) }
            if let usd = resource.vcpuSecond { row.set(RateKey(.vcpuSecond), usd) }
            if let usd = resource.gibSecond { row.set(RateKey(.gibSecond), usd) }
            return row
        }
    }
}

extension PriceRow {
    /// Resources stand in the book beside models, under names that no model has.
    static func resourceKey(_ resource: String) -> String { "resource:\(resource.lowercased())" }
}
