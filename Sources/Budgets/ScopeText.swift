internal import Usage
internal import Wire

/// The text of a scope in keys and in the store: `tenant=acme,user=u%201`, or `all`.
enum ScopeText {
    static func write(_ scope: [(dimension: Dimension, value: String)]) -> String {
        if scope.isEmpty { return "all" }
        return scope.map { "\($0.dimension)=\(PercentEncoding.encode($0.value))" }.joined(
            separator: ",")
    }

    /// The values in the order of `each`, or nil when the text is of another budget.
    static func read(_ text: String, each: [Dimension]) -> [String]? {
        if each.isEmpty { return text == "all" ? [] : nil }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == each.count else { return nil }
        var values: [String] = []
        for (part, dimension) in zip(parts, each) {
            let prefix = "\(dimension)="
            guard part.hasPrefix(prefix),
                let value = PercentEncoding.decode(part.dropFirst(prefix.count))
            else { return nil }
            values.append(value)
        }
        return values
    }
}
