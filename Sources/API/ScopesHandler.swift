internal import Budgets
internal import Governance
internal import HTTPServer
internal import JSON
internal import Ledger
internal import SQLite
internal import Usage

/// `/v1/scopes`: what is paused, and pausing it.
struct ScopesHandler: Sendable {
    let services: APIServices
    private static let reasonBytesMax = 1000

    func scopes(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["limit", "cursor"])
        let limit = try query.limit()
        let start = try query.start(max: BudgetsHandler.scopesMax)
        let pauses = Array(services.budgets.pauses.dropFirst(start).prefix(limit))
        return .page("scopes", pauses, limit: limit) { pause, bytes in
            bytes += Self.json(pause)
        } cursor: { _ in
            "\(start + limit)"
        }
    }

    private static func json(_ pause: ScopePause) -> [UInt8] {
        JSONWriter.object { json in
            json.add("dimension", pause.dimension.description)
            json.add("value", pause.value)
            json.add("status", "paused")
            json.add("reason", pause.reason)
            if let budget = pause.budget { json.add("budget", budget) }
            json.add("since", unixNanos: pause.since)
        }
    }

    /// `values`: the dimension and its value, from the path.
    func pause(
        _ exchange: HTTPExchange, _ values: [String],
        respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        do throws(APIError) {
            let (dimension, value) = try Self.target(values)
            let json = try exchange.takeJSON(bytesMax: AdmissionHandler.bodyBytesMax)
            let reason = json["reason"]?.string ?? ""
            guard reason.utf8.count <= Self.reasonBytesMax else {
                throw APIError(
                    status: 400, code: "bad_field",
                    message: "reason is longer than \(Self.reasonBytesMax) bytes",
                    members: "\"field\":\"reason\"")
            }
            let pause = ScopePause(
                dimension: dimension, value: value, reason: reason, budget: nil,
                since: services.ledger.now)
            let who = exchange.principal
            exchange.park()
            let (budgets, log) = (services.budgets, services.governance.log)
            services.change(respond: respond) { database, now throws(SQLiteError) in
                let result = try budgets.pause(pause, in: database)
                if result == .full { return .failure(Self.full) }
                if result == .done {
                    try budgets.loadPauses(from: database)
                    try log.record(
                        GovernanceEvent(
                            at: now, who: who, action: .scopePause,
                            target: "scopes/\(dimension)/\(value)", reason: reason,
                            after: Self.json(pause)), in: database)
                }
                return .success(.json(Self.json(pause)))
            }
        } catch { respond(error.response) }
    }

    func unpause(
        _ exchange: HTTPExchange, _ values: [String],
        respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        do throws(APIError) {
            let (dimension, value) = try Self.target(values)
            let who = exchange.principal
            exchange.park()
            let (budgets, log) = (services.budgets, services.governance.log)
            services.change(respond: respond) { database, now throws(SQLiteError) in
                let known = budgets.pauses.first {
                    $0.dimension == dimension && $0.value == value
                }
                guard try budgets.unpause(dimension, value, in: database, now: now) else {
                    return .failure(Self.notPaused(dimension, value))
                }
                try budgets.loadPauses(from: database)
                try log.record(
                    GovernanceEvent(
                        at: now, who: who, action: .scopeUnpause,
                        target: "scopes/\(dimension)/\(value)",
                        before: known.map { Self.json($0) } ?? []), in: database)
                return .success(
                    .json(
                        JSONWriter.object { json in
                            json.add("dimension", dimension.description)
                            json.add("value", value)
                            json.add("status", "active")
                        }))
            }
        } catch { respond(error.response) }
    }

    private static func target(_ values: [String]) throws(APIError) -> (Dimension, String) {
        guard values.count == 2, let dimension = Dimension(values[0]),
            dimension != .status, dimension != .stage
        else {
            throw APIError(
                status: 404, code: "not_found",
                message: "\"\((values.first ?? "").prefix(100))\" is no dimension that a call "
                    + "carries, such as tenant, user, model or tags.team")
        }
        guard values[1].utf8.count <= Limits.textBytes else {
            throw APIError(
                status: 400, code: "bad_field",
                message: "the value is longer than \(Limits.textBytes) bytes")
        }
        return (dimension, values[1])
    }

    private static let full = APIError(
        status: 409, code: "too_many_pauses",
        message: "too much is paused, or in too many dimensions; unpause something")

    private static func notPaused(_ dimension: Dimension, _ value: String) -> APIError {
        APIError(
            status: 404, code: "not_paused", message: "\(dimension) \(value) is not paused")
    }
}
