internal import Budgets
internal import HTTPServer
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// `GET /v1/dashboard`: what a page needs in one call. Days and months are those of UTC.
struct DashboardHandler: Sendable {
    let services: APIServices
    private static let topCount = 10
    private static let budgetsCount = 20
    private static let dimensions: [Dimension] = [.tenant, .user, .feature, .model]
    private static let day: Int64 = 86_400

    private struct Sums: Sendable {
        var month = SpendQuery.Row(values: [])
        var days: [SpendQuery.Row] = []
        var hours: [SpendQuery.Row] = []
        var top: [(dimension: Dimension, rows: [SpendQuery.Row])] = []
    }

    func dashboard(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["tenant", "top"])
        let topCount = try Self.topCount(query)
        let now = services.ledger.now
        let filters = query.filters()
        let sums = try services.read { database throws(SQLiteError) in
            try Self.read(filters, topCount: topCount, now: now, database)
        }
        let tenant = query.text("tenant")
        let budgets = services.budgets.statuses(countMax: Self.budgetsCount, ofTenant: tenant)
        return .json(
            JSONWriter.object { json in
                json.add("generated_at", unixNanos: now)
                Self.append(sums, now: now, to: &json)
                json.object("top") { json in
                    for (dimension, rows) in sums.top {
                        Self.append(dimension, rows.prefix(topCount), to: &json)
                    }
                }
                json.array("budgets") { json in
                    for status in budgets {
                        var bytes: [UInt8] = []
                        status.appendJSON(to: &bytes)
                        json.add(nil, json: bytes)
                    }
                }
            })
    }

    private static func read(
        _ filters: [(dimension: Dimension, value: String)], topCount: Int, now: Int64,
        _ database: borrowing Database
    ) throws(SQLiteError) -> Sums {
        var sums = Sums()
        let seconds = now / 1_000_000_000
        let today = seconds / day * day
        func rows(
            _ groupBy: [Dimension], since: Int64, step: Int64? = nil, limit: Int? = nil
        ) throws(SQLiteError) -> [SpendQuery.Row] {
            var query = SpendQuery(
                groupBy: groupBy, since: since * 1_000_000_000, filters: filters,
                stepSeconds: step)
            query.limit = limit
            return try query.run(on: database)
        }
        sums.month = try rows([], since: monthStart(now)).first ?? sums.month
        sums.days = try rows([], since: today - 29 * day, step: day)
        sums.hours = try rows([], since: seconds / 3600 * 3600 - 23 * 3600, step: 3600)
        for dimension in dimensions where topCount > 0 {
            let top = try rows([dimension], since: monthStart(now), limit: topCount + 1)
            // Values that events did not have are no spender.
            sums.top.append((dimension, top.filter { !$0.values[0].isEmpty }))
        }
        return sums
    }

    private static func monthStart(_ now: Int64) -> Int64 {
        let date = RFC3339.civil(daysSinceEpoch: Int(now / 1_000_000_000 / day))
        return Int64(RFC3339.daysSinceEpoch(year: date.year, month: date.month, day: 1)) * day
    }

    private static func append(_ sums: Sums, now: Int64, to json: inout JSONWriter) {
        let seconds = now / 1_000_000_000
        let today = seconds / day * day
        func row(_ rows: [SpendQuery.Row], at time: Int64) -> SpendQuery.Row {
            rows.first { $0.time == time } ?? SpendQuery.Row(values: [])
        }
        json.object("today") { json in
            json.add("since", unixSeconds: today)
            CostsHandler.append(row(sums.days, at: today), to: &json)
        }
        json.object("yesterday") { json in
            json.add("since", unixSeconds: today - day)
            CostsHandler.append(row(sums.days, at: today - day), to: &json)
        }
        json.object("month") { json in
            json.add("since", unixSeconds: monthStart(now))
            CostsHandler.append(sums.month, to: &json)
            let days = sums.days.map { (day: $0.time / day, amount: $0.cost) }
            let month = Period(start: monthStart(now), end: monthEnd(now))
            let forecast = Projection(
                Projection.Input(
                    days: days, spent: sums.month.cost, limit: nil, period: month, now: seconds))
            json.add("forecast_usd", usd: forecast.projected)
            json.add("forecast_low_usd", usd: forecast.low)
            json.add("forecast_high_usd", usd: forecast.high)
        }
        func series(
            _ key: StaticString, _ rows: [SpendQuery.Row], _ last: Int64, _ step: Int64, _ n: Int64
        ) {
            json.array(key) { json in
                for index in (0..<n).reversed() {
                    let found = row(rows, at: last - index * step)
                    json.object { json in
                        json.add("time", unixSeconds: last - index * step)
                        json.add("cost_usd", usd: found.cost)
                        json.add("events", found.events)
                    }
                }
            }
        }
        series("hours", sums.hours, seconds / 3600 * 3600, 3600, 24)
        series("days", sums.days, today, day, 30)
    }

    private static func monthEnd(_ now: Int64) -> Int64 {
        let date = RFC3339.civil(daysSinceEpoch: Int(now / 1_000_000_000 / day))
        return monthStart(now) + Int64(RFC3339.daysIn(month: date.month, year: date.year)) * day
    }

    /// How many of each dimension: `top`, up to 10; who asks for 0 is answered sooner.
    private static func topCount(_ query: Query) throws(APIError) -> Int {
        guard let text = query.text("top") else { return topCount }
        guard let count = Int(text), (0...topCount).contains(count) else {
            throw APIError(
                status: 400, code: "bad_parameter",
                message: "top: \"\(text.prefix(100))\" is not an integer from 0 to \(topCount)")
        }
        return count
    }

    private static func append(
        _ dimension: Dimension, _ rows: ArraySlice<SpendQuery.Row>, to json: inout JSONWriter
    ) {
        json.array(name: dimension.description) { json in
            for row in rows {
                json.object { json in
                    json.add("value", row.values[0])
                    CostsHandler.append(row, to: &json)
                }
            }
        }
    }
}
