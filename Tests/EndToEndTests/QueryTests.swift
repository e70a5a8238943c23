import Foundation
import TestSupport
import Testing

/// `/v1/costs`, `/v1/dashboard` and `/v1/forecast` of the real binary.
@Suite struct QueryTests {
    private let place = TemporaryDirectory()

    private func rows(_ answer: TestHTTPClient.Answer, _ key: String) throws -> [[String: Any]] {
        #expect(answer.status == 200, "\(answer.text)")
        return try answer.json()[key] as? [[String: Any]] ?? []
    }

    private func server() throws -> Costgauge {
        let server = try Costgauge(storage: place.path)
        let now = Int(Date().timeIntervalSince1970)
        let events = [
            #"{"tenant":"a","feature":"chat","model":"m1","cost_usd":"1.5","timestamp":\#(now)}"#,
            #"{"tenant":"a","feature":"search","model":"m1","cost_usd":"0.25","timestamp":\#(now)}"#,
            #"{"tenant":"b","feature":"chat","model":"m2","cost_usd":4,"timestamp":\#(now)}"#,
            #"{"tenant":"b","cost_usd":8,"timestamp":\#(now - 3 * 86_400),"status":"error"}"#,
        ]
        let answer = try server.client().post(events.joined(separator: "\n"))
        #expect(answer.status == 200, "\(answer.text)")
        return server
    }

    @Test func `costs are grouped, filtered, stepped and paged`() throws {
        let server = try server()
        let client = try server.client()
        let tenants = try rows(client.request("GET", "/v1/costs?group_by=tenant"), "costs")
        #expect(tenants.map { $0["tenant"] as? String } == ["b", "a"])
        #expect(tenants.map { $0["cost_usd"] as? String } == ["12.00", "1.75"])
        let all = try client.request("GET", "/v1/costs").json()
        #expect((all["total"] as? [String: Any])?["cost_usd"] as? String == "13.75")

        let failed = try rows(
            client.request("GET", "/v1/costs?group_by=status,tenant&status=error"), "costs")
        #expect(failed.map { $0["cost_usd"] as? String } == ["8.00"])
        let recent = try rows(
            client.request("GET", "/v1/costs?group_by=feature&since=2d&tenant=b"), "costs")
        #expect(recent.map { $0["feature"] as? String } == ["chat"])

        let days = try rows(client.request("GET", "/v1/costs?step=1d"), "costs")
        #expect(days.map { $0["cost_usd"] as? String } == ["8.00", "5.75"])

        var seen: [String] = []
        var cursor = ""
        repeat {
            let page = try client.request("GET", "/v1/costs?group_by=feature&limit=1" + cursor)
            seen += try rows(page, "costs").compactMap { $0["feature"] as? String }
            cursor = (try page.json()["next_cursor"] as? String).map { "&cursor=\($0)" } ?? ""
        } while !cursor.isEmpty
        #expect(seen == ["", "chat", "search"])
    }

    @Test
    func
        `spans that follow on one another count an event once, and the answer says which they are`()
        throws
    {
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        let base = Int(Date().timeIntervalSince1970) / 900 * 900 - 8 * 900
        let events = [(100, "10"), (500, "3")].map {
            #"{"tenant":"t","cost_usd":"\#($1)","timestamp":\#(base + $0)}"#
        }
        #expect(try client.post(events.joined(separator: "\n")).status == 200)
        func time(_ offset: Int) -> String {
            Date(timeIntervalSince1970: Double(base + offset)).ISO8601Format()
        }
        for (since, until, cost, from, to) in [
            (0, 900, "13.00", 0, 900), (0, 300, "0.00", 0, 0), (300, 900, "13.00", 0, 900),
            (200, 201, "0.00", 0, 0), (901, 1801, "0.00", 900, 1800),
        ] {
            let answer = try client.request(
                "GET", "/v1/costs?group_by=tenant&since=\(base + since)&until=\(base + until)"
            ).json()
            let total = answer["total"] as? [String: Any]
            #expect(total?["cost_usd"] as? String == cost, "\(since) \(until)")
            #expect(answer["since"] as? String == time(from))
            #expect(answer["until"] as? String == time(to))
            for source in [
                "--url=http://127.0.0.1:\(server.port)", "--storage.path=\(place.path)",
            ] {
                func report(_ format: String...) throws -> String {
                    try ChildProcess.run(
                        Costgauge.executable,
                        [
                            "report", source, "--since=\(time(since))", "--until=\(time(until))",
                        ] + format
                    ).output
                }
                let text = try report()
                let calls = cost == "13.00" ? 2 : 0
                #expect(
                    text.hasPrefix(
                        "Spend $\(cost) in \(calls) calls\n"
                            + "from \(time(from)), before \(time(to))\n"), "\(text)")
                #expect(
                    try report("--json").contains(
                        #","since":"\#(time(from))","until":"\#(time(to))","#))
            }
        }
    }

