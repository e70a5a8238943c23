internal import Budgets
internal import HTTPServer
internal import Ledger
internal import SQLite
internal import TimeZones
internal import Usage
internal import Wire

/// `GET /v1/forecast`: where each scope's spend leads by the end of its period.
struct ForecastHandler: Sendable {
    let services: APIServices

    func forecast(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["budget", "tenant", "limit", "cursor"])
        let limit = try query.limit()
        let start = try query.start(max: BudgetsHandler.scopesMax)
        let name = query.text("budget")
        if let name, !services.budgets.definitions.contains(where: { $0.name == name }) {
            throw AlertsHandler.unknown("budget", name)
        }
        let now = services.ledger.now
        let forecasts = try services.read { database throws(SQLiteError) in
            try services.budgets.forecasts(
                countMax: start + limit, ofTenant: query.text("tenant"), now: now, in: database
            ) { name == nil || $0.name == name }
        }
        let page = Array(forecasts.dropFirst(start))
        return .page("forecasts", page, limit: limit) { forecast, bytes in
            bytes += Self.json(forecast)
        } cursor: { _ in
            "\(start + limit)"
        }
    }

    private static func json(_ forecast: BudgetForecast) -> [UInt8] {
        let (status, projection) = (forecast.status, forecast.projection)
        return JSONWriter.object { json in
            json.add("budget", status.budget.name)
            json.object("scope") { json in
                for entry in status.scope { json.add(entry.dimension.description, entry.value) }
            }
            json.add("period_start", unixSeconds: status.period.start)
            json.add("period_end", unixSeconds: status.period.end)
            json.add("limit_usd", usd: status.limit)
            json.add("spent_usd", usd: status.spent)
            json.add("projected_usd", usd: projection.projected)
            json.add("low_usd", usd: projection.low)
            json.add("high_usd", usd: projection.high)
            if let at = projection.breachAt {
                json.add("breach_at", unixSeconds: at)
            } else {
                json.add("breach_at", literal: "null")
            }
            json.add("average_usd", usd: projection.average)
            json.add("trend", projection.trend.rawValue)
            json.add("confidence", projection.confidence.rawValue)
            json.array("daily") { json in
                for entry in forecast.days {
                    json.object { json in
                        let text = RFC3339.text(unixNanos: entry.day * 86_400 * 1_000_000_000)
                        json.add("date", String(text.prefix(10)))
                        json.add("cost_usd", usd: entry.amount)
                    }
                }
            }
        }
    }
}
