import Foundation
import TestSupport
import Testing

/// Budgets of the API, limits of single scopes and resets, on the real binary.
@Suite final class BudgetAdministrationTests {
    private let place = TemporaryDirectory()
    private var server: Costgauge
    private let arguments: [String]

    private static let configuration = """
        budgets:
          - {name: file, each: [tenant], period: day, limit_usd: 10, burn: false, enforce: {}}

        """

    init() throws {
        let file = try place.file("c.yaml", Self.configuration)
        arguments = ["--config.file=\(file)"]
        server = try Costgauge(storage: place.path + "/data", arguments: arguments)
    }

    private func ask(
        _ method: String, _ path: String, _ body: String? = nil, _ headers: [String: String] = [:]
    ) throws -> TestHTTPClient.Answer {
        try server.client().request(
            method, path,
            headers: ["Content-Type": "application/json"].merging(headers) { $1 },
            body: body.map { Array($0.utf8) })
    }

    private func restart() throws {
        server.kill()
        server = try Costgauge(storage: place.path + "/data", arguments: arguments)
    }

    private func spend(_ tenant: String, _ dollars: String) throws {
        let event = #"{"tenant":"\#(tenant)","cost_usd":\#(dollars)}"#
        #expect(try ask("POST", "/v1/events", event).status == 200)
    }

