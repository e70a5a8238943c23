internal import Aggregation
internal import Usage

/// Finds the scope of an event in one budget. What decides is looked up once per combination of
/// values and remembered; it belongs to the writer, so that the hot path takes no lock.
struct BudgetMatcher: Sendable {
    enum Outcome: Equatable {
        case none
        /// The values of `each`, and what the overrides look at.
        case scope(LabelKey, limit: NanoUSD)
    }

    private let definition: BudgetDefinition
    private let dimensions: [Dimension]
    /// Where the values of `each` stand among the dimensions.
    private let places: [Int]
    private var reader: LabelReader
    private let readsText: Bool
    /// Combination -> scope number plus one; 0: no match.
    private var known = LabelSetTable(valueWidth: 1)
    private let names: ScopeNames

    static let knownMax = 400_000

    /// For one whose scopes are not those of a table.
    init(_ definition: BudgetDefinition, names: Names) {
        self.init(definition, names: ScopeNames(definition, names))
    }

    init(_ definition: BudgetDefinition, names: ScopeNames) {
        self.definition = definition
        self.names = names
        dimensions = definition.dimensions
        places = definition.each.compactMap { definition.dimensions.firstIndex(of: $0) }
        reader = LabelReader(labels: dimensions, names: names.common, texts: names.texts)
        readsText = dimensions.contains { !$0.isLabel }
    }

    var budget: String { definition.name }

    /// The number of the scope, or nil. `resolve` is asked for the number of a scope that is new to
    /// this matcher and answers nil when there is no room for it.
    @inline(__always)
    mutating func scope(
        of event: CostEvent, in rows: EventRows, _ resolve: (LabelKey, NanoUSD) -> Int?
    ) -> Match {
        let key = readsText ? reader.key(of: event, in: rows) : reader.key(of: event)
        if let row = known.find(key) {
            let value = known.value(0, of: row)
            return value == 0 ? .none : .scope(Int(value - 1))
        }
        if known.count >= Self.knownMax { known = LabelSetTable(valueWidth: 1) }
        switch outcome(key) {
        case .none:
            _ = known.append(key, created: 0)
            return .none
        case .scope(let values, let limit):
            // A refused scope is asked for again: it finds room once another budget's state is
            // dropped.
            guard let number = resolve(values, limit) else { return .refused(values, limit) }
            known.add(Int64(number) + 1, to: 0, of: known.append(key, created: 0))
            return .scope(number)
        }
    }

    enum Match: Equatable {
        case none
        case scope(Int)
        /// `resolve` has no number for these values, whose limit by the definition this is.
        case refused(LabelKey, NanoUSD)
    }

    /// What decides about a combination, without a place among the scopes.
    func outcome(_ key: LabelKey) -> Outcome {
        for match in definition.match where !matches(match, key) { return .none }
        var values = LabelKey()
        for index in places.indices {
            let id = key[places[index]]
            if id == 0 { return .none }
            values[index] = id
        }
        for override in definition.overrides where override.when.allSatisfy({ matches($0, key) }) {
            return .scope(values, limit: override.limit)
        }
        return .scope(values, limit: definition.limit)
    }

    private func matches(_ match: BudgetDefinition.Match, _ key: LabelKey) -> Bool {
        guard let position = dimensions.firstIndex(of: match.dimension) else { return false }
        return match.pattern.matches(names.text(key[position], of: match.dimension))
    }
}
