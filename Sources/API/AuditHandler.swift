internal import Governance
internal import HTTPServer
internal import SQLite

/// `GET /v1/audit`: who changed what, youngest first.
struct AuditHandler: Sendable {
    let services: APIServices

    func events(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["event", "who", "target", "limit", "cursor"])
        let action = try query.word("event", GovernanceEvent.Action.self)
        let limit = try query.limit()
        let before = try query.text("cursor").map { text throws(APIError) in
            guard let sequence = Int64(text) else { throw Query.badCursor }
            return sequence
        }
        let events = try services.read { database throws(SQLiteError) in
            try GovernanceTable.list(
                action: action, who: query.text("who"), target: query.text("target"),
                before: before, limit: limit, in: database)
        }
        return .page("events", events, limit: limit) { event, bytes in
            event.appendJSON(to: &bytes)
        } cursor: {
            "\($0.sequence)"
        }
    }
}
