public import SQLite
internal import Usage
internal import Wire

// Where the sums of a query come from: `spend_sums` for what they answer exactly, roll-ups for the
// rest, and those of the events that are in neither yet.
extension SpendQuery {
    /// Quarter hours since 1970, the end exclusive; nil: open.
    struct Span {
        var from: Int64?
        var to: Int64?

        var isEmpty: Bool { from.flatMap { from in to.map { $0 <= from } } ?? false }
    }

    private static let quarterNanos = RollUpDelta.seconds * 1_000_000_000

    /// What is really summed, in Unix nanoseconds: `since` and `until`, each rounded down to where
    /// the stored sum that it falls into begins: the quarter hour, of long ago the hour or the day.
    public func range(
        on database: borrowing Database
    ) throws(SQLiteError) -> (since: Int64?, until: Int64?) {
        let span = try span(database)
        return (span.from.map { $0 * Self.quarterNanos }, span.to.map { $0 * Self.quarterNanos })
    }

    func span(_ database: borrowing Database) throws(SQLiteError) -> Span {
        let steps = try StoredSteps(database)
        func start(_ moment: Int64) -> Int64 {
            steps.start(of: floorDivide(moment, Self.quarterNanos))
        }
        return Span(from: since.map(start), to: until.map(start))
    }

    /// The roll-ups of the events that are in no stored sum yet.
    func tail(_ span: Span, _ database: borrowing Database) throws(SQLiteError) -> RollUpTail {
        try RollUpTail(
            database, through: .last, since: span.from.map { $0 * Self.quarterNanos } ?? .min,
            until: span.to.map { $0 * Self.quarterNanos } ?? .max)
    }

    /// The only dimension that the query is about, `.some(nil)` when it is about everything; nil
    /// when roll-ups are needed to answer it.
    private var subject: Dimension?? {
        let dimensions = groupBy + filters.map(\.dimension)
        guard let first = dimensions.first else { return .some(nil) }
        return dimensions.allSatisfy { $0 == first } ? .some(first) : nil
    }

    /// Selects of (span, keys, events, unpriced, input, output, cost) with the values that they
    /// bind. Rows are narrow and not summed; a span is the quarter hour at which it begins.
    func sources(_ asked: Span, _ bindings: inout [String]) -> [String] {
        var selects: [String] = []
        var rest = [asked]
        if let subject, let sums = sumsSpan(subject, asked) {
            selects.append(sumsSelect(subject, sums, &bindings))
            rest = [
                Span(from: asked.from, to: sums.from), Span(from: sums.to, to: asked.to),
            ].filter { !$0.isEmpty && ($0.from != nil || $0.to != nil) }
        }
        for span in rest { selects.append(rollUpsSelect("rollups", span, &bindings)) }
        selects.append(rollUpsSelect("tail_rollups", asked, &bindings))
        return selects
    }

    /// The whole hours or days within what is asked, if steps do not cut them.
    private func sumsSpan(_ subject: Dimension?, _ asked: Span) -> Span? {
        guard SpendSums.code(of: subject) != nil else { return nil }
        let width = SpendSums.hours(of: subject) * 4
        if let stepSeconds, stepSeconds % (width * RollUpDelta.seconds) != 0 { return nil }
        let span = Span(
            from: asked.from.map { ($0 + width - 1) / width * width },
            to: asked.to.map { $0 / width * width })
        return span.isEmpty ? nil : span
    }

    private func sumsSelect(
        _ subject: Dimension?, _ span: Span, _ bindings: inout [String]
    ) -> String {
        var conditions = "dimension = \(SpendSums.code(of: subject) ?? 0)"
        if let from = span.from { conditions += " and hour >= \(from / 4)" }
        if let to = span.to { conditions += " and hour < \(to / 4)" }
        conditions += filter(&bindings) { _ in "value" }
        return select(
            span: bucket("hour * 4"), keys: groupBy.map { _ in "value" }, unpriced: "unpriced",
            from: "spend_sums", where: conditions)
    }

    private func rollUpsSelect(
        _ table: String, _ span: Span, _ bindings: inout [String]
    ) -> String {
        var conditions = "true"
        if let from = span.from { conditions += " and quarter >= \(from)" }
        if let to = span.to { conditions += " and quarter < \(to)" }
        conditions += filter(&bindings) { Self.key(of: $0) }
        return select(
            span: bucket("quarter"), keys: groupBy.map { Self.key(of: $0) },
            unpriced: "iif(facts >> 8 & 15, 0, events)", from: table, where: conditions)
    }

    private func select(
        span: String, keys: [String], unpriced: String, from table: String, where conditions: String
    ) -> String {
        let numbers = ([span] + keys).joined(separator: ", ")
        return "select \(numbers), events, \(unpriced), input_tokens, output_tokens, cost_nanousd "
            + "from \(table) where \(conditions)"
    }

    private func filter(
        _ bindings: inout [String], _ key: (Dimension) -> String
    ) -> String {
        var conditions = ""
        for filter in filters {
            conditions +=
                " and " + Self.condition(on: filter.dimension, key: key(filter.dimension))
            bindings.append(filter.value)
        }
        return conditions
    }

    private func bucket(_ quarter: String) -> String {
        guard let stepSeconds else { return "0" }
        let quarters = max(1, stepSeconds / RollUpDelta.seconds)
        return "\(quarter) / \(quarters) * \(quarters)"
    }
}
