internal import Alerts
internal import Anomalies
internal import Delivery
internal import HTTPServer
internal import JSON
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// What is done at a path of anomalies.
enum AnomalyAction: Equatable, Sendable {
    case list, one, acknowledge, snooze, detect, snapshots
}

/// `/v1/anomalies` and `/v1/snapshots`: what was abnormal, and the windows that it was seen in.
struct AnomaliesHandler: Sendable {
    let services: APIServices
    static let detectBytesMax = 16 << 20
    static let textBytesMax = 1000
    private static let secondsMax: Int64 = 366 * 86_400

    static func routes(read: [HTTPMethod]) -> [APIRoute] {
        [
            APIRoute(path: "/v1/anomalies", methods: read, action: .anomalies(.list)),
            APIRoute(path: "/v1/anomalies/detect", methods: [.post], action: .anomalies(.detect)),
            APIRoute(path: "/v1/anomalies/{id}", methods: read, action: .anomalies(.one)),
            APIRoute(
                path: "/v1/anomalies/{id}/ack", methods: [.post],
                action: .anomalies(.acknowledge)),
            APIRoute(
                path: "/v1/anomalies/{id}/snooze", methods: [.post], action: .anomalies(.snooze)),
            APIRoute(path: "/v1/snapshots", methods: read, action: .anomalies(.snapshots)),
        ]
    }

    /// Runs on the control thread; `respond` may be called later, on the writer's.
    func handle(
        _ action: AnomalyAction, _ value: String, _ query: Query, body: [UInt8], type: String?,
        respond: @escaping @Sendable (HTTPResponse) -> Void
    ) throws(APIError) {
        switch action {
        case .list: respond(try list(query))
        case .one: respond(try one(value))
        case .acknowledge: try acknowledge(value, body, respond)
        case .snooze: try snooze(value, body, respond)
        case .detect: respond(try detect(body, type: type))
        case .snapshots: respond(try snapshots(query))
        }
    }

    private func list(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["status", "kind", "dimension", "value", "limit", "cursor"])
        let status = try query.word("status", AnomalyStatus.self)
        let limit = try query.limit()
        let kind = query.text("kind")
        let before = try query.text("cursor").map { text throws(APIError) in
            guard let id = Int64(text) else { throw Query.badCursor }
            return id
        }
        let (anomalies, budgets) = try services.read { database throws(SQLiteError) in
            let anomalies = try AnomalyTable.list(
                status: status, kind: kind, dimension: query.text("dimension"),
                value: query.text("value"), before: before, limit: limit, in: database)
            let isFirst = before == nil && query.text("dimension") == nil
            return (anomalies, isFirst ? try budgetAlerts(kind, status, limit, database) : [])
        }
        var readings = services.anomalies?.readings ?? AnomalyReadings()
        if services.anomalies == nil { readings.warmupSeconds = 0 }
        let shown = readings
        return .json(
            JSONWriter.object { json in
                json.add("warmup_remaining_seconds", shown.warmupSeconds)
                json.array("anomalies") { json in
                    for anomaly in anomalies {
                        json.object { Self.append(anomaly, to: &$0) }
                    }
                }
                json.array("budgets") { json in
                    for alert in budgets {
                        json.object { json in
                            json.add(
                                "kind",
                                alert.severity == .critical ? "budget_exceeded" : "budget_warning")
                            json.add("alert", json: Self.bytes(of: alert))
                        }
                    }
                }
                if anomalies.count == limit, let last = anomalies.last {
                    json.add("next_cursor", "\(last.id)")
                }
            })
    }

    /// Budget crossings are listed beside anomalies; they were told as what they are.
    private func budgetAlerts(
        _ kind: String?, _ status: AnomalyStatus?, _ limit: Int, _ database: borrowing Database
    ) throws(SQLiteError) -> [Alert] {
        guard kind == nil || kind == "budget_warning" || kind == "budget_exceeded" else {
            return []
        }
        let alerts = try AlertTable.list(
            status: status.map { $0 == .active ? .firing : .resolved }, kind: .budgetThreshold,
            before: nil, limit: limit, in: database)
        return alerts.filter { alert in
            kind == nil || (alert.severity == .critical) == (kind == "budget_exceeded")
        }
    }

    private static func bytes(of alert: Alert) -> [UInt8] {
        var bytes: [UInt8] = []
        alert.appendJSON(to: &bytes)
        return bytes
    }

    private func one(_ text: String) throws(APIError) -> HTTPResponse {
        let anomaly = try find(text)
        return .json(JSONWriter.object { Self.append(anomaly, to: &$0) })
    }

    private func find(_ text: String) throws(APIError) -> Anomaly {
        guard let id = Int64(text) else { throw AlertsHandler.unknown("anomaly", text) }
        let anomaly = try services.read { database throws(SQLiteError) in
            try AnomalyTable.anomaly(id, in: database)
        }
        guard let anomaly else { throw AlertsHandler.unknown("anomaly", text) }
        return anomaly
    }

    static func append(_ anomaly: Anomaly, to json: inout JSONWriter) {
        json.add("id", "\(anomaly.id)")
        json.add("kind", anomaly.kind.description)
        json.add("dimension", anomaly.dimension.description)
        json.add("value", anomaly.value)
        json.add("severity", anomaly.grade.word)
        json.add("status", anomaly.status.rawValue)
        json.add("window_start", unixSeconds: anomaly.startsAt)
        json.add("detected_at", unixNanos: anomaly.detectedAt)
        if let end = anomaly.endsAt { json.add("ended_at", unixNanos: end) }
        json.add("span_seconds", anomaly.spanSeconds)
        json.add("observed_usd", usd: anomaly.observed)
        json.add("expected_usd", usd: anomaly.expected)
        json.add("ratio", thousandths: Int64((anomaly.ratio * 1000).rounded()))
        json.add("title", anomaly.title)
        json.add("summary", anomaly.summary)
        json.array("top") { json in
            for contributor in anomaly.top {
                var bytes: [UInt8] = []
                contributor.appendJSON(to: &bytes)
                json.add(nil, json: bytes)
            }
        }
        json.add("dedup_key", anomaly.dedupKey)
        json.add("notified", anomaly.silence == nil)
        if let silence = anomaly.silence { json.add("silence", silence.rawValue) }
        if let cause = anomaly.cause { json.add("cause", "\(cause)") }
        if let acknowledged = anomaly.acknowledged {
            json.object("acknowledged") { json in
                json.add("at", unixNanos: acknowledged.at)
                json.add("by", acknowledged.by)
                json.add("note", acknowledged.note)
            }
        }
        if let until = anomaly.snoozedUntil { json.add("snoozed_until", unixNanos: until) }
    }
}

