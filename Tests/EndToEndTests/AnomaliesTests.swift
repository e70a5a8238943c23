import Foundation
import TestSupport
import Testing

@Suite struct AnomaliesTests {
    private func json(_ answer: TestHTTPClient.Answer) throws -> [String: Any] {
        try answer.json()
    }

    /// A data directory in which something was abnormal.
    private func seeded(_ place: TemporaryDirectory) throws {
        try Costgauge(storage: place.path).stop()
        let result = try ChildProcess.run(
            "/usr/bin/env",
            [
                "sqlite3", place.path + "/costgauge.db",
                """
                insert into anomalies (id, kind, dimension, value, name, grade, status, horizon,
                    last_seen, start, detected_ns, observed_nanousd, expected_nanousd, ratio_mille,
                    span, title, summary, top, silence, cause)
                values (1, 'feature_spike', 'feature', 'support.chat', 2, 3, 'active', 0, 1795168500,
                    1795168500, 1795168890000000000, 41200000000, 6500000000, 6338, 300,
                    'support.chat spends 6.3x its usual', 'support.chat spent $41.20 in 5 min',
                    '[{"dimension":"user","value":"u-17","share":0.92}]', null, null),
                  (2, 'user_spike', 'user', 'u-17', 3, 3, 'over', 0, 1795168500,
                    1795168500, 1795168890000000000, 38000000000, 4000000000, 9500, 300,
                    'u-17 spends 9.5x its usual', 'u-17 spent $38.00 in 5 min', '[]', 'explained', 1)
                """,
            ])
        try #require(result.status == 0, "\(result.errors)")
    }

