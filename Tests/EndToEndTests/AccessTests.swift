import Foundation
import TestSupport
import Testing

/// Tokens, roles and tenants of the real binary.
@Suite struct AccessTests {
    private let place = TemporaryDirectory()

    private static let configuration = """
        auth:
          tokens:
            - {name: root, token: root-token, role: admin}
            - {name: app, token: app-token-1, role: editor}
            - {name: see, token: see-token-1, role: viewer}
            - {name: acme, token: acme-token, role: editor, tenant: acme}
        budgets:
          - {name: per-tenant, each: [tenant], limit_usd: 10, enforce: {}}
          - {name: everything, limit_usd: 20, enforce: {}}

        """

    private func start(_ arguments: [String] = []) throws -> Costgauge {
        let file = try place.file("c.yaml", Self.configuration)
        return try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"] + arguments)
    }

    private func ask(
        _ server: Costgauge, _ method: String, _ path: String, _ token: String?,
        _ body: String? = nil
    ) throws -> TestHTTPClient.Answer {
        var headers = ["Content-Type": "application/json"]
        if let token { headers["Authorization"] = "Bearer \(token)" }
        return try server.client().request(
            method, path, headers: headers, body: body.map { Array($0.utf8) })
    }

    @Test func `P15 each path wants its role and says which`() throws {
        let server = try start()
        let event = #"{"tenant":"b","cost_usd":1}"#
        for (method, path, token, body, status) in [
            ("GET", "/v1/costs", nil, nil, 401), ("GET", "/v1/costs", "wrong-token", nil, 401),
            ("GET", "/v1/costs", "see-token-1", nil, 200), ("GET", "/-/healthy", nil, nil, 200),
            ("GET", "/-/ready", nil, nil, 200), ("GET", "/metrics", nil, nil, 200),
            ("POST", "/v1/events", "see-token-1", event, 403),
            ("POST", "/v1/events", "app-token-1", event, 200),
            ("POST", "/v1/check", "see-token-1", event, 403),
            ("POST", "/-/reload", "app-token-1", nil, 403),
            ("POST", "/v1/scopes/tenant/b/pause", "app-token-1", nil, 403),
            ("POST", "/v1/scopes/tenant/b/pause", "root-token", nil, 200),
            ("GET", "/v1/scopes", "root-token", nil, 200),
            ("POST", "/-/reload", "root-token", nil, 200),
        ] as [(String, String, String?, String?, Int)] {
            let answer = try ask(server, method, path, token, body)
            #expect(answer.status == status, "\(method) \(path): \(answer.text)")
            if status == 401 { #expect(answer.headers["www-authenticate"] != nil) }
            if status == 403 { #expect(answer.text.contains("needs the role")) }
        }
        #expect(!server.child.standardError.contains("token-1"))
    }

    @Test func `P15 a tenant's token sees and changes nothing of another tenant`() throws {
        let server = try start()
        let events = (1...3).map {
            #"{"tenant":"\#($0 == 1 ? "acme" : "other")","cost_usd":\#($0)}"#
        }
        #expect(
            try ask(server, "POST", "/v1/events", "app-token-1", events.joined(separator: "\n"))
                .status == 200)
        // Its own: filled in where it is missing. Another's: refused.
        let own = try ask(server, "POST", "/v1/events", "acme-token", #"{"cost_usd":"0.5"}"#)
        #expect(own.status == 200)
        for tenant in ["other", "oth\\u0065r"] {
            let foreign = try ask(
                server, "POST", "/v1/events", "acme-token", #"{"tenant":"\#(tenant)","cost_usd":1}"#
            )
            #expect(foreign.status == 422 && foreign.text.contains("foreign_tenant"))
        }
        for path in ["/v1/costs?group_by=tenant", "/v1/dashboard", "/v1/forecast", "/v1/budgets"] {
            let answer = try ask(server, "GET", path, "acme-token")
            #expect(answer.status == 200 && answer.text.contains("1.50"), "\(path): \(answer.text)")
            #expect(
                !answer.text.contains("other") && !answer.text.contains("everything"), "\(path)")
            let mark = path.contains("?") ? "&" : "?"
            for query in ["tenant=other", "tenant=acme&tenant=other", "tenant="] {
                let foreign = try ask(server, "GET", path + mark + query, "acme-token")
                #expect(foreign.status == 403, "\(path) \(query)")
            }
        }
        for path in [
            "/metrics", "/v1/alerts", "/v1/deliveries", "/v1/scopes", "/v1/alerts/x",
        ] {
            #expect(try ask(server, "GET", path, "acme-token").status == 403, "\(path)")
        }
        for path in ["/-/reload", "/v1/traces", "/v1/litellm", "/v1/scopes/tenant/acme/pause"] {
            #expect(try ask(server, "POST", path, "acme-token", "{}").status == 403, "\(path)")
        }
        #expect(
            try ask(server, "POST", "/v1/check", "acme-token", #"{"tenant":"other"}"#).status == 403
        )
        // A global budget shows a tenant its name alone.
        let denied = try ask(server, "POST", "/v1/check", "acme-token", #"{"cost_usd":"18"}"#)
        #expect(denied.status == 429 && !denied.text.contains("6.50"), "\(denied.text)")
        let reserved = try ask(
            server, "POST", "/v1/reservations", "app-token-1",
            #"{"tenant":"other","id":"theirs","cost_usd":1}"#)
        #expect(reserved.status == 200)
        #expect(try ask(server, "DELETE", "/v1/reservations/theirs", "acme-token").status == 404)
        #expect(
            try ask(
                server, "POST", "/v1/reservations/theirs/settle", "acme-token", #"{"cost_usd":1}"#
            ).status == 404)
        #expect(try ask(server, "DELETE", "/v1/reservations/theirs", "app-token-1").status == 200)
    }

    @Test func `P15 the network is listened to only with tokens`() throws {
        let open = "web: {listen: \"0.0.0.0:10838\"}\n"
        for (text, status) in [
            (open, 2), (Self.configuration + open, 0),
            ("auth: {allow_anonymous: true}\n" + open, 0),
        ] as [(String, Int32)] {
            let file = try place.file("n.yaml", text)
            let child = try ChildProcess(Costgauge.executable, ["check-config", file])
            #expect(child.wait() == status, "\(text)")
        }
    }

    @Test func `a paused value is denied until it is unpaused, across a restart`() throws {
        let server = try start()
        let call = #"{"tenant":"b","cost_usd":1}"#
        #expect(try ask(server, "POST", "/v1/check", "app-token-1", call).status == 200)
        let paused = try ask(
            server, "POST", "/v1/scopes/tenant/b/pause", "root-token", #"{"reason":"a loop"}"#)
        #expect(paused.status == 200 && paused.text.contains("a loop"))
        #expect(try ask(server, "POST", "/v1/reservations", "app-token-1", call).status == 429)
        server.kill()
        let second = try start()
        let denied = try ask(second, "POST", "/v1/check", "app-token-1", call)
        #expect(denied.status == 429 && denied.text.contains("tenant b is paused: a loop"))
        let metrics = try Metrics(ask(second, "GET", "/metrics", "root-token").text)
        #expect(metrics["costgauge_scope_paused{dimension=\"tenant\",value=\"b\"}"] == "1")
        #expect(try ask(second, "POST", "/v1/scopes/tenant/b/unpause", "root-token").status == 200)
        #expect(try ask(second, "POST", "/v1/scopes/tenant/b/unpause", "root-token").status == 404)
        #expect(try ask(second, "POST", "/v1/check", "app-token-1", call).status == 200)
        #expect(try ask(second, "POST", "/v1/scopes/nothing/b/pause", "root-token").status == 404)
    }

    @Test func `P15 a tenant reads why it is paused, not why something else is`() throws {
        let server = try start()
        func pause(_ scope: String, _ reason: String) throws {
            let answer = try ask(
                server, "POST", "/v1/scopes/\(scope)/pause", "root-token",
                #"{"reason":"\#(reason)"}"#)
            #expect(answer.status == 200)
        }
        func denial(_ path: String, _ token: String, _ call: String) throws -> String {
            let answer = try ask(server, "POST", path, token, call)
            #expect(answer.status == 429 && answer.text.contains("scope_paused"))
            return answer.text
        }
        try pause("model/m", "eve of other runs a loop")
        let call = #"{"tenant":"acme","model":"m","cost_usd":"0.01"}"#
        for path in ["/v1/check", "/v1/reservations"] {
            let text = try denial(path, "acme-token", call)
            #expect(text.contains("\"model m is paused\"") && !text.contains("eve"), "\(text)")
            #expect(
                try denial(path, "app-token-1", call).contains(
                    "model m is paused: eve of other runs a loop"))
        }
        #expect(try ask(server, "POST", "/v1/scopes/model/m/unpause", "root-token").status == 200)
        try pause("tenant/acme", "ask finance")
        #expect(
            try denial("/v1/check", "acme-token", call).contains(
                "tenant acme is paused: ask finance"))
    }

    @Test func `spend past limit and grace pauses its tenant once, and is told`() throws {
        let file = try place.file(
            "p.yaml",
            """
            budgets:
              - {name: strict, each: [tenant], limit_usd: 10, burn: false,
                 enforce: {grace: 0.1, auto_pause: true}}
            alerts: {receivers: [{name: console, type: log}]}

            """)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        let client = try server.client()
        #expect(try client.post(#"{"tenant":"a","cost_usd":11}"#).status == 200)
        #expect(try client.request("GET", "/v1/scopes").json()["scopes"] as? [String] == [])
        #expect(try client.post(#"{"tenant":"a","cost_usd":"0.01"}"#).status == 200)
        let scopes = try client.request("GET", "/v1/scopes").json()["scopes"] as? [[String: Any]]
        #expect(scopes?.count == 1 && scopes?.first?["budget"] as? String == "strict")
        #expect(try client.post(#"{"tenant":"a","cost_usd":"0.01"}"#).status == 200)
        let alerts = try client.request("GET", "/v1/alerts?kind=budget_paused").json()
        #expect((alerts["alerts"] as? [Any])?.count == 1)
        let check = try client.post(#"{"tenant":"a"}"#, to: "/v1/check")
        #expect(check.status == 429 && check.text.contains("scope_paused"))
        #expect(try client.post(#"{"tenant":"b"}"#, to: "/v1/check").status == 200)
    }

    @Test func `the command line shows its token to a server that asks for one`() throws {
        let server = try start()
        func run(_ token: String?, _ arguments: [String], _ input: String? = nil) throws -> (
            status: Int32, output: String, errors: String
        ) {
            var arguments = arguments + ["--url=http://127.0.0.1:\(server.port)"]
            if let token {
                arguments.append("--token-file=\(try place.file("token", token + "\n"))")
            }
            return try ChildProcess.run(Costgauge.executable, arguments, input: input)
        }
        let events = #"{"id":"1","tenant":"acme","cost_usd":2}"# + "\n"
        #expect(try run(nil, ["ingest", "-"], events).errors.contains("401"))
        #expect(try run("app-token-1", ["ingest", "-"], events).status == 0)
        #expect(try run(nil, ["report"]).status == 2)
        let all = try run("see-token-1", ["report"])
        #expect(all.status == 0 && all.output.contains("$2.00"))
        let own = try run("acme-token", ["report"])
        #expect(own.status == 0 && own.output.contains("$2.00"))
        #expect(
            try run("see-token-1", ["price", "--reprice"]).errors.contains("needs the role admin"))
        #expect(try run("root-token", ["price", "--reprice"]).status == 0)
        #expect(try run("", ["report"]).errors.contains("holds no token"))
    }
}
