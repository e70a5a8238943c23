import Foundation
import TestSupport
import Testing

/// `/openapi.json` (Sources/Web/openapi.json) and what the server really answers.
@Suite struct OpenAPITests {
    private let place = TemporaryDirectory()

    private func start() throws -> Costgauge {
        let file = try place.file(
            "c.yaml",
            """
            budgets:
              - {name: per-tenant, each: [tenant], limit_usd: 10, enforce: {}}
            alerts: {receivers: [{name: console, type: log}]}

            """)
        return try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
    }

    /// Each path with the methods that the document has for it.
    private func documented(_ server: Costgauge) throws -> [String: Set<String>] {
        let answer = try server.client().request("GET", "/openapi.json")
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
        let paths = try answer.json()["paths"] as? [String: [String: Any]] ?? [:]
        return paths.mapValues { Set($0.keys.map { $0.uppercased() }) }
    }

    /// Each path with the methods that the server allows, as its own answers tell.
    private func served(_ server: Costgauge) throws -> [String: Set<String>] {
        let unknown = try server.client().request("GET", "/no/such/path").json()
        let message = (unknown["error"] as? [String: Any])?["message"] as? String ?? ""
        let list = try #require(message.components(separatedBy: "there are ").last)
        var served: [String: Set<String>] = [:]
        for path in list.components(separatedBy: ", ") {
            let one = path.replacing(/{[a-z]+}/, with: "x")
            let answer = try server.client().request("TRACE", one)
            let allow = answer.headers["allow"]?.components(separatedBy: ", ") ?? []
            served[path] = Set(allow).subtracting(["HEAD"])
        }
        return served
    }

    @Test func `every path and method is in the document, and no other`() throws {
        let server = try start()
        let (documented, served) = (try documented(server), try served(server))
        #expect(served.count > 40)
        let missing = Set(served.keys).subtracting(documented.keys).sorted()
        let surplus = Set(documented.keys).subtracting(served.keys).sorted()
        #expect(missing == [], "write them into Sources/Web/openapi.json")
        #expect(surplus == [], "take them out of Sources/Web/openapi.json")
        // Gateways send the method of the call that they ask about, whichever that is.
        for (path, methods) in served where !path.hasPrefix("/v1/authz/") {
            #expect(documented[path] == methods, "\(path)")
        }
    }

    @Test func `every reference of the document leads somewhere`() throws {
        let server = try start()
        let document = try server.client().request("GET", "/openapi.json")
        let json = try document.json()
        let references = Set(
            document.text.matches(of: /"\$ref": "#\/([^"]+)"/).map { String($0.1) })
        #expect(references.count > 20)
        for reference in references {
            var place: Any? = json
            for part in reference.split(separator: "/") {
                place = (place as? [String: Any])?[String(part)]
            }
            #expect(place != nil, "\(reference)")
        }
    }

    @Test func `every word that the document offers for a parameter is taken, and no other`() throws
    {
        let server = try start()
        let document = try server.client().request("GET", "/openapi.json").json()
        let paths = document["paths"] as? [String: [String: Any]] ?? [:]
        var asked = 0
        for (path, methods) in paths where !path.contains("{") {
            let get = methods["get"] as? [String: Any]
            for parameter in get?["parameters"] as? [[String: Any]] ?? [] {
                guard let name = parameter["name"] as? String,
                    let words = (parameter["schema"] as? [String: Any])?["enum"] as? [String]
                else { continue }
                asked += 1
                for word in words {
                    let answer = try server.client().request("GET", "\(path)?\(name)=\(word)")
                    #expect(answer.status == 200, "\(path) \(answer.text)")
                }
                let answer = try server.client().request("GET", "\(path)?\(name)=zorgon").text
                let list = answer.components(separatedBy: "is not one of ").last ?? ""
                let taken = list.components(separatedBy: "\"")[0].components(separatedBy: ", ")
                #expect(Set(taken) == Set(words), "\(path) \(name)")
            }
        }
        #expect(asked >= 5)
    }

    /// What an admin sees of the tenant whose things nobody else may see or change.
    private func standing(_ server: Costgauge) throws -> [String] {
        try ["/v1/costs?tenant=zorgon&since=1d", "/v1/budgets?tenant=zorgon", "/v1/scopes"].map {
            path in
            let answer = try server.client().request(
                "GET", path, headers: ["Authorization": "Bearer root-token"])
            #expect(answer.status == 200)
            return answer.text.replacing(/"(since|until)":"[^"]*"/, with: "")
        }
    }

