internal import Alerts
internal import Delivery
internal import HTTPServer
internal import JSON
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// `/v1/alerts`, `/v1/deliveries` and `/v1/receivers`: what was told, to whom, and what came of it.
struct AlertsHandler: Sendable {
    let services: APIServices

    func alerts(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["status", "kind", "limit", "cursor"])
        let status = try query.word("status", AlertStatus.self)
        let kind = try query.word("kind", AlertKind.self)
        let limit = try query.limit()
        var before: (starts: Int64, id: String)?
        if let cursor = query.text("cursor") {
            let parts = cursor.split(separator: ".", maxSplits: 1)
            guard parts.count == 2, let starts = Int64(parts[0]) else { throw Query.badCursor }
            before = (starts, String(parts[1]))
        }
        let alerts = try services.read { database throws(SQLiteError) in
            try AlertTable.list(
                status: status, kind: kind, before: before, limit: limit, in: database)
        }
        return .page("alerts", alerts, limit: limit) { alert, bytes in
            alert.appendJSON(to: &bytes)
        } cursor: {
            "\($0.startsAt).\($0.id)"
        }
    }

    func alert(_ id: String) throws(APIError) -> HTTPResponse {
        let alert = try services.read { database throws(SQLiteError) in
            try AlertTable.alert(id, in: database)
        }
        guard let alert else { throw Self.unknown("alert", id) }
        var bytes: [UInt8] = []
        alert.appendJSON(to: &bytes)
        return .json(bytes)
    }

    func deliveries(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["state", "receiver", "alert", "limit", "cursor"])
        let state = try query.word("state", DeliveryState.self)
        let limit = try query.limit()
        let before = try query.text("cursor").map { text throws(APIError) in
            guard let sequence = Int64(text) else { throw Query.badCursor }
            return sequence
        }
        let deliveries = try services.read { database throws(SQLiteError) in
            try DeliveryTable.list(
                state: state, receiver: query.text("receiver"), alert: query.text("alert"),
                before: before, limit: limit, in: database)
        }
        return .page("deliveries", deliveries, limit: limit) { delivery, bytes in
            delivery.appendJSON(to: &bytes)
        } cursor: {
            "\($0.sequence)"
        }
    }

    /// Answers once the row waits again.
    func replay(_ id: String, respond: @escaping @Sendable (HTTPResponse) -> Void) {
        do throws(APIError) {
            let delivery = try services.read { database throws(SQLiteError) in
                try DeliveryTable.delivery(id, in: database)
            }
            guard let delivery else { throw Self.unknown("delivery", id) }
            guard delivery.state != .pending else {
                throw APIError(
                    status: 409, code: "pending", message: "\(id) waits for its delivery already")
            }
        } catch { return respond(error.response) }
        let services = services
        let now = services.ledger.now
        services.write { database throws(SQLiteError) in
            _ = try DeliveryTable.replay(id, in: database, now: now)
        } completion: { isDurable in
            guard isDurable else { return respond(APIServices.unwritable.response) }
            services.deliverer.notify()
            respond(.json(Array("{\"id\":\"\(id)\",\"state\":\"pending\"}".utf8), status: 202))
        }
    }

    /// Sends a sample and answers with what the receiver said.
    func test(_ name: String, respond: @escaping @Sendable (HTTPResponse) -> Void) {
        let isKnown = services.deliverer.test(name) { outcome in
            switch outcome {
            case .delivered(let status):
                respond(
                    .json(
                        Array(
                            "{\"receiver\":\"\(name)\",\"delivered\":true,\"status\":\(status)}"
                                .utf8))
                )
            case .failed(let reason):
                respond(
                    APIError(
                        status: 502, code: "not_delivered",
                        message: "\(name) did not take the test notification: \(reason)"
                    ).response)
            }
        }
        guard !isKnown else { return }
        let names = services.deliverer.receiverNames
        respond(
            APIError(
                status: 404, code: "unknown_receiver",
                message: "there is no receiver \"\(name.prefix(100))\"; "
                    + (names.isEmpty
                        ? "none is configured under alerts.receivers"
                        : "there are \(names.joined(separator: ", "))")
            ).response)
    }

    static func unknown(_ what: String, _ id: String) -> APIError {
        APIError(
            status: 404, code: "unknown_\(what)",
            message: "there is no \(what) \"\(id.prefix(100))\"")
    }
}

extension Delivery {
    fileprivate func appendJSON(to bytes: inout [UInt8]) {
        func time(_ nanos: Int64) -> String {
            RFC3339.text(unixNanos: nanos / 1_000_000 * 1_000_000)
        }
        func text(_ key: StaticString, _ value: String) {
            bytes.append(key)
            bytes.appendJSONString(value)
        }
        text("{\"id\":", id)
        text(",\"alert\":", alert)
        text(",\"status\":", status.rawValue)
        text(",\"receiver\":", receiver)
        text(",\"dedup_key\":", dedupKey)
        text(",\"state\":", state.rawValue)
        bytes.append(",\"attempts\":\(attempts)")
        text(",\"created_at\":", time(created))
        if state == .pending { text(",\"next_attempt_at\":", time(next)) }
        if let ended { text(",\"ended_at\":", time(ended)) }
        if let answer { bytes.append(",\"answer\":\(answer)") }
        if let error { text(",\"error\":", error) }
        if round > 0 { bytes.append(",\"repeat\":\(round)") }
        bytes.append(UInt8(ascii: "}"))
    }
}
