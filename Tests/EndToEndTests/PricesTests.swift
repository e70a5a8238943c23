import Foundation
import TestSupport
import Testing

/// Prices as an operator lives with them: unknown, added, corrected, broken.
@Suite struct PricesTests {
    private let place = TemporaryDirectory()

    private var file: String { place.path + "/prices.yaml" }

    private func write(_ rows: String) throws {
        try rows.write(toFile: file, atomically: true, encoding: .utf8)
    }

    private func row(_ model: String, _ dollars: String) -> String {
        "- {provider: mine, model: \(model), input_usd_per_mtok: \(dollars)}\n"
    }

    private func start(_ more: String = "") throws -> Costgauge {
        let configuration = place.path + "/costgauge.yaml"
        try "pricing: {files: [\"\(file)\"]\(more)}\nbudgets: []\n"
            .write(toFile: configuration, atomically: true, encoding: .utf8)
        return try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(configuration)"])
    }

    private func event(_ id: String, _ model: String) -> String {
        #"{"id":"\#(id)","provider":"mine","model":"\#(model)","input_tokens":1000000}"#
    }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private func sum(_ metrics: Metrics, _ name: String) -> Double {
        metrics.family(name + "{").values.compactMap(Double.init).reduce(0, +)
    }

    @Test func `P4 web searches without a price are told, and leave the tokens theirs`() throws {
        try write(row("m", "2"))
        let server = try start()
        let client = try server.client()
        let call = { (id: String) in
            #"{"id":"\#(id)","provider":"mine","model":"m","input_tokens":1000000,"web_searches":3}"#
        }
        #expect(try client.post(call("a")).status == 200)
        #expect(try client.post(call("b")).status == 200)
        #expect(sum(try server.metrics(), "costgauge_cost_usd_total") == 4)
        func alerts() throws -> [[String: Any]] {
            let answer = try object(client.request("GET", "/v1/alerts?kind=unpriced_model").text)
            return answer["alerts"] as? [[String: Any]] ?? []
        }
        #expect(
            try alerts().map { $0["title"] as? String }
                == ["no price for web searches of \"m\" of provider \"mine\""])
        // The missing price comes, and the difference with it.
        try write("- {provider: mine, model: m, input_usd_per_mtok: 2, usd_per_web_search: 0.5}\n")
        #expect(try client.request("POST", "/-/reload").status == 200)
        #expect(try client.request("POST", "/v1/prices/reprice").status == 200)
        #expect(sum(try server.metrics(), "costgauge_cost_usd_total") == 7)
        #expect(try client.post(call("c")).status == 200)
        #expect(sum(try server.metrics(), "costgauge_cost_usd_total") == 10.5)
        #expect(try alerts().count == 1)
    }

    @Test func `P4 an unknown price is told once, and booked once there is one`() throws {
        try write(row("known", "2"))
        var server = try start()
        let client = try server.client()
        #expect(try client.post(event("a", "known")).status == 200)
        #expect(try client.post(event("b", "new")).status == 200)
        #expect(try client.post(event("c", "new")).status == 200)
        var metrics = try server.metrics()
        #expect(sum(metrics, "costgauge_unpriced_events_total") == 2)
        #expect(sum(metrics, "costgauge_cost_usd_total") == 2)
        let alerts = try object(client.request("GET", "/v1/alerts?kind=unpriced_model").text)
        #expect((alerts["alerts"] as? [Any])?.count == 1)
        func firing() throws -> Int? {
            let path = "/v1/alerts?kind=unpriced_model&status=firing"
            return try (object(client.request("GET", path).text)["alerts"] as? [Any])?.count
        }
        func unpriced() throws -> [Int?] {
            let costs = try object(client.request("GET", "/v1/costs?group_by=provider,model").text)
            let month = try object(client.request("GET", "/v1/dashboard").text)["month"]
            let sums = [costs["total"], month].map { $0 as? [String: Any] }
            let rows = costs["costs"] as? [[String: Any]] ?? []
            return (sums + rows).map { $0?["unpriced_events"] as? Int }
        }
        #expect(try unpriced() == [2, 2, 0, 2])

        // Two prices change: one for a model that had none, one downward.
        try write(row("known", "0.5") + row("new", "3"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        let dry = try object(client.request("POST", "/v1/prices/reprice?dry_run=true").text)
        #expect(dry["adjusted"] as? Int == 3 && dry["still_unpriced"] as? Int == 0)
        let models = try #require(dry["models"] as? [[String: Any]])
        #expect(models.map { $0["difference_usd"] as? String } == ["6.00", "-1.50"])
        #expect(try server.metrics().ledger == metrics.ledger)
        #expect(try unpriced() == [2, 2, 0, 2] && firing() == 1)

        #expect(try client.request("POST", "/v1/prices/reprice").status == 200)
        #expect(try unpriced() == [0, 0, 0, 0] && firing() == 0)
        metrics = try server.metrics()
        #expect(sum(metrics, "costgauge_cost_usd_total") == 8)
        #expect(sum(metrics, "costgauge_cost_credit_usd_total") == 1.5)
        #expect(sum(metrics, "costgauge_requests_total") == 3)
        let again = try object(client.request("POST", "/v1/prices/reprice").text)
        #expect(again["adjusted"] as? Int == 0)
        #expect(try server.metrics().ledger == metrics.ledger)

        server.kill()
        server = try start()
        #expect(try server.metrics().ledger == metrics.ledger)
        let after = try object(server.client().request("POST", "/v1/prices/reprice").text)
        #expect(after["adjusted"] as? Int == 0)
    }

    @Test
    func `what was told of a model ends with its last call without a price, and can come again`()
        throws
    {
        try write(row("known", "2"))
        let server = try start()
        let client = try server.client()
        let now = Int(Date().timeIntervalSince1970)
        func send(_ id: String, _ model: String, days: Int = 0) throws {
            let event = event(id, model).dropLast() + ",\"timestamp\":\(now - days * 86_400)}"
            #expect(try client.post(String(event)).status == 200)
        }
        func alerts() throws -> [String] {
            let answer = try object(client.request("GET", "/v1/alerts?kind=unpriced_model").text)
            return try #require(answer["alerts"] as? [[String: Any]]).map { alert in
                let key = alert["dedup_key"] as? String ?? ""
                let number = key.split(separator: "/").dropFirst(4).joined()
                return "\(key.split(separator: "/")[2])\(number) \(alert["status"] ?? "")"
            }.sorted()
        }
        func reprice(_ query: String = "") throws -> [String: Any] {
            try object(client.request("POST", "/v1/prices/reprice" + query).text)
        }
        try send("a", "new", days: 2)
        try send("b", "new")
        try send("c", "other")
        #expect(try alerts() == ["new firing", "other firing"])
        // A price of nothing is a price.
        try write(row("known", "2") + row("new", "0"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        let since = Date(timeIntervalSince1970: Double(now - 86_400)).ISO8601Format()
        var report = try reprice("?since=\(since)")
        #expect(report["adjusted"] as? Int == 1 && report["still_unpriced"] as? Int == 1)
        // One of them is still without.
        #expect(try alerts() == ["new firing", "other firing"])
        report = try reprice()
        #expect(report["adjusted"] as? Int == 1 && report["still_unpriced"] as? Int == 1)
        #expect(try alerts() == ["new resolved", "other firing"])
        report = try reprice()
        #expect(report["adjusted"] as? Int == 0 && report["still_unpriced"] as? Int == 1)

        // The price is gone: what was booked stays, what comes is told again, once.
        try write(row("known", "2"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        report = try reprice()
        #expect(report["adjusted"] as? Int == 0 && report["still_unpriced"] as? Int == 1)
        try send("d", "new")
        try send("e", "new")
        #expect(try alerts() == ["new resolved", "new2 firing", "other firing"])
        server.kill()
        let again = try start()
        #expect(try again.client().post(event("f", "new")).status == 200)
        let firing = try object(
            again.client().request("GET", "/v1/alerts?kind=unpriced_model&status=firing").text)
        #expect((firing["alerts"] as? [Any])?.count == 2)
        let costs = try object(again.client().request("GET", "/v1/costs").text)
        #expect((costs["total"] as? [String: Any])?["unpriced_events"] as? Int == 4)
    }

    @Test func `pricing again that is asked for wrongly books nothing`() throws {
        try write(row("known", "2"))
        let server = try start()
        let client = try server.client()
        #expect(try client.post(event("a", "new")).status == 200)
        try write(row("known", "2") + row("new", "3"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        for (query, body, message) in [
            ("?dry_run=1", "", "dry_run: \"1\" is not true or false"),
            ("?dry_run", "", "dry_run: is empty; give it a value or leave it out"),
            ("?dry_run=true&dry_run=false", "", "dry_run: is there 2 times; it takes one value"),
            (
                "?dry_run=true", #"{"dry_run":false}"#,
                "dry_run: stands in the body and as a parameter; keep one"
            ),
            ("", #"{"dry_run":"true"}"#, "dry_run: must be true or false"),
            (
                "", #"{"since":20261101}"#,
                "since: it is no day such as 2026-11-20 and no RFC 3339 time"
            ),
            (
                "", #"{"until":"soon"}"#,
                "until: \"soon\" is no day such as 2026-11-20 and no RFC 3339 time"
            ),
            ("", #"{"dryrun":true}"#, "there is no \"dryrun\"; there are since, until, dry_run"),
            ("", #"{"dry_run":true,"dry_run":false}"#, "dry_run: stands there twice"),
            ("", "[]", "the body must be an object with since, until, dry_run"),
        ] {
            let answer = try client.request(
                "POST", "/v1/prices/reprice" + query, body: Array(body.utf8))
            let error = try object(answer.text)["error"] as? [String: Any]
            #expect(
                answer.status == 400 && error?["message"] as? String == message, "\(answer.text)")
        }
        #expect(try sum(server.metrics(), "costgauge_cost_usd_total") == 0)
        let body = #"{"since":null,"dry_run":false}"#
        #expect(
            try client.request("POST", "/v1/prices/reprice", body: Array(body.utf8)).status == 200)
        #expect(try sum(server.metrics(), "costgauge_cost_usd_total") == 3)
    }

    @Test func `a call that names no provider is booked where it was counted`() throws {
        try write(row("known", "2"))
        let server = try start()
        let client = try server.client()
        let sent = #"{"id":"a","model":"new","input_tokens":1000000}"#
        #expect(try client.post(sent).status == 200)
        try write(row("known", "2") + row("new", "3"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        #expect(try client.request("POST", "/v1/prices/reprice").status == 200)
        let costs = try object(client.request("GET", "/v1/costs?group_by=provider").text)
        let rows = try #require(costs["costs"] as? [[String: Any]])
        #expect(rows.count == 1 && rows[0]["provider"] as? String == "")
        #expect(rows[0]["cost_usd"] as? String == "3.00")
        #expect(rows[0]["events"] as? Int == 1 && rows[0]["unpriced_events"] as? Int == 0)
    }

    @Test func `P16 price files that cannot be read leave the last good prices in force`() throws {
        try write(row("known", "2"))
        let server = try start()
        let client = try server.client()
        try write(row("known", "-1"))
        #expect(try client.request("POST", "/-/reload").status == 500)
        #expect(
            try server.metrics()["costgauge_pricing_catalogue_last_reload_successful"] == "0")
        #expect(try client.post(event("a", "known")).status == 200)
        #expect(try sum(server.metrics(), "costgauge_cost_usd_total") == 2)
        try write(row("known", "4"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        #expect(
            try server.metrics()["costgauge_pricing_catalogue_last_reload_successful"] == "1")
        let prices = try object(client.request("GET", "/v1/prices?provider=mine").text)
        let rows = try #require(prices["prices"] as? [[String: Any]])
        #expect(rows.count == 1 && rows[0]["model"] as? String == "known")
        let usd = rows[0]["usd"] as? [String: String]
        #expect(usd?["input_cost_per_token"] == "0.000004")

        try write("- {provider: mine}\n")
        server.stop()
        #expect(throws: Costgauge.DidNotStart.self) { try start() }
    }

    @Test func `development costs nothing, an estimate is marked`() throws {
        try write(row("known", "2"))
        let development = try start(", profile: development")
        let sent = #"{"provider":"mine","model":"known","input_tokens":5,"cost_usd":3}"#
        #expect(try development.client().post(sent).status == 200)
        #expect(try sum(development.metrics(), "costgauge_cost_usd_total") == 0)
        #expect(try sum(development.metrics(), "costgauge_tokens_total") == 5)
        development.stop()
        let estimate = try start(", unknown: estimate")
        let openai = #"{"provider":"openai","model":"gpt-99","input_tokens":1000}"#
        #expect(try estimate.client().post(openai).status == 200)
        #expect(try sum(estimate.metrics(), "costgauge_cost_usd_total") > 0)
        estimate.stop()
    }

    @Test func `P5 a stored price holds from its day, survives a crash, and can be withdrawn`()
        throws
    {
        try write(row("known", "2"))
        var server = try start()
        var client = try server.client()
        func put(_ body: String, _ headers: [String: String] = [:]) throws -> TestHTTPClient.Answer
        {
            try client.request("PUT", "/v1/prices", headers: headers, body: Array(body.utf8))
        }
        let first =
            #"{"provider":"mine","model":"known","valid_from":"2026-01-01","input_usd_per_mtok":3}"#
        let answer = try put(first)
        #expect(try answer.status == 200 && object(answer.text)["stored"] as? Int == 1)
        let tag = try #require(answer.headers["etag"])
        // It hides the row of the file from its day on.
        let old = event("old", "known").dropLast() + #","timestamp":"2025-12-31T23:59:59Z"}"#
        let new = event("new", "known").dropLast() + #","timestamp":"2026-01-01T00:00:00Z"}"#
        #expect(try client.post(old + "\n" + new).status == 200)
        #expect(try sum(server.metrics(), "costgauge_cost_usd_total") == 5)

        let listed = try client.request("GET", "/v1/prices?list=api")
        #expect(listed.headers["etag"] == tag)
        let rows = try #require(try object(listed.text)["prices"] as? [[String: Any]])
        #expect(rows.count == 1 && rows[0]["valid_from"] as? String == "2026-01-01T00:00:00Z")

        // Nothing of a bad request is kept.
        let open =
            #"{"provider":"mine","model":"known","valid_from":"2027-01-01","input_usd_per_mtok":4}"#
        #expect(try put(open).status == 409)
        #expect(try put("[\(open.replacing("known", with: "x")),{\"model\":\"y\"}]").status == 400)
        #expect(try put("{}").status == 400)
        #expect(try put("[1]").status == 400)
        #expect(try client.request("GET", "/v1/prices?list=api").headers["etag"] == tag)

        // A scheduled rise, with the row before it ended.
        let ended = first.replacing("}", with: #","valid_to":"2026-12-31"}"#)
        #expect(try put("[\(ended),\(open)]", ["If-Match": "\"0000\""]).status == 412)
        #expect(try put(#"{"prices":[\#(ended),\#(open)]}"#, ["If-Match": tag]).status == 200)
        server.kill()
        server = try start()
        client = try server.client()
        func prices() throws -> Int? {
            try (object(client.request("GET", "/v1/prices?list=api").text)["prices"] as? [Any])?
                .count
        }
        #expect(try prices() == 2)
        #expect(try client.request("POST", "/-/reload").status == 200)
        #expect(try prices() == 2)
        let withdrawal =
            #"{"provider":"mine","model":"known","valid_from":"2027-01-01","withdrawn":true}"#
        #expect(try put(withdrawal).status == 200)
        #expect(try put(withdrawal).status == 404)
        let audit = try object(client.request("GET", "/v1/audit").text)
        let changes = try #require(audit["events"] as? [[String: Any]])
        #expect(
            changes.map { "\($0["event"] ?? "") \($0["target"] ?? "")" } == [
                "price_withdraw prices/mine/known", "price_store prices/mine/known",
                "price_store prices/mine/known", "price_store prices/mine/known",
            ])
        #expect((changes[0]["before"] as? [String: Any])?["input_usd_per_mtok"] as? String == "4")
        #expect(try prices() == 1)
    }

    @Test func `P4 an unknown model is refused when that is asked for`() throws {
        try write(row("known", "2"))
        let server = try start(", unknown: reject")
        let client = try server.client()
        let answer = try client.post(event("a", "known") + "\n" + event("b", "new"))
        #expect(answer.status == 200 && answer.text.contains(#""accepted":1"#))
        #expect(answer.text.contains(#""line":2,"index":1,"field":"model","reason":"unpriced""#))
        #expect(try client.post(event("c", "new")).status == 422)
        let metrics = try server.metrics()
        #expect(
            metrics[
                #"costgauge_ingest_events_total{source="http",outcome="rejected",reason="unpriced"}"#
            ]
                == "2")
        #expect(sum(metrics, "costgauge_unpriced_events_total") == 0)
        // Once there is a price, the same event is taken.
        let price = #"{"provider":"mine","model":"new","input_usd_per_mtok":1}"#
        #expect(
            try client.request("PUT", "/v1/prices", body: Array(price.utf8)).status == 200)
        #expect(try client.post(event("c", "new")).text.contains(#""accepted":1"#))
    }

    @Test func `the command line prices stored events again, and tells before it does`() throws {
        try write(row("known", "2"))
        let server = try start()
        let client = try server.client()
        #expect(try client.post(event("a", "known") + "\n" + event("b", "new")).status == 200)
        try write(row("known", "0.5") + row("new", "3"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        let before = try server.metrics().ledger
        func reprice(_ more: [String] = []) throws -> (code: Int32, output: String) {
            let run = try ChildProcess.run(
                Costgauge.executable,
                ["price", "--reprice", "--url=http://127.0.0.1:\(server.port)"] + more)
            return (run.status, run.output)
        }
        let dry = try reprice(["--dry-run", "--since=2026-01-01"])
        #expect(
            dry.output == """
                mine new: 1 events, $0.00 -> $3.00 (3.00)
                mine known: 1 events, $2.00 -> $0.50 (-1.50)
                2 events looked at, 2 with a difference, 0 still without a price
                nothing was changed

                """)
        #expect(try dry.code == 0 && server.metrics().ledger == before)
        let none = try reprice(["--until=2026-01-01"])
        #expect(none.output == "0 events looked at, 0 with a difference, 0 still without a price\n")
        let real = try reprice()
        #expect(
            real.code == 0 && real.output == dry.output.replacing("nothing was changed\n", with: "")
        )
        #expect(try sum(server.metrics(), "costgauge_cost_usd_total") == 5)
        #expect(try sum(server.metrics(), "costgauge_cost_credit_usd_total") == 1.5)
        let again = try reprice()
        #expect(
            again.output == "2 events looked at, 0 with a difference, 0 still without a price\n")
        #expect(try reprice(["--since=yesterday"]).code == 1)
    }
}
