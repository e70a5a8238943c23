import Foundation
import SQLite
import TestSupport
import Testing

/// Another program holds the lock of the store, as a disk that hangs would.
@Suite struct StalledStoreTests {
    private static let budgets = """
        budgets:
          - {name: strict, match: {tenant: "de*"}, each: [tenant], period: day, limit_usd: 10,
             burn: false, enforce: {when_unsure: deny}}
          - {name: easy, match: {tenant: "al*"}, each: [tenant], period: day, limit_usd: LIMIT,
             burn: false, enforce: {when_unsure: allow}}

        """

    private let place = TemporaryDirectory()

    private func configure(limit: Int, _ rest: String = "") throws -> String {
        try place.file(
            "c.yaml", Self.budgets.replacingOccurrences(of: "LIMIT", with: "\(limit)") + rest)
    }

    @Test func `a store that stalls is unsure for everybody until the next commit`() throws {
        let server = try Costgauge(
            storage: place.path + "/data",
            arguments: ["--config.file=\(try configure(limit: 10))"])
        func ask(_ path: String, _ tenant: String) throws -> String {
            let json = try server.client().post(
                #"{"tenant":"\#(tenant)","cost_usd":"0.1"}"#, to: path
            ).json()
            return "\(json["decision"] ?? "none") \(json["reason"] ?? "none")"
        }
        func status(_ method: String, _ path: String, _ body: String? = nil) throws -> Int {
            try server.client().request(method, path, body: body.map { Array($0.utf8) }).status
        }
        let held = try server.client().post(
            #"{"id":"held","tenant":"de","cost_usd":"0.1"}"#, to: "/v1/reservations")
        #expect(held.status == 200, "\(held.text)")
        let lock = try Database(path: place.path + "/data/costgauge.db", mode: .readWrite)
        lock.setBusyTimeout(milliseconds: 5000)
        try lock.execute("begin exclusive")
        // Waits for the lock; no event does.
        let port = server.port
        let waiting = DispatchGroup()
        DispatchQueue.global().async(group: waiting) {
            _ = try? TestHTTPClient(port: port).post(
                #"{"tenant":"al","cost_usd":"0.1"}"#, to: "/v1/reservations")
        }
        let isUnready = try eventually { try status("GET", "/-/ready") == 503 }
        #expect(isUnready)
        for path in ["/v1/check", "/v1/reservations"] {
            #expect(try ask(path, "de") == "deny unsure", "\(path)")
        }
        #expect(try ask("/v1/check", "al") == "allow within_budget")
        #expect(try ask("/v1/reservations", "al") == "allow unsure")
        // What is held already stays so.
        let again = try server.client().post(
            #"{"id":"held","tenant":"de","cost_usd":"0.1"}"#, to: "/v1/reservations")
        #expect(try again.json()["id"] as? String == "held", "\(again.text)")
        #expect(try status("DELETE", "/v1/reservations/held") == 503)
        #expect(try status("PUT", "/v1/budgets/other", #"{"limit_usd":5}"#) == 503)
        _ = try configure(limit: 20, "pricing: {unknown: reject}\n")
        let reload = try server.client().request("POST", "/-/reload")
        #expect(reload.status == 500)
        #expect(reload.text.contains("nothing of the new configuration is in force"))
        try lock.execute("rollback")
        let isReady = try eventually { try status("GET", "/-/ready") == 200 }
        #expect(isReady)
        waiting.wait()
        #expect(try ask("/v1/check", "de") == "allow within_budget")
        #expect(try ask("/v1/reservations", "de") == "allow within_budget")
        // Indeed nothing: an event without a known price is still kept.
        let unpriced = #"{"tenant":"al","provider":"x","model":"y","input_tokens":1}"#
        #expect(try server.client().post(unpriced).json()["accepted"] as? Int == 1)
        #expect(try status("POST", "/-/reload") == 200)
        #expect(try server.client().post(unpriced).status != 200)
    }
}