    @Test func `what a query cannot mean is refused by name`() throws {
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        for (path, word) in [
            ("/v1/costs?step=7m", "step"), ("/v1/costs?since=soon", "since"),
            ("/v1/costs?since=1d&until=2d", "since"), ("/v1/costs?limit=0", "limit"),
            ("/v1/costs?cursor=x", "cursor"), ("/v1/costs?nonsense=1", "nonsense"),
            ("/v1/dashboard?step=1d", "step"), ("/v1/forecast?cursor=-1", "cursor"),
            ("/v1/costs?tenant=a&tenant=b", "tenant: is there 2 times; it takes one value"),
            ("/v1/costs?since=1d&since=1d", "since: is there 2 times"),
            ("/v1/costs?tenant=", "tenant: is empty; give it a value or leave it out"),
            ("/v1/costs?group_by=tenant&since=", "since: is empty"),
            ("/v1/costs?status", "status: is empty"), ("/v1/dashboard?tenant=", "tenant: is empty"),
            ("/v1/budgets?tenant=a&tenant=b&tenant=b", "tenant: is there 3 times"),
            ("/v1/alerts?kind=anomaly&kind=test", "kind: is there 2 times"),
            ("/v1/explain?tenant=a&tenant=b", "tenant is there twice"),
        ] {
            let answer = try client.request("GET", path)
            #expect(answer.status == 400 && answer.text.contains(word), "\(path): \(answer.text)")
        }
        #expect(try client.request("GET", "/v1/forecast?budget=none").status == 404)
        #expect(try client.request("GET", "/v1/costs").status == 200)
        #expect(try client.request("GET", "/v1/costs?group_by=&cursor=").status == 200)
        #expect(try client.request("GET", "/v1/dashboard").status == 200)
    }

    @Test func `what is wrong with group_by is told one by one`() throws {
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        let all =
            "there are tenant, user, feature, agent, operation, provider, model, status, stage"
        for (groups, message) in [
            ("request", "\"request\" cannot be grouped by; \(all)"),
            ("user,tennant", "\"tennant\" cannot be grouped by; did you mean tenant? \(all)"),
            ("tenant,user,tenant", "\"tenant\" is named twice; name it once"),
            ("tenant,user,feature,agent", "names 4 dimensions; name up to 3"),
        ] {
            let answer = try client.request("GET", "/v1/costs?group_by=\(groups)")
            let error = try answer.json()["error"] as? [String: Any]
            #expect(answer.status == 400 && error?["code"] as? String == "bad_parameter")
            #expect(error?["message"] as? String == "group_by: \(message)", "\(answer.text)")
        }
        let most = try client.request("GET", "/v1/costs?group_by=tenant,user,feature")
        #expect(most.status == 200, "\(most.text)")
    }

    /// How often each thread has gone to sleep, by its name.
    private func sleeps(_ server: Costgauge) throws -> [String: Int] {
        let tasks = "/proc/\(server.child.process.processIdentifier)/task"
        var sleeps: [String: Int] = [:]
        for task in try FileManager.default.contentsOfDirectory(atPath: tasks) {
            let status = try String(contentsOfFile: "\(tasks)/\(task)/status", encoding: .utf8)
            func value(_ key: String) -> String? {
                status.split(separator: "\n").first { $0.hasPrefix(key + ":") }
                    .map { $0.dropFirst(key.count + 1).trimmingCharacters(in: .whitespaces) }
            }
            guard let name = value("Name") else { continue }
            sleeps[name] = value("voluntary_ctxt_switches").flatMap { Int($0) }
        }
        return sleeps
    }

    @Test func `a scrape does not wait for a query of roll-ups`() throws {
        let server = try server()
        _ = try server.metrics()
        let before = try sleeps(server)
        for path in ["/v1/costs?group_by=tenant,model,feature", "/v1/dashboard"] {
            for _ in 0..<20 { #expect(try server.client().request("GET", path).status == 200) }
        }
        let after = try sleeps(server)
        let (control, queries) = try (
            #require(after["control"]) - #require(before["control"]),
            #require(after["queries"]) - #require(before["queries"])
        )
        #expect(queries > 0)
        // Its one sleep may be that after the scrape.
        #expect(control <= 1)
    }

    @Test func `the dashboard and the forecast agree with the events`() throws {
        let server = try server()
        let client = try server.client()
        let dashboard = try client.request("GET", "/v1/dashboard").json()
        #expect((dashboard["today"] as? [String: Any])?["cost_usd"] as? String == "5.75")
        let days = dashboard["days"] as? [[String: Any]] ?? []
        #expect(days.count == 30 && days.last?["cost_usd"] as? String == "5.75")
        #expect(days.dropLast(3).last?["cost_usd"] as? String == "8.00")
        #expect((dashboard["hours"] as? [[String: Any]])?.count == 24)
        let top = dashboard["top"] as? [String: [[String: Any]]] ?? [:]
        #expect(top["feature"]?.first?["value"] as? String == "chat")
        #expect((dashboard["budgets"] as? [[String: Any]])?.isEmpty == false)
        let own = try client.request("GET", "/v1/dashboard?tenant=a").json()
        #expect((own["today"] as? [String: Any])?["cost_usd"] as? String == "1.75")

        let forecasts = try rows(
            client.request("GET", "/v1/forecast?budget=default-total&tenant=b"), "forecasts")
        #expect(forecasts.count == 1)
        let daily = forecasts.first?["daily"] as? [[String: Any]] ?? []
        #expect(daily.map { $0["cost_usd"] as? String } == ["8.00", "0.00", "0.00", "4.00"])
        #expect(forecasts.first?["confidence"] as? String == "low")
    }
}
