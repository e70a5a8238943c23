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
    private var reader: LabelReader
    private let readsText: Bool
    /// Combination -> scope number plus one; 0: no match; -1: no room.
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
        reader = LabelReader(labels: dimensions, names: names.common, texts: names.texts)
        readsText = dimensions.contains { !$0.isLabel }
    }

    /// The number of the scope, or nil. `resolve` is asked for the number of a scope that is new to
    /// this matcher and answers nil when there is no room for it.
    @inline(__always)
    mutating func scope(
        of event: CostEvent, in rows: EventRows, _ resolve: (LabelKey, NanoUSD) -> Int?
    ) -> Match {
        let key = readsText ? reader.key(of: event, in: rows) : reader.key(of: event)
        if let row = known.find(key) { return Match(known.value(0, of: row)) }
        if known.count >= Self.knownMax { known = LabelSetTable(valueWidth: 1) }
        let value: Int64
        switch outcome(key) {
        case .none: value = 0
        case .scope(let values, let limit):
            value = resolve(values, limit).map { Int64($0) + 1 } ?? -1
        }
        // A refused scope is asked for again: it finds room once another budget's state is dropped.
        if value >= 0 { known.add(value, to: 0, of: known.append(key, created: 0)) }
        return Match(value)
    }

    enum Match: Equatable {
        case none, refused
        case scope(Int)

        init(_ value: Int64) {
            self = value == 0 ? .none : value < 0 ? .refused : .scope(Int(value - 1))
        }
    }

    /// What decides about an event, without a place among the scopes.
    mutating func outcome(of event: CostEvent, in rows: EventRows) -> Outcome {
        outcome(readsText ? reader.key(of: event, in: rows) : reader.key(of: event))
    }

    func outcome(_ key: LabelKey) -> Outcome {
        for match in definition.match where !matches(match, key) { return .none }
        var values = LabelKey()
        for (index, dimension) in definition.each.enumerated() {
            guard let position = dimensions.firstIndex(of: dimension), key[position] != 0 else {
                return .none
            }
            values[index] = key[position]
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