// Ack and snooze.
extension AnomaliesHandler {
    func object(_ body: [UInt8], _ keys: [String]) throws(APIError) -> JSONValue {
        if body.isEmpty { return .object([]) }
        guard let json = try? JSONValue.read(body), let members = json.members else {
            throw Self.bad("the body is not a JSON object")
        }
        if let unknown = members.first(where: { !keys.contains($0.key) }) {
            throw Self.bad(
                "there is no \"\(unknown.key.prefix(100))\" here; there are "
                    + keys.joined(separator: ", "))
        }
        return json
    }

    static func tooLarge(_ bytesMax: Int) -> APIError {
        APIError(
            status: 413, code: "body_too_large",
            message: "the body has more than \(bytesMax) bytes; send less at a time")
    }

    static func bad(_ message: String) -> APIError {
        APIError(status: 400, code: "bad_request", message: message)
    }

    func text(_ json: JSONValue, _ key: String) throws(APIError) -> String {
        guard let value = json[key] else { return "" }
        guard let text = value.string, text.utf8.count <= Self.textBytesMax else {
            throw Self.bad("\(key): is not text of at most \(Self.textBytesMax) bytes")
        }
        return text
    }

    /// Its pattern is not told again unless it grows.
    private func acknowledge(
        _ text: String, _ body: [UInt8], _ respond: @escaping @Sendable (HTTPResponse) -> Void
    ) throws(APIError) {
        let json = try object(body, ["by", "note"])
        let anomaly = try find(text)
        let acknowledgement = Anomaly.Acknowledgement(
            at: services.ledger.now, by: try self.text(json, "by"),
            note: try self.text(json, "note"))
        let recorder = services.deliverer.recorder
        write(anomaly.id, respond) { database throws(SQLiteError) in
            _ = try AnomalyTable.acknowledge(anomaly.id, acknowledgement, in: database)
            try recorder.acknowledge(
                anomaly.dedupKey, by: acknowledgement.by, in: database, now: acknowledgement.at)
        }
    }

    /// Nothing like it is told until then.
    private func snooze(
        _ text: String, _ body: [UInt8], _ respond: @escaping @Sendable (HTTPResponse) -> Void
    ) throws(APIError) {
        let json = try object(body, ["until"])
        let id = try find(text).id
        let now = services.ledger.now
        let written = try self.text(json, "until")
        let latest = now + Self.secondsMax * 1_000_000_000
        guard let until = RFC3339.read(Array(written.utf8).span), until > now, until <= latest
        else {
            throw Self.bad(
                "until: \"\(written.prefix(100))\" is no moment within a year from now; write, for "
                    + "example, {\"until\":\"\(RFC3339.text(unixNanos: (now / 1_000_000_000 + 86_400) * 1_000_000_000))\"}"
            )
        }
        write(id, respond) { database throws(SQLiteError) in
            _ = try AnomalyTable.snooze(id, until: until, in: database)
        }
    }

    /// Changes an anomaly and answers with it as it then is.
    private func write(
        _ id: Int64, _ respond: @escaping @Sendable (HTTPResponse) -> Void,
        _ change: @escaping StoreJob
    ) {
        let handler = self
        services.write(change) { isDurable in
            guard isDurable else { return respond(APIServices.unwritable.response) }
            do throws(APIError) {
                respond(try handler.one("\(id)"))
            } catch {
                respond(error.response)
            }
        }
    }
}
