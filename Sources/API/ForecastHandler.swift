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
    private let runs: ForecastRuns

    init(services: APIServices) {
        self.services = services
        let time = services.time
        runs = ForecastRuns { time.monotonicNanos }
    }

    /// Answers when somebody has computed it.
    func forecast(_ query: Query, respond: @escaping @Sendable (HTTPResponse) -> Void) {
        do throws(APIError) { try ask(query, respond) } catch { respond(error.response) }
    }

    private func ask(
        _ query: Query, _ respond: @escaping @Sendable (HTTPResponse) -> Void
    ) throws(APIError) {
        try query.allow(["budget", "tenant", "limit", "cursor"])
        let limit = try query.limit()
        let start = try query.start(max: BudgetsHandler.scopesMax)
        let name = query.text("budget")
        if let name, !services.budgets.definitions.contains(where: { $0.name == name }) {
            throw AlertsHandler.unknown("budget", name)
        }
        let tenant = query.text("tenant")
        let services = services
        let work: @Sendable () -> ForecastRuns.Outcome = {
            do throws(APIError) {
                return .success(
                    try services.read { database throws(SQLiteError) in
                        try services.budgets.forecasts(
                            countMax: start + limit, ofTenant: tenant, now: services.ledger.now,
                            in: database
                        ) { name == nil || $0.name == name }
                    })
            } catch { return .failure(error) }
        }
        let question = "\(start + limit) \(name ?? "*") \(tenant ?? "*")"
        let isTaken = runs.ask(question, work) { outcome in
            switch outcome {
            case .success(let forecasts):
                respond(Self.page(Array(forecasts.dropFirst(start)), start: start, limit: limit))
            case .failure(let error): respond(error.response)
            }
        }
        if !isTaken { throw APIServices.busy }
    }

    private static func page(
        _ forecasts: [BudgetForecast], start: Int, limit: Int
    ) -> HTTPResponse {
        .page("forecasts", forecasts, limit: limit) { forecast, bytes in
            bytes += json(forecast)
        } cursor: { _ in
            "\(start + limit)"
        }
    }

    private static func json(_ forecast: BudgetForecast) -> [UInt8] {
        let (status, projection) = (forecast.status, forecast.projection)
        return JSONWriter.object { json in
            json.add("budget", status.budget.name)
            json.object("scope") { json in
                for entry in status.scope {
                    json.add(name: entry.dimension.description, entry.value)
                }
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
