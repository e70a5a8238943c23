import Foundation
import TestSupport
import Testing

/// Silences, features and the audit of the real binary.
@Suite final class AdministrationTests {
    private let place = TemporaryDirectory()
    private var server: Costgauge
    private let arguments: [String]

    private static let configuration = """
        auth:
          tokens:
            - {name: root, token: root-token, role: admin}
            - {name: app, token: app-token-1, role: editor}
            - {name: see, token: see-token-1, role: viewer}
        alerts:
          silences:
            - match: {tenant: quiet}
              starts_at: "2020-01-01T00:00:00Z"
              ends_at: "2099-01-01T00:00:00Z"
        budgets:
          - {name: t, each: [tenant], limit_usd: 10, burn: false}

        """

    init() throws {
        let file = try place.file("c.yaml", Self.configuration)
        arguments = ["--config.file=\(file)"]
        server = try Costgauge(storage: place.path + "/data", arguments: arguments)
    }

    private func ask(
        _ method: String, _ path: String, _ body: String? = nil, token: String = "root-token",
        _ headers: [String: String] = [:]
    ) throws -> TestHTTPClient.Answer {
        try server.client().request(
            method, path,
            headers: ["Content-Type": "application/json", "Authorization": "Bearer \(token)"]
                .merging(headers) { $1 }, body: body.map { Array($0.utf8) })
    }

    private func list(_ path: String, _ key: String) throws -> [[String: Any]] {
        try ask("GET", path).json()[key] as? [[String: Any]] ?? []
    }

    @Test
    func `a silence is made, listed, survives a crash and is deleted, and the audit tells it`()
        throws
    {
        let end = Date.now.addingTimeInterval(86_400).formatted(.iso8601)
        let body = #"{"match":{"kind":"budget_*"},"ends_at":"\#(end)","reason":"test"}"#
        let made = try ask("POST", "/v1/silences", body, token: "app-token-1")
        #expect(made.status == 201, "\(made.text)")
        let id = try #require(try made.json()["id"] as? String)
        #expect(try made.json()["author"] as? String == "app")
        server.kill()
        server = try Costgauge(storage: place.path + "/data", arguments: arguments)
        let active = try list("/v1/silences?state=active", "silences")
        #expect(active.map { $0["id"] as? String } == ["file-1", id])
        #expect(active.map { $0["source"] as? String } == ["file", "api"])
        #expect(try ask("GET", "/v1/silences/\(id)").json()["reason"] as? String == "test")
        #expect(try ask("DELETE", "/v1/silences/\(id)").status == 204)
        #expect(try ask("DELETE", "/v1/silences/\(id)").status == 404)
        #expect(try ask("DELETE", "/v1/silences/file-1").status == 409)
        let audit = try list("/v1/audit", "events")
        #expect(audit.map { $0["event"] as? String } == ["silence_delete", "silence_create"])
        #expect(audit.map { $0["who"] as? String } == ["root", "app"])
        let lines = try String(
            contentsOfFile: place.path + "/data/governance_events.jsonl", encoding: .utf8)
        #expect(lines.split(separator: "\n").count == 2 && lines.contains(id))
    }

