internal import Alerts
internal import Governance
internal import HTTPServer
internal import JSON
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// `/v1/silences`: alerts that nobody is to be told of for a while.
struct SilencesHandler: Sendable {
    let services: APIServices
    typealias Respond = @Sendable (HTTPResponse) -> Void

    private enum State: String, CaseIterable { case active, pending, expired }

    /// Longer than this nothing can be silenced.
    private static let nanosMax: Int64 = 366 * 86_400 * 1_000_000_000
    private static let reasonBytesMax = 1000

    func silences(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["state", "limit", "cursor"])
        let wanted = try query.word("state", State.self)
        let limit = try query.limit()
        let start = try query.start(max: 2 * Silence.countMax)
        let now = services.ledger.now
        let found = services.governance.silences.all.filter { silence in
            wanted.map { Self.state(silence, now) == $0 } ?? true
        }
        let page = Array(found.dropFirst(start).prefix(limit))
        return .page("silences", page, limit: limit) { silence, bytes in
            bytes += Self.json(silence, now: now)
        } cursor: { _ in
            "\(start + limit)"
        }
    }

    func silence(_ id: String) throws(APIError) -> HTTPResponse {
        guard let silence = services.governance.silences.all.first(where: { $0.id == id }) else {
            throw AlertsHandler.unknown("silence", id)
        }
        return .json(Self.json(silence, now: services.ledger.now))
    }

    private static func state(_ silence: Silence, _ now: Int64) -> State {
        now < silence.startsAt ? .pending : now < silence.endsAt ? .active : .expired
    }

    private static func json(_ silence: Silence, now: Int64? = nil) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append("{\"id\":" as StaticString)
        bytes.appendJSONString(silence.id)
        if let now { bytes.append(",\"state\":\"\(state(silence, now).rawValue)\"") }
        bytes.append(",\"match\":" as StaticString)
        silence.appendMatch(to: &bytes)
        for (key, text) in [("author", silence.author), ("reason", silence.reason)] {
            bytes.append(",\"\(key)\":")
            bytes.appendJSONString(text)
        }
        for (key, nanos) in [("starts_at", silence.startsAt), ("ends_at", silence.endsAt)] {
            bytes.append(",\"\(key)\":\"")
            bytes.append("\(RFC3339.text(unixNanos: nanos / 1_000_000 * 1_000_000))\"")
        }
        bytes.append(",\"source\":\"\(silence.isConfigured ? "file" : "api")\"}")
        return bytes
    }

    func create(_ exchange: HTTPExchange, respond: @escaping Respond) {
        do throws(APIError) {
            let json = try exchange.takeJSON(bytesMax: AdmissionHandler.bodyBytesMax)
            let who = exchange.principal
            let silence = try read(json, who)
            exchange.park()
            let governance = services.governance
            services.change(respond: respond) { database, now throws(SQLiteError) in
                guard try governance.silences.add(silence, in: database, now: now) == .done else {
                    return .failure(Self.full)
                }
                try governance.log.record(
                    GovernanceEvent(
                        at: now, who: who, action: .silenceCreate, target: "silences/\(silence.id)",
                        reason: silence.reason, after: Self.json(silence)), in: database)
                return .success(.json(Self.json(silence, now: now), status: 201))
            }
        } catch { respond(error.response) }
    }

    private func read(_ json: JSONValue, _ who: String) throws(APIError) -> Silence {
        try json.checkMembers(["match", "author", "reason", "starts_at", "ends_at"])
        let now = services.ledger.now
        let match = try Self.match(json["match"])
        let starts = try json.time("starts_at") ?? now
        guard let ends = try json.time("ends_at") else {
            throw .field("ends_at", "is missing; write when the silence is over")
        }
        guard ends > max(starts, now), ends - starts <= Self.nanosMax else {
            throw .field("ends_at", "must be after starts_at and now, and within 366 days")
        }
        let author = try json.text("author", bytesMax: Limits.textBytes)
        let digits = String(services.governance.random(), radix: 16)
        return Silence(
            id: "sil_" + String(repeating: "0", count: 16 - digits.count) + digits, match: match,
            author: author.isEmpty ? who : author,
            reason: try json.text("reason", bytesMax: Self.reasonBytesMax), startsAt: starts,
            endsAt: ends)
    }

    private static func match(_ json: JSONValue?) throws(APIError) -> [AlertRouter.Match] {
        guard let json, let match = AlertRouter.Match.list(json), !match.isEmpty,
            match.count <= Silence.matchesMax,
            match.allSatisfy({ $0.pattern.texts.allSatisfy { $0.utf8.count <= Limits.textBytes } })
        else {
            throw .field(
                "match",
                "must be an object of fields and texts, such as {\"kind\": \"budget_*\", "
                    + "\"tenant\": [\"a\", \"b\"]}; {\"kind\": \"*\"} is every alert")
        }
        if let other = match.first(where: { !Silence.isField($0.field) }) {
            throw .field(
                "match",
                "has \"\(other.field.prefix(100))\", and alerts have no such field; there are "
                    + Silence.fields.joined(separator: ", ") + " and the dimensions")
        }
        return match
    }

    func delete(_ exchange: HTTPExchange, _ id: String, respond: @escaping Respond) {
        let who = exchange.principal
        exchange.park()
        let governance = services.governance
        if let known = governance.silences.all.first(where: { $0.id == id }), known.isConfigured {
            return respond(Self.readOnly.response)
        }
        services.change(respond: respond) { database, now throws(SQLiteError) in
            guard let silence = try governance.silences.remove(id, in: database) else {
                return .failure(AlertsHandler.unknown("silence", id))
            }
            try governance.log.record(
                GovernanceEvent(
                    at: now, who: who, action: .silenceDelete, target: "silences/\(id)",
                    before: Self.json(silence)), in: database)
            return .success(.deleted)
        }
    }

    private static let full = APIError(
        status: 409, code: "too_many_silences",
        message: "there are \(Silence.countMax) silences already; delete some")

    private static let readOnly = APIError(
        status: 409, code: "read_only",
        message: "this silence is in the configuration file; change it there and reload")
}
