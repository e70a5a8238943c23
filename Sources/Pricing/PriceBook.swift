/// All known prices, immutable. A reload builds a new book.
public struct PriceBook: Sendable {
    /// Where rows come from.
    public struct Origin: Equatable, Sendable {
        public var name: String
        /// Unix seconds at which the facts were gathered or the file was read.
        public var timestamp: Int64

        public init(name: String, timestamp: Int64) {
            self.name = name
            self.timestamp = timestamp
        }
    }

    public struct Found: Equatable, Sendable {
        /// Index into `rows`.
        public var row: Int
        public var match: NameMatch
    }

    public let rows: [PriceRow]
    public let origins: [Origin]
    /// By the key in lower case: the rows of one name, those of later lists first.
    private let byKey: [String: [Int]]
    /// By the model without a provider: for names that come without one.
    private let byModel: [String: [Int]]
    /// Other names of models, as the configuration gives them.
    private let aliases: [String: String]
    private let providers: Set<String>
    /// The moments at which rows come into force or end, ascending.
    let edges: [Int64]

    /// A row of a later list hides rows of earlier lists with the same key while it is in force.
    public init(lists: [(origin: Origin, rows: [PriceRow])], aliases: [String: String] = [:]) {
        var rows: [PriceRow] = []
        var byKey: [String: [Int]] = [:]
        var byModel: [String: [Int]] = [:]
        for (origin, list) in lists.enumerated() {
            for var row in list.rows {
                row.origin = origin
                let index = rows.count
                rows.append(row)
                byKey[row.key.lowercased(), default: []].insert(index, at: 0)
                byModel[row.model.lowercased(), default: []].append(index)
            }
        }
        Self.completeSearches(&rows, byModel)
        self.rows = rows
        self.origins = lists.map(\.origin)
        self.byKey = byKey
        self.byModel = byModel
        providers = Set(rows.map(\.provider))
        let moments = rows.flatMap { [$0.validFrom, $0.validTo] }
        edges = Set(moments).subtracting([.min, .max]).sorted()
        self.aliases = Dictionary(
            aliases.map { ($0.key.lowercased(), $0.value.lowercased()) },
            uniquingKeysWith: { $1 })
    }

    /// A row that prices the tokens of a model of an earlier list, and no web searches, leaves
    /// theirs as they are: they are sold apart, and without a price for them nothing of a call that
    /// searched could be booked.
    private static func completeSearches(_ rows: inout [PriceRow], _ byModel: [String: [Int]]) {
        for index in rows.indices where rows[index].searchPrice == nil && rows[index].pricesTokens {
            let row = rows[index]
            let source = byModel[row.model.lowercased()]?.last { other in
                rows[other].origin < row.origin && rows[other].provider == row.provider
                    && rows[other].searchPrice != nil && rows[other].validFrom < row.validTo
                    && row.validFrom < rows[other].validTo
            }
            if let source { rows[index].takeSearches(of: rows[source]) }
        }
    }

    /// The same lists with other rows stored through the API.
    public func replacing(stored rows: [PriceRow], timestamp: Int64) -> PriceBook {
        var lists: [(origin: Origin, rows: [PriceRow])] = []
        for (index, origin) in origins.enumerated() where origin.name != Self.storedName {
            lists.append((origin, self.rows.filter { $0.origin == index }))
        }
        if !rows.isEmpty {
            lists.append((Origin(name: Self.storedName, timestamp: timestamp), rows))
        }
        return PriceBook(lists: lists, aliases: aliases)
    }

    /// The list of rows that were stored through the API.
    public static let storedName = "api"

    /// Distinct names of models.
    public var modelCount: Int { byKey.count }
    /// When the newest facts were gathered.
    public var timestamp: Int64 { origins.map(\.timestamp).max() ?? 0 }

    /// The row of a model that was in force at a moment (Unix seconds). `provider` is as the event
    /// names it, in any spelling in use, or empty.
    public func find(
        provider: String, model: String, region: String = "", at unixSeconds: Int64
    ) -> Found? {
        var provider = ProviderNames.canonical(provider.lowercased())
        var model = model.lowercased()
        guard !model.isEmpty else { return nil }
        let aliased = aliases["\(provider)/\(model)"] ?? aliases[model]
        if let aliased {
            model = aliased
            // The alias may lead to another provider's model: `azure/gpt-4o`.
            let leading = ProviderNames.leading(of: aliased)
            if providers.contains(leading) { provider = leading }
        }
        var found = search(
            provider: provider, model: model, region: region.lowercased(), at: unixSeconds)
        if aliased != nil { found?.match.rule = .alias }
        return found
    }

    private func search(
        provider: String, model: String, region: String, at time: Int64
    ) -> Found? {
        if provider.isEmpty {
            if let row = row(key: model, provider: nil, at: time) {
                // Its provider may have a row of a later list under its full name.
                return search(
                    provider: rows[row].provider, model: model, region: region, at: time)
                    ?? Found(row: row, match: NameMatch(key: model, rule: .exact))
            }
            let leading = ProviderNames.leading(of: model)
            if !leading.isEmpty,
                let found = search(provider: leading, model: model, region: region, at: time)
            {
                return found
            }
            return onlySeller(of: model, at: time)
        }
        let candidates = NameCandidates(provider: provider, model: model, region: region)
        for candidate in candidates.list {
            if let row = row(key: candidate.key, provider: provider, at: time) {
                return Found(row: row, match: candidate)
            }
        }
        return nil
    }

    /// The user's own rates of a resource.
    func row(resource: String, at time: Int64) -> Int? {
        row(key: PriceRow.resourceKey(resource), provider: nil, at: time)
    }

    private func row(key: String, provider: String?, at time: Int64) -> Int? {
        byKey[key]?.first { index in
            rows[index].isValid(at: time)
                && (provider.map {
                    ProviderNames.matches(owner: rows[index].provider, provider: $0)
                } ?? true)
        }
    }

    private func onlySeller(of model: String, at time: Int64) -> Found? {
        let candidates = (byModel[model] ?? []).filter { rows[$0].isValid(at: time) }
        func found(_ row: Int) -> Found {
            Found(
                row: row,
                match: NameMatch(key: rows[row].key.lowercased(), rule: .onlySeller))
        }
        for maker in ProviderNames.makers {
            if let match = candidates.last(where: { rows[$0].provider == maker }) {
                return found(match)
            }
        }
        return Set(candidates.map { rows[$0].provider }).count == 1
            ? candidates.last.map(found) : nil
    }
}