    @Test func `P14 a silence that says nothing sensible is refused with its field`() throws {
        for (body, field) in [
            (#"{"ends_at":"2099-01-01T00:00:00Z"}"#, "match"),
            (#"{"match":{},"ends_at":"2099-01-01T00:00:00Z"}"#, "match"),
            (#"{"match":{"colour":"red"},"ends_at":"2099-01-01T00:00:00Z"}"#, "match"),
            (#"{"match":{"kind":7},"ends_at":"2099-01-01T00:00:00Z"}"#, "match"),
            (#"{"match":{"kind":"*"}}"#, "ends_at"),
            (#"{"match":{"kind":"*"},"ends_at":"soon"}"#, "ends_at"),
            (#"{"match":{"kind":"*"},"ends_at":"2020-01-01T00:00:00Z"}"#, "ends_at"),
        ] {
            let answer = try ask("POST", "/v1/silences", body)
            let error = try answer.json()["error"] as? [String: Any]
            #expect(answer.status == 400 && error?["field"] as? String == field, "\(body)")
        }
        #expect(try ask("POST", "/v1/silences", #"{"colour":1}"#).status == 400)
        #expect(try ask("POST", "/v1/silences", "[]").status == 400)
        #expect(try list("/v1/audit", "events").isEmpty)
    }

    @Test func `an alert under a silence is stored and delivered to nobody`() throws {
        for tenant in ["quiet", "loud"] {
            let event = #"{"tenant":"\#(tenant)","cost_usd":6}"#
            #expect(try ask("POST", "/v1/events", event).status == 200)
        }
        #expect(try list("/v1/alerts", "alerts").count == 2)
        #expect(try list("/v1/deliveries", "deliveries").isEmpty)
    }

    @Test func `features are registered with a version, and others are listed as they occur`()
        throws
    {
        let made = try ask("POST", "/v1/features", #"{"tag":"chat","owner":"growth"}"#)
        #expect(made.status == 201 && made.headers["etag"] == "\"1\"")
        #expect(try ask("POST", "/v1/features", #"{"tag":"chat"}"#).status == 409)
        #expect(try ask("POST", "/v1/features", "{}").status == 400)
        let event = #"{"tenant":"a","feature":"search","cost_usd":1}"#
        #expect(try ask("POST", "/v1/events", event).status == 200)
        let listed = try list("/v1/features", "features")
        #expect(listed.map { $0["tag"] as? String } == ["chat", "search"])
        #expect(listed.map { $0["registered"] as? Bool } == [true, false])

        func put(_ headers: [String: String]) throws -> Int {
            try ask("PUT", "/v1/features/chat", #"{"owner":"core"}"#, headers).status
        }
        #expect(try put(["If-Match": "\"7\""]) == 412)
        #expect(try put(["If-None-Match": "*"]) == 412)
        #expect(try put(["If-Match": "\"1\""]) == 200)
        #expect(try put(["If-Match": "\"1\""]) == 412)
        #expect(try put([:]) == 200)
        #expect(try ask("GET", "/v1/features/chat").headers["etag"] == "\"3\"")
        #expect(try ask("DELETE", "/v1/features/chat", nil, ["If-Match": "\"2\""]).status == 412)
        #expect(try ask("DELETE", "/v1/features/chat", nil, ["If-Match": "\"3\""]).status == 204)
        #expect(try ask("GET", "/v1/features/chat").status == 404)
        let audit = try list("/v1/audit?target=features/chat", "events")
        #expect(
            audit.map { $0["event"] as? String } == [
                "feature_delete", "feature_update", "feature_update", "feature_create",
            ])
        let change = audit[2]
        #expect((change["before"] as? [String: Any])?["owner"] as? String == "growth")
        #expect((change["after"] as? [String: Any])?["owner"] as? String == "core")
    }

    @Test func `P15 each path of the administration wants its role`() throws {
        for (method, path, token, status) in [
            ("GET", "/v1/silences", "see-token-1", 200),
            ("POST", "/v1/silences", "see-token-1", 403),
            ("GET", "/v1/features", "see-token-1", 403),
            ("GET", "/v1/features", "app-token-1", 200),
            ("GET", "/v1/audit", "app-token-1", 403),
            ("GET", "/v1/audit", "root-token", 200),
        ] {
            let answer = try ask(method, path, method == "POST" ? "{}" : nil, token: token)
            #expect(answer.status == status, "\(method) \(path)")
        }
    }

    @Test func `pauses are in the audit with their reason`() throws {
        let path = "/v1/scopes/tenant/acme"
        #expect(try ask("POST", path + "/pause", #"{"reason":"loop"}"#).status == 200)
        #expect(try ask("POST", path + "/unpause").status == 200)
        let audit = try list("/v1/audit", "events")
        #expect(audit.map { $0["event"] as? String } == ["scope_unpause", "scope_pause"])
        #expect(audit.last?["reason"] as? String == "loop")
        #expect(audit.last?["target"] as? String == "scopes/tenant/acme")
    }
}
