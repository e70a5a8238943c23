internal import HTTPServer
internal import Ledger
internal import SQLite
internal import Usage

/// `GET /v1/costs`: spend by dimensions and time, from roll-ups.
struct CostsHandler: Sendable {
    let services: APIServices
    /// Rows that one request may page through.
    static let rowsMax = 1_000_000
    /// Groups that one request may make; memory for them is taken while it runs.
    private static let groupsMax = 2_000_000
    private static let spanNanos: Int64 = 30 * 86_400 * 1_000_000_000

    func costs(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(
            ["group_by", "since", "until", "step", "limit", "cursor"]
                + SpendQuery.groupable.map(\.description))
        let now = services.ledger.now
        let until = try query.moment("until", now: now)
        let since = try query.moment("since", now: now) ?? (until ?? now) - Self.spanNanos
        guard since < until ?? .max else {
            throw APIError(
                status: 400, code: "bad_parameter", message: "since: is not before until")
        }
        var spend = SpendQuery(
            groupBy: try query.groupBy(), since: max(0, since), until: until.map { max(0, $0) },
            filters: query.filters(), stepSeconds: try query.step())
        var total = spend
        total.groupBy = []
        total.stepSeconds = nil
        let (limit, start) = (try query.limit(), try query.start(max: Self.rowsMax))
        spend.limit = limit
        spend.offset = start
        let (wanted, sum) = (spend, total)
        let (found, totals, range) = try services.read { database throws(SQLiteError) in
            // All of the same events.
            try database.reading { database throws(SQLiteError) in
                (
                    try wanted.run(on: database, groupsMax: Self.groupsMax),
                    try sum.run(on: database), try wanted.range(on: database)
                )
            }
        }
        guard let rows = found else {
            throw APIError(
                status: 400, code: "too_many_groups",
                message: "there are more than \(Self.groupsMax) groups; name fewer dimensions in "
                    + "group_by, a longer step, a shorter span or one value of a dimension")
        }
        return .json(
            JSONWriter.object { json in
                json.add("since", unixNanos: range.since ?? 0)
                json.add("until", unixNanos: range.until ?? now)
                json.array("group_by") { json in
                    for dimension in wanted.groupBy { json.add(nil, dimension.description) }
                }
                if let step = wanted.stepSeconds { json.add("step_seconds", step) }
                json.object("total") { json in
                    Self.append(totals.first ?? SpendQuery.Row(values: []), to: &json)
                }
                json.array("costs") { json in
                    for row in rows {
                        json.object { json in
                            if wanted.stepSeconds != nil { json.add("time", unixSeconds: row.time) }
                            for (dimension, value) in zip(wanted.groupBy, row.values) {
                                json.add(name: dimension.description, value)
                            }
                            Self.append(row, to: &json)
                        }
                    }
                }
                if rows.count == limit { json.add("next_cursor", "\(start + limit)") }
            })
    }

    static func append(_ row: SpendQuery.Row, to json: inout JSONWriter) {
        json.add("cost_usd", usd: row.cost)
        json.add("events", row.events)
        json.add("unpriced_events", row.unpricedEvents)
        json.add("input_tokens", row.inputTokens)
        json.add("output_tokens", row.outputTokens)
    }
}
