internal import Anomalies
internal import HTTPServer
internal import JSON
internal import SQLite
internal import Usage
internal import Wire

// A series of the caller's own, judged; nothing is stored.
extension AnomaliesHandler {
    /// CSV in, CSV out, as `costgauge detect` does; or JSON:
    ///
    ///     {"window":"5m","points":[{"timestamp":1767225600,"cost":1.2,"events":20,"largest":0.3}]}
    ///     {"points":[{"timestamp":"2026-11-20T10:00:00Z","value":120}]}
    func detect(_ body: [UInt8], type: String?) throws(APIError) -> HTTPResponse {
        let media = type?.prefix { $0 != ";" && $0 != " " }.lowercased()
        let settings = services.anomalies?.settings ?? AnomalySettings()
        if media == "text/csv" {
            var table = DetectCSV()
            table.policy = settings.spend
            do throws(DetectFault) {
                return HTTPResponse(
                    status: 200, contentType: "text/csv; charset=utf-8",
                    body: try table.run(body))
            } catch {
                throw Self.bad(error.description)
            }
        }
        guard media == nil || media == "application/json" else {
            throw APIError(
                status: 415, code: "unsupported_content_type",
                message: "send application/json or text/csv")
        }
        guard let json = try? JSONValue.read(body), let points = json["points"]?.array else {
            throw Self.bad("the body is not a JSON object with a list of points")
        }
        return try judge(points, window: json["window"], settings)
    }

    private func judge(
        _ points: [JSONValue], window: JSONValue?, _ settings: AnomalySettings
    ) throws(APIError) -> HTTPResponse {
        let isSpend = points.first?["cost"] != nil
        var width: Int64?
        if let window {
            guard let text = window.string, let seconds = Query.seconds(text) else {
                throw Self.bad("window: is no duration such as \"5m\"")
            }
            width = seconds
        }
        var moments: [Double] = []
        for (index, point) in points.enumerated() {
            guard let time = Self.time(point["timestamp"]) else {
                throw Self.bad("points[\(index)].timestamp: write Unix seconds or RFC 3339")
            }
            moments.append(time)
        }
        let bucket = width ?? Self.bucket(moments, isSpend: isSpend)
        var judge = SeriesJudge(model: SpendModel(bucketSeconds: bucket, policy: settings.spend))
        var verdicts: [PointVerdict] = []
        for (index, point) in points.enumerated() {
            func number(_ key: String, optional: Bool = false) throws(APIError) -> Double {
                if optional, point[key] == nil { return 0 }
                guard let text = point[key].flatMap({ $0.literal ?? $0.string }),
                    let number = Double(text), number.isFinite, number.magnitude < 1e15,
                    !isSpend || number >= 0
                else {
                    throw Self.bad(
                        "points[\(index)].\(key): is not a number" + (isSpend ? " from 0 on" : ""))
                }
                return number
            }
            if isSpend {
                if index > 0, moments[index] <= moments[index - 1] {
                    throw Self.bad("points[\(index)].timestamp: is not after the one before it")
                }
                verdicts.append(
                    judge.judge(
                        start: Int64(moments[index]), cost: try number("cost"),
                        events: try number("events"),
                        largest: try number("largest", optional: true)))
            } else {
                verdicts.append(judge.judge(time: moments[index], value: try number("value")))
            }
        }
        return Self.answer(verdicts, moments, isSpend: isSpend)
    }

    private static func answer(
        _ verdicts: [PointVerdict], _ moments: [Double], isSpend: Bool
    ) -> HTTPResponse {
        .json(
            JSONWriter.object { json in
                json.add("detector", isSpend ? "spend" : "generic")
                json.add("anomalies", Int64(verdicts.count(where: \.isAnomaly)))
                json.array("points") { json in
                    for (verdict, moment) in zip(verdicts, moments) {
                        json.object { json in
                            json.add("timestamp", literal: FixedText.short(moment))
                            json.add("anomaly", verdict.isAnomaly)
                            json.add("expected", literal: "\(verdict.expected)")
                            if let score = verdict.score { json.add("score", literal: "\(score)") }
                            guard isSpend else { return }
                            json.add("severity", verdict.grade?.word ?? "none")
                            json.add("direction", Int64(verdict.direction))
                            if let why = verdict.why { json.add("why", why) }
                        }
                    }
                }
            })
    }

    private static func time(_ json: JSONValue?) -> Double? {
        if let literal = json?.literal, let seconds = Double(literal), seconds.magnitude < 1e11 {
            return seconds
        }
        return json?.string.flatMap { RFC3339.read(Array($0.utf8).span) }.map { Double($0) / 1e9 }
    }

    private static func bucket(_ moments: [Double], isSpend: Bool) -> Int64 {
        guard isSpend, moments.count > 1 else { return 3600 }
        let widths = zip(moments.dropFirst(), moments).map { $0 - $1 }.filter { $0 > 0 }
        return max(1, Int64(widths.min() ?? 3600))
    }
}

// The windows.
extension AnomaliesHandler {
    func snapshots(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["width", "dimension", "value", "limit", "cursor"])
        let limit = try query.limit()
        let settings = services.anomalies?.settings ?? AnomalySettings()
        let widths = [settings.windowSeconds, 3600, 86_400]
        var width = settings.windowSeconds
        if let text = query.text("width") {
            guard let seconds = Query.seconds(text), widths.contains(seconds) else {
                throw Self.bad(
                    "width: \"\(text.prefix(100))\" is none of "
                        + "\(settings.windowSeconds / 60)m, 1h, 1d")
            }
            width = seconds
        }
        let before = try query.text("cursor").map { text throws(APIError) in
            guard let start = Int64(text) else { throw Query.badCursor }
            return start
        }
        guard (query.text("dimension") == nil) == (query.text("value") == nil) else {
            throw Self.bad("dimension and value: name both or neither")
        }
        let wanted = width
        let rows = try services.read { database throws(SQLiteError) in
            try SnapshotTable.list(
                width: wanted, dimension: query.text("dimension"), value: query.text("value"),
                before: before, limit: limit, in: database)
        }
        let isFirst = before == nil && query.text("dimension") == nil
        let open =
            isFirst && width == settings.windowSeconds
            ? services.anomalies?.readings.open ?? [] : []
        return .json(
            JSONWriter.object { json in
                json.array("snapshots") { json in
                    for window in open.reversed() {
                        json.object { json in
                            json.add("start", unixSeconds: window.start)
                            json.add("end", unixSeconds: window.start + wanted)
                            json.add("frozen", false)
                            json.add("complete", false)
                            json.add("events", window.events)
                            json.add("cost_usd", usd: window.cost)
                        }
                    }
                    for row in rows { json.object { Self.append(row, width: wanted, to: &$0) } }
                }
                if rows.count == limit, let last = rows.last {
                    json.add("next_cursor", "\(last.start)")
                }
            })
    }

    private static func append(_ row: Snapshot, width: Int64, to json: inout JSONWriter) {
        json.add("start", unixSeconds: row.start)
        json.add("end", unixSeconds: row.start + width)
        json.add("frozen", true)
        json.add("complete", row.isComplete)
        json.add("frozen_at", unixNanos: row.frozenAt)
        json.add("events", row.events)
        json.add("cost_usd", usd: row.cost)
        if let largest = row.largest { json.add("largest_usd", usd: largest) }
        if let tokens = row.tokens { json.add("tokens", tokens) }
        json.add("late_events", row.lateEvents)
        json.add("late_cost_usd", usd: row.lateCost)
    }
}