    @Test func `anomalies are listed with why, who is behind them and what is known of them`()
        throws
    {
        let place = TemporaryDirectory()
        try seeded(place)
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        let all = try json(client.request("GET", "/v1/anomalies"))
        #expect(all["warmup_remaining_seconds"] as? Int == 604_800)
        let list = try #require(all["anomalies"] as? [[String: Any]])
        #expect(list.map { $0["id"] as? String } == ["2", "1"])
        #expect(list.map { $0["status"] as? String } == ["resolved", "active"])
        #expect(list[0]["notified"] as? Bool == false)
        #expect(list[0]["silence"] as? String == "explained")
        #expect(list[0]["cause"] as? String == "1")
        #expect(list[1]["observed_usd"] as? String == "41.20")
        #expect(list[1]["ratio"] as? Double == 6.338)
        #expect(list[1]["window_start"] as? String == "2026-11-20T09:55:00Z")
        #expect(
            list[1]["dedup_key"] as? String
                == "anomaly/feature_spike/feature=support.chat/1795168500/high")
        let top = try #require(list[1]["top"] as? [[String: Any]])
        #expect(top[0]["value"] as? String == "u-17" && top[0]["share"] as? Double == 0.92)
        for (query, ids) in [
            ("status=active", ["1"]), ("status=resolved", ["2"]), ("kind=user_spike", ["2"]),
            ("value=u-17", ["2"]),
            ("limit=1", ["2"]), ("cursor=2", ["1"]), ("kind=drop", []),
        ] {
            let page = try json(client.request("GET", "/v1/anomalies?" + query))
            let list = try #require(page["anomalies"] as? [[String: Any]])
            #expect(list.map { $0["id"] as? String } == ids, "\(query)")
        }
        #expect(try client.request("GET", "/v1/anomalies?sort=cost").status == 400)
        #expect(try client.request("GET", "/v1/anomalies/1").status == 200)
        #expect(try client.request("GET", "/v1/anomalies/9").status == 404)
        #expect(try client.request("GET", "/v1/anomalies/x").status == 404)
        let metrics = try server.metrics()
        #expect(
            metrics[
                "costgauge_anomaly_active{kind=\"feature_spike\",dimension=\"feature\","
                    + "value=\"support.chat\",severity=\"high\"}"] == "1")
        #expect(metrics["costgauge_anomaly_warmup_remaining_seconds"] == "604800")
    }

    @Test func `an anomaly is acknowledged and snoozed, and remembers both`() throws {
        let place = TemporaryDirectory()
        try seeded(place)
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        let acknowledged = try client.post(
            #"{"by":"ada","note":"known batch"}"#, to: "/v1/anomalies/1/ack")
        #expect(acknowledged.status == 200)
        let by = try #require(json(acknowledged)["acknowledged"] as? [String: Any])
        #expect(by["by"] as? String == "ada" && by["note"] as? String == "known batch")
        let until = ISO8601DateFormatter().string(from: Date(timeIntervalSinceNow: 86_400))
        let snoozed = try client.post(
            "{\"until\":\"\(until)\"}", to: "/v1/anomalies/1/snooze")
        #expect(try json(snoozed)["snoozed_until"] as? String == until)
        server.stop()
        let again = try Costgauge(storage: place.path)
        let anomaly = try json(again.client().request("GET", "/v1/anomalies/1"))
        #expect(anomaly["acknowledged"] != nil && anomaly["snoozed_until"] as? String == until)
        for (body, path, status) in [
            ("", "/v1/anomalies/7/ack", 404), ("[]", "/v1/anomalies/1/ack", 400),
            (#"{"who":"ada"}"#, "/v1/anomalies/1/ack", 400),
            (#"{"by":7}"#, "/v1/anomalies/1/ack", 400),
            ("", "/v1/anomalies/1/snooze", 400),
            (#"{"until":"2020-01-01T00:00:00Z"}"#, "/v1/anomalies/1/snooze", 400),
            (#"{"until":"2200-01-01T00:00:00Z"}"#, "/v1/anomalies/1/snooze", 400),
            (#"{"until":"tomorrow"}"#, "/v1/anomalies/1/snooze", 400),
        ] {
            #expect(try again.client().post(body, to: path).status == status, "\(path) \(body)")
        }
        #expect(try again.client().post("", to: "/v1/anomalies/1/ack").status == 200)
    }

    @Test func `P13: a window that takes events is listed as open, not as complete`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        #expect(try client.post(#"{"cost_usd":1.5,"user":"u"}"#).status == 200)
        var list: [[String: Any]] = []
        let isListed = eventually {
            let page = try? json(client.request("GET", "/v1/snapshots"))
            list = page?["snapshots"] as? [[String: Any]] ?? []
            return list.contains { $0["frozen"] as? Bool == false }
        }
        #expect(isListed)
        let open = try #require(list.first { $0["frozen"] as? Bool == false })
        #expect(open["complete"] as? Bool == false)
        #expect(open["cost_usd"] as? String == "1.50" && open["events"] as? Int == 1)
        // What was before the start nobody has seen in full.
        for window in list where window["frozen"] as? Bool == true {
            #expect(window["complete"] as? Bool == false)
        }
        #expect(try client.request("GET", "/v1/snapshots?width=1h").status == 200)
        #expect(
            try client.request("GET", "/v1/snapshots?dimension=user&value=u").status == 200)
        for bad in ["width=7m", "dimension=user", "cursor=x", "limit=0", "since=7d"] {
            #expect(try client.request("GET", "/v1/snapshots?" + bad).status == 400, "\(bad)")
        }
    }

    @Test func `a series of one's own is judged as the command does`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        let points = (0..<300).map { hour in
            let cost = hour == 280 ? 50 : 1 + Double(hour % 3) / 10
            return "{\"timestamp\":\(1_767_225_600 + hour * 3600),\"cost\":\(cost),\"events\":20}"
        }
        let spend = try json(
            client.post(
                "{\"points\":[\(points.joined(separator: ","))]}", to: "/v1/anomalies/detect"))
        #expect(spend["detector"] as? String == "spend" && spend["anomalies"] as? Int == 1)
        let verdicts = try #require(spend["points"] as? [[String: Any]])
        #expect(verdicts[280]["severity"] as? String == "critical")
        #expect((verdicts[280]["why"] as? String)?.hasPrefix("spent $50.00 over") == true)
        let generic = try json(
            client.post(
                #"{"points":[{"timestamp":"2026-11-20T10:00:00Z","value":1},{"timestamp":1795168860,"value":-2.5}]}"#,
                to: "/v1/anomalies/detect"))
        #expect(generic["detector"] as? String == "generic")
        let csv = try client.request(
            "POST", "/v1/anomalies/detect", headers: ["Content-Type": "text/csv"],
            body: Array("timestamp,value\n1,2\n2,3\n".utf8))
        #expect(csv.status == 200)
        #expect(csv.text.hasPrefix("timestamp,value,score,anomaly,expected\n1,2,0.0,0,2.0\n"))
        for bad in [
            "", "[]", #"{"points":7}"#, #"{"points":[{"cost":1}]}"#,
            #"{"points":[{"timestamp":1,"cost":-1,"events":1}]}"#,
            #"{"points":[{"timestamp":1,"value":"x"}]}"#,
            #"{"window":5,"points":[{"timestamp":1,"value":1}]}"#,
            #"{"points":[{"timestamp":2,"cost":1,"events":1},{"timestamp":1,"cost":1,"events":1}]}"#,
        ] {
            #expect(
                try client.post(bad, to: "/v1/anomalies/detect").status == 400, "\(bad)")
        }
    }
}
