import Foundation
import TestSupport
import Testing

/// Every path that the server says it has, asked with the token of one tenant.
@Suite struct TenantIsolationTests {
    private let place = TemporaryDirectory()

    private static let configuration = """
        auth:
          tokens:
            - {name: root, token: root-token, role: admin}
            - {name: mine, token: mine-token-1, role: admin, tenant: mine}
        budgets:
          - {name: per-tenant, each: [tenant], limit_usd: 10, burn: false, enforce: {}}
          - {name: whole, limit_usd: 2000, burn: false, enforce: {}}

        """

    private func ask(
        _ server: Costgauge, _ method: String, _ path: String, _ token: String,
        _ body: String? = nil
    ) throws -> TestHTTPClient.Answer {
        try server.client().request(
            method, path,
            headers: ["Authorization": "Bearer \(token)", "Content-Type": "application/json"],
            body: body.map { Array($0.utf8) })
    }

    /// As the answer to an unknown path lists them.
    private func paths(_ server: Costgauge) throws -> [String] {
        let answer = try ask(server, "GET", "/nothing", "root-token")
        let error = try #require(answer.json()["error"] as? [String: Any])
        let message = try #require(error["message"] as? String)
        let list = try #require(message.components(separatedBy: "there are ").last)
        return list.components(separatedBy: ", ")
    }

    /// What another tenant has, as the administrator sees it.
    private func foreign(_ server: Costgauge) throws -> [String] {
        try [
            "/v1/costs?group_by=tenant&tenant=theirs", "/v1/budgets?tenant=theirs", "/v1/scopes",
            "/v1/silences", "/v1/features", "/v1/audit",
        ].map { path in
            let answer = try ask(server, "GET", path, "root-token")
            #expect(answer.status == 200, "\(path)")
            // Moments differ from call to call.
            return path + answer.text.replacing(#/"(since|until|as_of|now)":"[^"]*"/#, with: "")
        }
            + ["per-tenant", "whole"].map { name in
                // Its list of scopes has a new one: that of the tenant that asks.
                let text = try ask(server, "GET", "/v1/budgets/\(name)", "root-token").text
                #expect(text.contains("\"scopes\":["))
                return text.components(separatedBy: "\"scopes\":[")[0]
            }
    }

    @Test func `P15 no path shows or changes anything of another tenant`() throws {
        let file = try place.file("c.yaml", Self.configuration)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        let events = #"{"id":"e1","tenant":"theirs","user":"secret-user","cost_usd":"9.87"}"#
        #expect(try ask(server, "POST", "/v1/events", "root-token", events).status == 200)
        #expect(
            try ask(
                server, "POST", "/v1/reservations", "root-token",
                #"{"tenant":"theirs","id":"theirs","cost_usd":"0.01"}"#
            ).status == 200)
        #expect(
            try ask(server, "POST", "/v1/scopes/user/secret-user/pause", "root-token").status
                == 200)
        let paths = try paths(server)
        #expect(paths.count > 30 && paths.contains("/v1/budgets/{name}/scopes/{scope}"))
        let before = try foreign(server)
        let bodies = [
            "{}", #"{"tenant":"theirs","cost_usd":1}"#,
            #"{"limit_usd":1,"match":{"tenant":"theirs"},"ends_at":"2026-12-24T00:00:00Z"}"#,
        ]
        var asked = 0
        for path in paths {
            let filled = [
                "{name}": "per-tenant", "{scope}": "tenant=theirs", "{dimension}": "tenant",
                "{value}": "theirs", "{id}": "theirs", "{tag}": "theirs", "{file}": "app.js",
                "{path}": "v1",
            ].reduce(path) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
            #expect(!filled.contains("{"), "\(path)")
            for method in ["GET", "POST", "PUT", "DELETE"] {
                let isReading = method == "GET"
                for query in isReading ? ["", "?tenant=theirs", "?group_by=tenant,user"] : [""] {
                    for body in isReading || method == "DELETE" ? [nil] : bodies.map({ $0 }) {
                        let answer = try ask(server, method, filled + query, "mine-token-1", body)
                        asked += 1
                        let place = "\(method) \(filled)\(query) \(body ?? "")"
                        #expect(answer.status < 500, "\(place): \(answer.text)")
                        #expect(
                            !answer.text.contains("9.87") && !answer.text.contains("secret-user"),
                            "\(place): \(answer.text)")
                    }
                }
            }
        }
        #expect(asked > 300)
        for (found, expected) in zip(try foreign(server), before) { #expect(found == expected) }
        // The reservation of the other tenant is still under way.
        #expect(try ask(server, "DELETE", "/v1/reservations/theirs", "root-token").status == 200)
    }
}
