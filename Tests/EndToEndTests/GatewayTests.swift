import Foundation
import TestSupport
import Testing

/// `/v1/authz/...` by itself, and behind the real nginx and Envoy with the files of `deploy`.
@Suite struct GatewayTests {
    private let place = TemporaryDirectory()

    private static let configuration = """
        auth: {tokens: [{name: gateway, token: app-token-1, role: editor},
                        {name: acme, token: acme-token, role: editor, tenant: acme}]}
        budgets:
          - {name: tenant-daily, each: [tenant], period: day, limit_usd: 10, burn: false,
             enforce: {throttle_at: 0.8}}

        """

    private func start(_ text: String = Self.configuration) throws -> Costgauge {
        let file = try place.file("c.yaml", text)
        return try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
    }

    private func ask(
        _ server: Costgauge, _ method: String, _ path: String, _ headers: [String: String],
        token: String = "app-token-1"
    ) throws -> TestHTTPClient.Answer {
        try server.client().request(
            method, path, headers: headers.merging(["Authorization": "Bearer \(token)"]) { $1 })
    }

    private func spend(_ server: Costgauge, _ tenant: String, _ dollars: String) throws {
        let answer = try server.client().request(
            "POST", "/v1/events",
            headers: ["Content-Type": "application/json", "Authorization": "Bearer app-token-1"],
            body: Array(#"{"tenant":"\#(tenant)","cost_usd":\#(dollars)}"#.utf8))
        #expect(answer.status == 200, "\(answer.text)")
    }

    @Test func `a gateway's headers say whose call it is, and headers answer`() throws {
        let server = try start()
        try spend(server, "full", "10")
        try spend(server, "warm", "8.5")
        for (path, denied) in [("/v1/authz/envoy/chat?x=1", 429), ("/v1/authz/nginx", 403)] {
            for method in ["GET", "POST", "PATCH", "DELETE", "HEAD"] {
                let answer = try ask(server, method, path, ["X-Costgauge-Tenant": "new"])
                #expect(answer.status == 200, "\(method) \(path)")
                #expect(answer.headers["x-budget-decision"] == "allow")
                #expect(answer.headers["x-budget-name"] == "tenant-daily")
                #expect(answer.headers["x-budget-remaining-usd"] == "10.00")
            }
            let warm = try ask(
                server, "GET", path,
                ["X-Costgauge-Tenant": "warm ", "X-Costgauge-Cost-USD": "0.5"])
            #expect(warm.status == 200 && warm.headers["x-budget-decision"] == "throttle")
            #expect(warm.headers["x-budget-remaining-usd"] == "1.50")
            #expect(Double(warm.headers["x-budget-delay-seconds"] ?? "") ?? 0 > 0)
            let full = try ask(server, "GET", path, ["X-Costgauge-Tenant": "full"])
            #expect(full.status == denied && full.text.contains("budget_exceeded"))
            #expect(full.headers["x-budget-remaining-usd"] == "0.00")
            #expect(full.headers["x-budget-reason"] == "hard_limit")
            #expect(Int(full.headers["retry-after"] ?? "") ?? 0 > 0)
        }
        // Estimates are priced like those of a check.
        let priced = try ask(
            server, "GET", "/v1/authz/envoy",
            [
                "X-Costgauge-Tenant": "new", "X-Costgauge-Provider": "openai",
                "X-Costgauge-Model": "gpt-4o", "X-Costgauge-Input-Tokens": "1000000",
                "X-Costgauge-Max-Output-Tokens": "100000",
            ])
        #expect(priced.text.contains("\"estimate_usd\":\"3.50\""))
        let bad = ["X-Costgauge-Input-Tokens": "many"]
        #expect(try ask(server, "GET", "/v1/authz/envoy", bad).status == 400)
        #expect(try ask(server, "GET", "/v1/authz/nginx", bad).status == 403)
        // A token of one tenant asks for that tenant.
        let own = try ask(server, "GET", "/v1/authz/envoy", [:], token: "acme-token")
        #expect(own.status == 200 && own.headers["x-budget-remaining-usd"] == "10.00")
        let foreign = ["X-Costgauge-Tenant": "full"]
        #expect(
            try ask(server, "GET", "/v1/authz/envoy", foreign, token: "acme-token").status == 403)
        #expect(try server.client().request("GET", "/v1/authz/nginx").status == 401)
        #expect(try ask(server, "GET", "/v1/authz/other", [:]).status == 404)
        #expect(try ask(server, "GET", "/v1/authz/envoys", [:]).status == 404)
    }

    @Test func `only the headers of the configuration are read`() throws {
        let server = try start(
            Self.configuration
                + "authz: {headers: {tenant: X-Org, tags.team: X-Team, cost_usd: x-cost}}\n")
        try spend(server, "full", "10")
        for (headers, status) in [
            (["x-org": "full"], 429), (["x-costgauge-tenant": "full"], 200),
            (["x-org": "other", "x-cost": "10.01"], 429), (["x-org": "other", "x-team": "a"], 200),
        ] {
            let answer = try ask(server, "GET", "/v1/authz/envoy/v1/x", headers)
            #expect(answer.status == status, "\(headers): \(answer.text)")
        }
    }

    /// Starts a program that answers on `port` in some way.
    private func run(
        _ program: String, _ arguments: [String], port: UInt16
    ) throws -> ChildProcess {
        let child = try ChildProcess(program, arguments)
        let isUp = eventually {
            (try? TestHTTPClient(port: port, timeoutSeconds: 5).request("GET", "/")) != nil
        }
        #expect(isUp, "\(child.standardError)")
        return child
    }

    private func replaced(
        _ path: String, _ changes: [(from: String, to: String)]
    ) throws -> String {
        var text = try String(
            contentsOfFile: Costgauge.repository + "/deploy/" + path, encoding: .utf8)
        for (from, to) in changes {
            #expect(text.contains(from), "\(from)")
            text = text.replacing(from, with: to)
        }
        return text
    }

    @Test(.enabled(if: Peers.areInstalled, "make test installs the peers"))
    func `nginx lets calls through while the budget of their tenant does`() throws {
        let server = try start(Self.configuration.replacing(/auth: .*\n.*\n/, with: ""))
        let model = try RecordingReceiver { _, _ in .status(200, body: "from the model") }
        let port = Peers.freePort()
        let keys = try place.file("tenants", "\"Bearer sk-1\" acme;\n\"Bearer sk-2\" full;\n")
        let text = try replaced(
            "nginx/budget.conf",
            [
                ("/etc/nginx/costgauge.tenants;", "\(keys);"),
                ("127.0.0.1:10838", "127.0.0.1:\(server.port)"),
                ("127.0.0.1:4000", "127.0.0.1:\(model.port)"),
                ("listen 8080", "listen 127.0.0.1:\(port)"),
            ])
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(place.path)/\($0);"
        }.joined(separator: " ")
        let file = try place.file(
            "nginx.conf",
            """
            daemon off; master_process off; pid \(place.path)/pid; error_log stderr;
            events {}
            http { access_log off; \(temporary)
            \(text)
            }
            """)
        let nginx = try #require(Peers.nginx)
        let test = try ChildProcess.run(nginx, ["-t", "-e", "stderr", "-c", file])
        #expect(test.status == 0, "\(test.errors)")
        let child = try run(nginx, ["-e", "stderr", "-c", file], port: port)
        defer {
            child.signal(SIGKILL)
            child.wait()
        }
        let spent = try server.client().post(#"{"tenant":"full","cost_usd":10}"#)
        #expect(spent.status == 200)
        func call(_ key: String) throws -> TestHTTPClient.Answer {
            try TestHTTPClient(port: port).request(
                "POST", "/v1/chat/completions",
                headers: [
                    "Authorization": "Bearer \(key)", "X-Costgauge-Tenant": "acme",
                    "Origin": "https://elsewhere.example",
                ], body: Array("a long question".utf8))
        }
        let good = try call("sk-1")
        #expect(good.status == 200 && good.text == "from the model")
        #expect(good.headers["x-budget-name"] == "tenant-daily")
        #expect(good.headers["x-budget-remaining-usd"] == "10.00")
        // Its header cannot make another tenant of it.
        let denied = try call("sk-2")
        #expect(denied.status == 429 && denied.text.contains("tenant-daily"), "\(denied.text)")
        #expect(Int(denied.headers["retry-after"] ?? "") ?? 0 > 0)
        #expect(try call("sk-3").status == 401)
        #expect(model.all.count == 1 && model.all[0].text == "a long question")
        server.kill()
        #expect(try call("sk-2").status == 200)
    }

    @Test(.enabled(if: Peers.areInstalled, "make test installs the peers"))
    func `Envoy lets calls through while the budget of their tenant does`() throws {
        let server = try start()
        try spend(server, "full", "10")
        let model = try RecordingReceiver { _, _ in .status(200, body: "from the model") }
        let port = Peers.freePort()
        let file = try place.file(
            "envoy.yaml",
            try replaced(
                "envoy/budget.yaml",
                [
                    ("Bearer TOKEN", "Bearer app-token-1"),
                    ("port_value: 10838", "port_value: \(server.port)"),
                    ("port_value: 4000", "port_value: \(model.port)"),
                    ("port_value: 8080", "port_value: \(port)"),
                ]))
        let child = try run(
            try #require(Peers.envoy),
            ["-c", file, "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"], port: port)
        defer {
            child.signal(SIGKILL)
            child.wait()
        }
        func call(_ tenant: String) throws -> TestHTTPClient.Answer {
            try TestHTTPClient(port: port).request(
                "POST", "/v1/chat/completions",
                headers: [
                    "Host": "gateway.example.com", "Authorization": "Bearer sk-1",
                    "X-Costgauge-Tenant": tenant,
                ], body: Array("a long question".utf8))
        }
        let good = try call("acme")
        #expect(good.status == 200 && good.text == "from the model", "\(good.text)")
        #expect(good.headers["x-budget-remaining-usd"] == "10.00")
        let seen = try #require(model.all.last)
        #expect(seen.text == "a long question" && seen.headers["x-budget-decision"] == "allow")
        // The client's key reaches the model, the token only costgauge.
        #expect(seen.headers["authorization"] == "Bearer sk-1")
        let denied = try call("full")
        #expect(denied.status == 429 && denied.text.contains("budget_exceeded"))
        #expect(denied.headers["x-budget-name"] == "tenant-daily")
        #expect(Int(denied.headers["retry-after"] ?? "") ?? 0 > 0)
        let count = model.all.count
        server.kill()
        #expect(try call("full").status == 200 && model.all.count == count + 1)
    }
}