    /// Of the tightest budget for a call of that tenant.
    private func check(_ tenant: String) throws -> (limit: String?, spent: String?) {
        let json = try ask("POST", "/v1/check", #"{"tenant":"\#(tenant)","cost_usd":0}"#).json()
        let error = json["error"] as? [String: Any]
        let budget = (json["budget"] ?? error?["budget"]) as? [String: Any]
        return (budget?["limit_usd"] as? String, budget?["spent_usd"] as? String)
    }

    private func audit() throws -> [String] {
        let events = try ask("GET", "/v1/audit").json()["events"] as? [[String: Any]]
        return (events ?? []).compactMap { $0["event"] as? String }
    }

    @Test func `a budget is made, counts what was spent before, survives a crash, and is deleted`()
        throws
    {
        try spend("acme", "3")
        let body =
            #"{"each":["tenant"],"period":"month","limit_usd":"4","burn":false,"enforce":{}}"#
        let made = try ask("PUT", "/v1/budgets/api", body, ["If-None-Match": "*"])
        #expect(made.status == 201 && made.headers["etag"] == "\"1\"", "\(made.text)")
        #expect(try check("acme") == ("4.00", "3.00"))
        try restart()
        #expect(try check("acme") == ("4.00", "3.00"))
        let read = try ask("GET", "/v1/budgets/api")
        let json = try read.json()
        #expect(json["source"] as? String == "api" && read.headers["etag"] == "\"1\"")
        let definition = try #require(json["definition"] as? [String: Any])
        let text = String(
            decoding: try JSONSerialization.data(withJSONObject: definition), as: UTF8.self)
        #expect(try ask("PUT", "/v1/budgets/api", text, ["If-Match": "\"1\""]).status == 200)
        #expect(try ask("PUT", "/v1/budgets/api", text, ["If-Match": "\"1\""]).status == 412)
        #expect(try ask("PUT", "/v1/budgets/api", text, ["If-None-Match": "*"]).status == 412)
        #expect(try ask("GET", "/v1/budgets/api").headers["etag"] == "\"2\"")
        #expect(try ask("DELETE", "/v1/budgets/api", nil, ["If-Match": "\"1\""]).status == 412)
        #expect(try ask("DELETE", "/v1/budgets/api", nil, ["If-Match": "\"2\""]).status == 204)
        #expect(try ask("GET", "/v1/budgets/api").status == 404)
        #expect(try check("acme").limit == "10.00")
        #expect(try audit() == ["budget_delete", "budget_update", "budget_create"])
        try restart()
        #expect(try check("acme").limit == "10.00")
    }

    @Test func `the file's budgets are read-only, and a reload keeps those of the API`() throws {
        let body = #"{"limit_usd":4}"#
        for method in ["PUT", "DELETE"] {
            let answer = try ask(method, "/v1/budgets/file", method == "PUT" ? body : nil)
            #expect(answer.status == 409 && answer.text.contains("read_only"))
        }
        #expect(try ask("GET", "/v1/budgets/file").json()["source"] as? String == "file")
        #expect(try ask("PUT", "/v1/budgets/api", body).status == 201)
        #expect(try ask("POST", "/-/reload").status == 200)
        #expect(try ask("GET", "/v1/budgets/api").status == 200)
        _ = try place.file(
            "c.yaml", Self.configuration + "  - {name: api, limit_usd: 77, burn: false}\n")
        #expect(try ask("POST", "/-/reload").status == 200)
        #expect(try ask("GET", "/v1/budgets/api").json()["source"] as? String == "file")
        #expect(try ask("PUT", "/v1/budgets/api", body).status == 409)
        _ = try place.file("c.yaml", Self.configuration)
        #expect(try ask("POST", "/-/reload").status == 200)
        #expect(try ask("GET", "/v1/budgets/api").json()["source"] as? String == "api")
    }

    @Test func `P14 a budget that says nothing sensible is refused with every fault`() throws {
        for (body, word) in [
            ("{}", "limit_usd"), (#"{"limit_usd":-1}"#, "limit_usd"), ("[]", "object"),
            (#"{"limit_usd":1,"name":"other"}"#, "name"),
            (#"{"limit_usd":1,"colour":"red"}"#, "colour"),
            (#"{"limit_usd":1,"period":"day","rolling":"24h"}"#, "rolling"), ("{", "malformed"),
        ] {
            let answer = try ask("PUT", "/v1/budgets/api", body)
            #expect(answer.status == 400 && answer.text.contains(word), "\(body): \(answer.text)")
        }
        #expect(try ask("PUT", "/v1/budgets/a%20b", #"{"limit_usd":1}"#).status == 400)
        #expect(try audit().isEmpty)
    }

    @Test func `one scope's limit is set for a while, also of a budget of the file`() throws {
        try spend("acme co", "9.5")
        let path = "/v1/budgets/file/scopes/tenant=acme%20co"
        let until = Date.now.addingTimeInterval(3600).formatted(.iso8601)
        let set = try ask(
            "PUT", path, #"{"limit_usd":"25.5","until":"\#(until)","reason":"launch"}"#)
        #expect(set.status == 200, "\(set.text)")
        #expect(try check("acme co").limit == "25.50" && check("other").limit == "10.00")
        try restart()
        #expect(try check("acme co").limit == "25.50")
        let limits = try ask("GET", "/v1/budgets/file").json()["limits"] as? [[String: Any]]
        #expect(limits?.first?["scope"] as? String == "tenant=acme%20co")
        #expect(limits?.first?["until"] as? String == until)
        // The whole text percent-encoded is the same scope.
        let encoded = "/v1/budgets/file/scopes/tenant%3Dacme%2520co"
        #expect(try ask("DELETE", encoded).status == 204)
        #expect(try check("acme co").limit == "10.00")
        #expect(try ask("DELETE", path).status == 404)
        #expect(try audit() == ["scope_limit_delete", "scope_limit_set"])
        for (body, status) in [
            (#"{"limit_usd":0}"#, 400), (#"{"limit_usd":"x"}"#, 400), ("{}", 400),
            (#"{"limit_usd":1,"until":"2020-01-01T00:00:00Z"}"#, 400),
            (#"{"limit_usd":1,"until":"soon"}"#, 400), (#"{"limit_usd":1,"colour":1}"#, 400),
        ] {
            #expect(try ask("PUT", path, body).status == status, "\(body)")
        }
        for wrong in ["/v1/budgets/file/scopes/all", "/v1/budgets/file/scopes/user=x"] {
            let answer = try ask("PUT", wrong, #"{"limit_usd":1}"#)
            #expect(answer.status == 404 && answer.text.contains("tenant=VALUE"))
        }
        #expect(
            try ask("PUT", "/v1/budgets/none/scopes/all", #"{"limit_usd":1}"#).status == 404)
    }

    @Test func `a reset lets calls through again and leaves the ledger alone`() throws {
        try spend("acme", "12")
        try spend("other", "5")
        let call = #"{"tenant":"acme","cost_usd":1}"#
        #expect(try ask("POST", "/v1/check", call).status == 429)
        let reset = try ask("POST", "/v1/budgets/file/scopes/tenant=acme/reset", #"{"reason":"x"}"#)
        #expect(try reset.json()["spent_before_usd"] as? String == "12.00")
        #expect(try ask("POST", "/v1/check", call).status == 200)
        #expect(try check("other").spent == "5.00")
        try restart()
        #expect(try check("acme").spent == "0.00" && check("other").spent == "5.00")
        let costs = try ask("GET", "/v1/costs?group_by=tenant").text
        #expect(costs.contains("\"12.00\""))
        #expect(try ask("POST", "/v1/budgets/file/reset").status == 200)
        #expect(try check("other").spent == "0.00")
        #expect(try ask("POST", "/v1/budgets/none/reset").status == 404)
        #expect(try audit() == ["budget_reset", "scope_reset"])
    }

    @Test func `rolling and conversation budgets are shown for what they are`() throws {
        #expect(
            try ask("PUT", "/v1/budgets/day", #"{"rolling":"24h","limit_usd":5}"#).status == 201)
        let talk = #"{"each":["conversation"],"limit_usd":2,"enforce":{}}"#
        #expect(try ask("PUT", "/v1/budgets/talk", talk).status == 201)
        let event = #"{"tenant":"a","conversation":"c 1","cost_usd":2}"#
        #expect(try ask("POST", "/v1/events", event).status == 200)
        let call = #"{"tenant":"a","conversation":"c 1","cost_usd":1}"#
        #expect(try ask("POST", "/v1/check", call).status == 429)
        let budgets = try ask("GET", "/v1/budgets?budget=day").json()["budgets"] as? [[String: Any]]
        #expect(budgets?.first?["period"] as? String == "rolling")
        #expect(budgets?.first?["window_seconds"] as? Int == 86_400)
        let page = try server.metrics()
        #expect(page[#"costgauge_budget_spent_usd{budget="day"}"#] == "2")
        #expect(page[#"costgauge_budget_period_end_timestamp_seconds{budget="day"}"#] == nil)
        #expect(!page.samples.keys.contains { $0.contains("talk") && $0.contains("spent") })
    }
}

extension BudgetAdministrationTests {
    /// Spend and limit of each budget, and the metrics of them, in one answer each.
    private func standing() throws -> [String] {
        let list = try ask("GET", "/v1/budgets").json()["budgets"] as? [[String: Any]] ?? []
        let rows = list.map {
            "\($0["name"] ?? "") \($0["spent_usd"] ?? "") of \($0["limit_usd"] ?? "")"
        }
        let samples = try server.metrics().family("costgauge_budget_")
            .filter { !$0.key.contains("timestamp") }
        return rows.sorted() + samples.map { "\($0.key) \($0.value)" }.sorted()
    }

    @Test func `the first answer after a crash tells what the last one before it told`() throws {
        for (name, body) in [
            ("week", #"{"each":["tenant"],"rolling":"7d","limit_usd":80,"burn":false}"#),
            ("carry", #"{"period":"day","rollover":{"cap":0.5},"limit_usd":100,"burn":false}"#),
        ] {
            #expect(try ask("PUT", "/v1/budgets/\(name)", body).status == 201)
        }
        try spend("a", "1")
        // The last hour of yesterday in UTC: late for the day, and within the week.
        let late = (Int(Date.now.timeIntervalSince1970) / 86_400) * 86_400 - 1800
        let event = #"{"tenant":"a","cost_usd":49,"timestamp":\#(late)}"#
        #expect(try ask("POST", "/v1/events", event).status == 200)
        let before = try standing()
        #expect(before.contains("week 50.00 of 80.00") && before.contains("carry 1.00 of 100.00"))
        for _ in 0..<2 {
            try restart()
            #expect(try standing() == before)
        }
        #expect(server.stop() == 0)
        server = try Costgauge(storage: place.path + "/data", arguments: arguments)
        #expect(try standing() == before)
    }

    @Test func `an alert that a reload ends says what ended it`() throws {
        try spend("acme", "9.5")
        func reload(_ text: String) throws -> String? {
            _ = try place.file("c.yaml", text)
            #expect(try ask("POST", "/-/reload").status == 200)
            let alerts = try ask("GET", "/v1/alerts?kind=budget_threshold").json()["alerts"]
            return (alerts as? [[String: Any]])?.first?["resolution"] as? String
        }
        #expect(try reload(Self.configuration) == nil)
        #expect(
            try reload(Self.configuration.replacing("burn: false", with: "thresholds: [0.5]"))
                == "threshold 0.9 is no longer configured")
        try spend("other", "6")
        #expect(
            try reload(Self.configuration.replacing("limit_usd: 10", with: "limit_usd: 15"))
                == "the limit was raised to $15.00, of which $6.00 is used")
    }

    @Test func `a budget that is new at a start reads the past once, also when no events follow`()
        throws
    {
        try spend("acme", "3")
        #expect(server.stop() == 0)
        _ = try place.file(
            "c.yaml",
            Self.configuration
                + "  - {name: new, each: [tenant], limit_usd: 5, burn: false, enforce: {}}\n")
        for start in 0..<3 {
            server = try Costgauge(storage: place.path + "/data", arguments: arguments)
            #expect(try check("acme") == ("5.00", "3.00"), "start \(start)")
            #expect(server.stop() == 0)
            // A start that reads the past again finds none.
            let emptied = try ChildProcess.run(
                "/usr/bin/env",
                [
                    "sqlite3", place.path + "/data/costgauge.db",
                    "delete from rollups; delete from spend_sums",
                ])
            try #require(emptied.status == 0, "\(emptied.errors)")
        }
    }
}
