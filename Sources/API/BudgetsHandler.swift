internal import Budgets
internal import HTTPServer
internal import JSON
internal import TimeZones
internal import Usage
internal import Wire

/// `GET /v1/budgets`: the present period of every scope, highest utilisation first.
struct BudgetsHandler: Sendable {
    let services: APIServices
    /// Scopes that one request may page through.
    static let scopesMax = 100_000

    func budgets(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["budget", "tenant", "limit", "cursor"])
        let limit = try query.limit()
        let name = query.text("budget")
        if let name, !services.budgets.definitions.contains(where: { $0.name == name }) {
            throw AlertsHandler.unknown("budget", name)
        }
        let start = try query.text("cursor").map { text throws(APIError) in
            guard let start = Int(text), (0...Self.scopesMax).contains(start) else {
                throw Query.badCursor
            }
            return start
        }
        let statuses = services.budgets.statuses(
            countMax: (start ?? 0) + limit, ofTenant: query.text("tenant")
        ) {
            name == nil || $0.name == name
        }
        let page = Array(statuses.dropFirst(start ?? 0))
        return .page("budgets", page, limit: limit) { status, bytes in
            status.appendJSON(to: &bytes)
        } cursor: { _ in
            "\((start ?? 0) + limit)"
        }
    }
}

extension BudgetStatus {
    func appendJSON(to bytes: inout [UInt8]) {
        func time(_ seconds: Int64) -> String { RFC3339.text(unixNanos: seconds * 1_000_000_000) }
        bytes.append("{\"name\":" as StaticString)
        bytes.appendJSONString(budget.name)
        bytes.append(",\"scope\":{" as StaticString)
        for (index, entry) in scope.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.appendJSONString(entry.dimension.description)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(entry.value)
        }
        bytes.append("},\"period\":\"\(budget.period.word)\",\"timezone\":")
        bytes.appendJSONString(budget.period.zone.name)
        if budget.period.isRolling {
            bytes.append(",\"window_seconds\":\(budget.period.rollingSeconds)")
        }
        bytes.append(",\"period_start\":\"\(time(period.start))\"")
        bytes.append(",\"period_end\":\"\(time(period.end))\"")
        bytes.append(",\"limit_usd\":\"\(limit.decimal)\",\"spent_usd\":\"\(spent.decimal)\"")
        bytes.append(",\"reserved_usd\":\"\(reserved.decimal)\"")
        bytes.append(",\"remaining_usd\":\"\(remaining.decimal)\",\"utilization\":")
        FixedPoint.append(utilizationNanos / 1_000_000, scale: 3, to: &bytes)
        bytes.append(",\"burning\":\(isBurning),\"thresholds\":[")
        for (index, threshold) in budget.thresholds.enumerated() {
            bytes.append(index > 0 ? "," : "")
            bytes.append("{\"at\":\(threshold.text),\"severity\":\"\(threshold.severity.word)\"")
            bytes.append(",\"crossed\":\(crossed[index])}")
        }
        bytes.append("]}" as StaticString)
    }
}
