internal import HTTPClient
internal import JSON
internal import Ledger
internal import Usage
internal import Wire

/// A running server, asked over HTTP.
struct ServerReport: ReportSource {
    let server: RunningServer
    /// Pages of a thousand rows that one table may take.
    static let pagesMax = 100

    private func get(_ path: String, isOptional: Bool = false) throws -> JSONValue? {
        let base = server.base
        switch server.get(path, responseBytesMax: 16 << 20) {
        case .failure(let failure):
            throw UsageError(description: "--url: \(base) cannot be asked: \(failure.description)")
        case .success(let answer):
            // A token for one tenant sees no anomalies.
            if isOptional, [403, 404].contains(answer.status) { return nil }
            guard answer.status == 200, let json = try? JSONValue.read(answer.body) else {
                let text = String(decoding: answer.body.prefix(500), as: UTF8.self)
                throw UsageError(description: "--url: \(base) answered \(answer.status): \(text)")
            }
            return json
        }
    }

    func range(_ query: SpendQuery) throws -> (since: Int64?, until: Int64?) {
        let answer = try get(Self.path(query, limit: 1))
        func moment(_ key: String) -> Int64? {
            answer?[key]?.string.flatMap { RFC3339.read(Array($0.utf8).span) }
        }
        return (
            query.since.flatMap { _ in moment("since") },
            query.until.flatMap { _ in moment("until") }
        )
    }

    private static func path(_ query: SpendQuery, limit: Int) -> String {
        var path = "/v1/costs?limit=\(limit)"
        if !query.groupBy.isEmpty {
            path += "&group_by=" + query.groupBy.map(\.description).joined(separator: ",")
        }
        // The beginning of time, as a data directory would mean it.
        path += "&since=" + PercentEncoding.encode(RFC3339.text(unixNanos: query.since ?? 0))
        if let until = query.until {
            path += "&until=" + PercentEncoding.encode(RFC3339.text(unixNanos: until))
        }
        for filter in query.filters {
            path += "&\(filter.dimension)=\(PercentEncoding.encode(filter.value))"
        }
        return path
    }

    func rows(_ query: SpendQuery) throws -> [SpendQuery.Row] {
        let path = Self.path(query, limit: 1000)
        var rows: [SpendQuery.Row] = []
        var cursor = ""
        for _ in 0..<Self.pagesMax {
            let answer = try get(path + cursor)
            for row in answer?["costs"]?.array ?? [] {
                rows.append(Self.row(row, query.groupBy))
            }
            guard let next = answer?["next_cursor"]?.string else { break }
            cursor = "&cursor=\(PercentEncoding.encode(next))"
        }
        return rows
    }

    private static func row(_ json: JSONValue, _ dimensions: [Dimension]) -> SpendQuery.Row {
        func number(_ key: String) -> Int64 { json[key]?.literal.flatMap { Int64($0) } ?? 0 }
        var row = SpendQuery.Row(
            values: dimensions.map { json[$0.description]?.string ?? "" })
        row.cost = amount(json["cost_usd"]) ?? .zero
        row.events = number("events")
        row.unpricedEvents = number("unpriced_events")
        row.inputTokens = number("input_tokens")
        row.outputTokens = number("output_tokens")
        return row
    }

    func budgets() throws -> [Report.Budget] {
        let answer = try get("/v1/budgets?limit=1000")
        let ahead = try get("/v1/forecast?limit=100", isOptional: true)?["forecasts"]?.array ?? []
        return (answer?["budgets"]?.array ?? []).map { json in
            let name = json["name"]?.string ?? ""
            let scope = Self.scope(json)
            let forecast = ahead.first {
                $0["budget"]?.string == name && Self.scope($0) == scope
            }
            return Report.Budget(
                name: name, scope: scope, limit: Self.amount(json["limit_usd"]) ?? .zero,
                spent: Self.amount(json["spent_usd"]) ?? .zero,
                periodEnd: Self.seconds(json["period_end"]) ?? 0,
                forecast: Self.amount(forecast?["projected_usd"]),
                breachAt: Self.seconds(forecast?["breach_at"]))
        }
    }

    func anomalies() throws -> [Report.Unusual] {
        let path = "/v1/anomalies?status=active&limit=\(Report.anomaliesMax)"
        return (try get(path, isOptional: true)?["anomalies"]?.array ?? []).map { json in
            Report.Unusual(
                severity: json["severity"]?.string ?? "", title: json["title"]?.string ?? "",
                summary: json["summary"]?.string ?? "")
        }
    }

    private static func scope(_ json: JSONValue) -> String {
        (json["scope"]?.members ?? []).map { $0.value.string ?? "" }.joined(separator: "/")
    }

    private static func amount(_ json: JSONValue?) -> NanoUSD? {
        guard let text = json?.string, case .value(let nanos) = NanoUSD.read(Array(text.utf8).span)
        else { return nil }
        return NanoUSD(nanos: nanos)
    }

    private static func seconds(_ json: JSONValue?) -> Int64? {
        json?.string.flatMap { RFC3339.read(Array($0.utf8).span) }.map { $0 / 1_000_000_000 }
    }
}
