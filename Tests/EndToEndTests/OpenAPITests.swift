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
        let run = try ChildProcess.run(
            python,
            [
                tool, "--config-file", configuration, "run", document, "--checks",
                checks.joined(separator: ","), "--seed", "8", "--no-color",
                "--url", "http://127.0.0.1:\(server.port)", "--generation-database", "none",
            ] + arguments)
        return (run.status, run.output + run.errors)
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
            ["--max-examples", "3", "--workers", "4", "--phases", "examples,coverage,fuzzing"])
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
