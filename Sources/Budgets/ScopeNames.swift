internal import Aggregation
internal import Usage

/// The dictionaries of one budget's scope values. Conversations, tasks and requests come and go, so
/// they are named in a dictionary of the budget's own, which is left behind when idle scopes are
/// forgotten; all other values are in the common one, for good.
struct ScopeNames: Sendable {
    let common: Names
    let texts: Names

    init(_ definition: BudgetDefinition, _ common: Names) {
        self.common = common
        texts = definition.readsText ? common.emptied() : common
    }

    func text(_ id: NameID, of dimension: Dimension) -> String {
        (dimension.isLabel ? common : texts).text(id)
    }

    func intern(_ text: String, of dimension: Dimension) -> NameID {
        (dimension.isLabel ? common : texts).intern(text)
    }

    /// The key of values that have all occurred, or nil.
    func find(_ texts: [String], each: [Dimension]) -> LabelKey? {
        var key = LabelKey()
        for (index, (text, dimension)) in zip(texts, each).enumerated() {
            guard let id = (dimension.isLabel ? common : self.texts).find(text) else { return nil }
            key[index] = id
        }
        return key
    }

    /// The values of a scope, in the order of `each`.
    func values(_ key: LabelKey, each: [Dimension]) -> [(dimension: Dimension, value: String)] {
        each.enumerated().map { ($1, text(key[$0], of: $1)) }
    }

    func key(_ texts: [String], each: [Dimension]) -> LabelKey {
        var key = LabelKey()
        for (index, dimension) in each.enumerated() {
            key[index] = intern(texts[index], of: dimension)
        }
        return key
    }
}