    @Test func `P15 a tenant's token sees and changes nothing of another through any path`() throws
    {
        let file = try place.file(
            "tokens.yaml",
            """
            auth:
              tokens:
                - {name: root, token: root-token, role: admin}
                - {name: acme, token: acme-token, role: admin, tenant: acme}
            budgets:
              - {name: per-tenant, each: [tenant], limit_usd: 10, enforce: {}}
              - {name: everything, limit_usd: 50, enforce: {}}
            alerts: {receivers: [{name: zorgon-console, type: log}]}

            """)
        let server = try Costgauge(
            storage: place.path + "/t", arguments: ["--config.file=\(file)"])
        func send(
            _ method: String, _ path: String, _ body: String? = nil, token: String
        ) throws -> TestHTTPClient.Answer {
            try server.client().request(
                method, path,
                headers: ["Authorization": "Bearer \(token)", "Content-Type": "application/json"],
                body: body.map { Array($0.utf8) })
        }
        for (path, body) in [
            ("/v1/events", #"{"tenant":"zorgon","user":"zorgon-user","cost_usd":"7.654"}"#),
            ("/v1/events", #"{"tenant":"acme","cost_usd":1}"#),
            ("/v1/reservations", #"{"tenant":"zorgon","id":"zorgon-rsv","cost_usd":1}"#),
            ("/v1/scopes/user/zorgon-user/pause", #"{"reason":"zorgon-reason"}"#),
        ] {
            #expect(try send("POST", path, body, token: "root-token").status == 200, "\(path)")
        }
        let before = try standing(server)
        #expect(before.joined().contains("7.654") && before.joined().contains("zorgon-reason"))
        let values = [
            "id": "zorgon-rsv", "dimension": "tenant", "value": "zorgon", "name": "zorgon-console",
            "path": "x", "file": "app.js",
        ]
        var asked = 0
        for (path, methods) in try documented(server) {
            let full = path.replacing(/{([a-z]+)}/) { values[String($0.1)] ?? "zorgon" }
            for method in methods {
                for query in ["", "?tenant=zorgon", "?group_by=tenant", "?budget=everything"] {
                    let body = method == "GET" ? nil : #"{"tenant":"zorgon","cost_usd":1}"#
                    let answer = try send(method, full + query, body, token: "acme-token")
                    // What was asked may be named in a refusal; what is there may not be shown.
                    let isRefused = [400, 403, 404, 405, 415].contains(answer.status)
                    #expect(answer.status < 500, "\(method) \(full)\(query)")
                    for secret in ["7.654", "zorgon-user", "zorgon-reason"]
                        + (isRefused ? [] : ["zorgon"])
                    {
                        #expect(
                            !answer.text.contains(secret),
                            "\(method) \(full)\(query): \(answer.text)")
                    }
                    asked += 1
                }
            }
        }
        #expect(asked > 150)
        #expect(try standing(server) == before)
    }

    /// Runs schemathesis with a document against the server; answers its exit code and its report.
    private func compare(
        _ server: Costgauge, with document: String, _ arguments: [String]
    ) throws -> (status: Int32, output: String) {
        let python = try #require(Peers.python)
        let tool = (python as NSString).deletingLastPathComponent + "/schemathesis"
        let checks = [
            "not_a_server_error", "status_code_conformance", "content_type_conformance",
            "response_schema_conformance",
        ]
        let configuration = try place.file("schemathesis.toml", "")
        // It keeps what it finds beside where it runs.
        let run = try ChildProcess(
            python,
            [
                tool, "--config-file", configuration, "run", document, "--checks",
                checks.joined(separator: ","), "--seed", "8", "--no-color",
                "--url", "http://127.0.0.1:\(server.port)", "--generation-database", "none",
            ] + arguments, currentDirectory: place.path)
        let status = run.wait()
        return (status, run.standardOutput + run.standardError)
    }

    /// Requests that follow the document and requests that do not, made up from a seed: no 5xx, and
    /// each answer has the status, the type and the shape that the document says.
    @Test(.enabled(if: Peers.areInstalled, "make test installs the peers"))
    func `schemathesis finds no answer that the document does not describe`() throws {
        let server = try start()
        let filled = try server.client().post(
            """
            {"tenant":"acme","feature":"chat","model":"gpt-4o","input_tokens":1200,"cost_usd":"7.5"}
            {"tenant":"beta","model":"nobody-knows","input_tokens":3}
            """)
        #expect(filled.status == 200)
        let text = try server.client().request("GET", "/openapi.json").text
        let document = try place.file("openapi.json", text)
        let run = try compare(
            server, with: document,
            ["--max-examples", "3", "--workers", "1", "--phases", "examples,coverage,fuzzing"])
        #expect(run.status == 0, "\(run.output.suffix(20_000))")
        #expect(try server.client().request("GET", "/-/ready").status == 200)
        // A document that says something else is found out.
        let verdicts = #"{"enum": ["allow", "throttle", "deny"]}"#
        #expect(text.contains(verdicts))
        let wrong = try place.file(
            "wrong.json", text.replacing(verdicts, with: #"{"enum": ["yes", "no"]}"#))
        let canary = try compare(
            server, with: wrong,
            ["--include-path", "/v1/check", "--max-examples", "3", "--phases", "fuzzing"])
        #expect(canary.status == 1 && canary.output.contains("Response violates schema"))
    }
}
