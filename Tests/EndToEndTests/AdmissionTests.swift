import Foundation
import Synchronization
import TestSupport
import Testing

/// `/v1/check` and `/v1/reservations` of the real binary.
@Suite final class AdmissionTests {
    private let place = TemporaryDirectory()
    private var server: Costgauge
    private let arguments: [String]

    private static let budgets = """
        budgets:
          - {name: tenant-daily, each: [tenant], period: day, limit_usd: 10, burn: false,
             enforce: {throttle_at: 0.8}}
          - {name: all, period: month, limit_usd: 1000, burn: false, enforce: {}}
          - {name: shadow, each: [tenant, user], period: month, limit_usd: 1, burn: false,
             enforce: {mode: observe}}

        """

    init() throws {
        let file = try place.file("c.yaml", Self.budgets)
        arguments = ["--config.file=\(file)"]
        server = try Costgauge(storage: place.path + "/data", arguments: arguments)
    }

    private func post(_ path: String, _ body: String) throws -> (Int, [String: Any]) {
        let answer = try server.client().post(body, to: path)
        return (answer.status, try answer.json())
    }

    private func reserved(_ tenant: String) throws -> String? {
        let (_, json) = try post("/v1/check", #"{"tenant":"\#(tenant)","cost_usd":9.99}"#)
        return (json["budget"] as? [String: Any])?["reserved_usd"] as? String
    }

    /// `count` requests at once, each on a connection of its own; the ids that were granted.
    private func reserveAtOnce(_ count: Int, _ tenant: String, _ cost: String) -> [String] {
        let granted = Mutex<[String]>([])
        let port = server.port
        DispatchQueue.concurrentPerform(iterations: count) { _ in
            let answer = try? TestHTTPClient(port: port).post(
                #"{"tenant":"\#(tenant)","cost_usd":\#(cost)}"#, to: "/v1/reservations")
            if answer?.status == 200, let id = try? answer?.json()["id"] as? String {
                granted.withLock { $0.append(id) }
            }
        }
        return granted.withLock { $0 }
    }

    /// More by RESERVATION_ROUNDS, in the environment of the tests.
    private static let rounds =
        ProcessInfo.processInfo.environment["RESERVATION_ROUNDS"].flatMap { Int($0) } ?? 6

    @Test func `P12 of 100 calls for $2 at once on $10 exactly 5 go through, whatever crashes`()
        throws
    {
        for round in 0..<Self.rounds {
            let granted = reserveAtOnce(100, "t\(round)", "2")
            #expect(granted.count == 5, "round \(round)")
            if round % 3 == 0 {
                server.kill()
                server = try Costgauge(storage: place.path + "/data", arguments: arguments)
                #expect(reserveAtOnce(20, "t\(round)", "2").isEmpty, "after a crash")
            }
            for (index, id) in granted.enumerated() {
                let answer =
                    index % 2 == 0
                    ? try server.client().post(
                        #"{"cost_usd":"0.5"}"#, to: "/v1/reservations/\(id)/settle")
                    : try server.client().request("DELETE", "/v1/reservations/\(id)")
                #expect(answer.status == 200, "\(answer.text)")
            }
            // Three settled at 50 cents: $8.50 are left, room for four more.
            #expect(reserveAtOnce(30, "t\(round)", "2").count == 4)
        }
    }

    @Test func `a misspelt member comes back to its sender`() throws {
        let asked = #"{"tenant":"a","modl":"gpt-4o","cost_usd":1}"#
        #expect(try post("/v1/check", asked).1["ignored_fields"] as? [String] == ["modl"])
        let (_, held) = try post("/v1/reservations", asked)
        #expect(held["ignored_fields"] as? [String] == ["modl"])
        let id = try #require(held["id"] as? String)
        let (status, settled) = try post(
            "/v1/reservations/\(id)/settle", #"{"cost_usd":1,"seconds_":2}"#)
        #expect(status == 200 && settled["ignored_fields"] as? [String] == ["seconds_"])
        #expect(try post("/v1/check", #"{"tenant":"a"}"#).1["ignored_fields"] == nil)
    }

    @Test func `an answer names the tightest budget, and slows calls down before it denies them`()
        throws
    {
        var (status, json) = try post("/v1/check", #"{"tenant":"a","cost_usd":"1.25"}"#)
        #expect(status == 200 && json["decision"] as? String == "allow")
        #expect(json["estimate_usd"] as? String == "1.25")
        _ = try post("/v1/events", #"{"tenant":"a","cost_usd":7}"#)
        (status, json) = try post("/v1/check", #"{"tenant":"a","cost_usd":1}"#)
        #expect(status == 200 && json["decision"] as? String == "throttle")
        #expect(json["reason"] as? String == "soft_limit" && json["delay_seconds"] is NSNumber)
        let budget = json["budget"] as? [String: Any] ?? [:]
        #expect(budget["name"] as? String == "tenant-daily")
        #expect(budget["scope"] as? [String: String] == ["tenant": "a"])
        #expect(budget["spent_usd"] as? String == "7.00")
        #expect(budget["remaining_usd"] as? String == "3.00")
        let denial = try server.client().post(#"{"tenant":"a","cost_usd":3.01}"#, to: "/v1/check")
        #expect(denial.status == 429 && (Int(denial.headers["retry-after"] ?? "") ?? 0) > 0)
        let error = try denial.json()["error"] as? [String: Any] ?? [:]
        #expect(error["code"] as? String == "budget_exceeded")
        #expect((error["budget"] as? [String: Any])?["limit_usd"] as? String == "10.00")
        // Exactly what is left goes through.
        #expect(try post("/v1/check", #"{"tenant":"a","cost_usd":3}"#).0 == 200)
        // Another tenant is not concerned, and a budget that observes denies nobody.
        let other = try post("/v1/check", #"{"tenant":"b","user":"u","cost_usd":5}"#)
        #expect(other.0 == 200 && other.1["decision"] as? String == "allow")
        let metrics = try server.metrics()
        let family = "costgauge_admission_decisions_total"
        #expect(metrics["\(family){budget=\"shadow\",decision=\"would_deny\"}"] == "1")
        #expect(metrics["\(family){budget=\"tenant-daily\",decision=\"deny\"}"] == "1")
        #expect(metrics["\(family){budget=\"tenant-daily\",decision=\"throttle\"}"] == "2")
    }

    @Test func `a client that reads a stream gets its denial as an event of it`() throws {
        let answer = try server.client().request(
            "POST", "/v1/check",
            headers: ["Accept": "text/event-stream", "Content-Type": "application/json"],
            body: Array(#"{"tenant":"a","cost_usd":11}"#.utf8))
        #expect(answer.status == 429 && answer.headers["content-type"] == "text/event-stream")
        #expect(answer.text.hasPrefix("event: error\ndata: {") && answer.text.hasSuffix("}\n\n"))
    }

    @Test func `an estimate is priced from the model and its tokens`() throws {
        let (status, json) = try post(
            "/v1/check",
            #"{"tenant":"a","provider":"openai","model":"gpt-4o","input_tokens":1000000,"max_output_tokens":100000}"#
        )
        // $2.50 for a million in, $10 for a million out.
        #expect(status == 200 && json["estimate_usd"] as? String == "3.50")
        let unknown = try post(
            "/v1/check", #"{"tenant":"a","model":"nobody-knows","input_tokens":5}"#)
        #expect(unknown.0 == 200 && unknown.1["unpriced"] as? Bool == true)
    }

    @Test func `settlement and event are one, whichever comes first`() throws {
        let client = try server.client()
        func reserve(_ id: String) throws {
            let answer = try client.post(
                #"{"tenant":"a","feature":"chat","id":"\#(id)","cost_usd":2}"#,
                to: "/v1/reservations")
            #expect(answer.status == 200, "\(answer.text)")
        }
        func event(_ id: String, _ reservation: String) throws -> [Int] {
            let json = try client.post(
                #"{"id":"\#(id)","tenant":"a","cost_usd":"0.5","reservation":"\#(reservation)"}"#
            ).json()
            return [json["accepted"] as? Int ?? -1, json["duplicates"] as? Int ?? -1]
        }
        func settle(_ id: String, _ body: String = #"{"cost_usd":"0.5"}"#) throws -> Bool? {
            let answer = try client.post(body, to: "/v1/reservations/\(id)/settle")
            return answer.status == 200 ? try answer.json()["duplicate"] as? Bool : nil
        }
        try reserve("r1")
        try reserve("r1")
        #expect(try reserved("a") == "2.00")
        #expect(try event("e1", "r1") == [1, 0])
        #expect(try event("e1", "r1") == [0, 1])
        #expect(try event("e2", "r1") == [0, 1])
        #expect(try settle("r1") == true)
        #expect(try reserved("a") == "0.00")

        try reserve("r2")
        #expect(try settle("r2") == false)
        #expect(try settle("r2") == true)
        #expect(try event("e3", "r2") == [0, 1])
        #expect(try client.request("DELETE", "/v1/reservations/r2").status == 409)

        // Released: an event that names it is an ordinary one.
        try reserve("r3")
        #expect(try client.request("DELETE", "/v1/reservations/r3").status == 200)
        #expect(try client.request("DELETE", "/v1/reservations/r3").status == 200)
        #expect(try event("e4", "r3") == [1, 0])
        #expect(try settle("r3") == true)
        // An ended id is not given out again; another tenant's event takes nothing.
        #expect(
            try client.post(#"{"tenant":"a","id":"r3","cost_usd":2}"#, to: "/v1/reservations")
                .status == 409)
        try reserve("r4")
        let foreign = try client.post(#"{"tenant":"b","cost_usd":1,"reservation":"r4"}"#).json()
        #expect(foreign["accepted"] as? Int == 1)
        #expect(try reserved("a") == "2.00")
        server.kill()
        server = try Costgauge(storage: place.path + "/data", arguments: arguments)
        #expect(try reserved("a") == "2.00")
        let again = try server.client()
        #expect(
            try again.post(#"{"cost_usd":"0.5"}"#, to: "/v1/reservations/r2/settle").json()[
                "duplicate"] as? Bool == true)
        #expect(
            try again.post(#"{"cost_usd":"0.25"}"#, to: "/v1/reservations/r4/settle").status == 200)
        let costs = try again.request("GET", "/v1/costs?group_by=tenant,feature&tenant=a").json()
        let rows = costs["costs"] as? [[String: Any]] ?? []
        // What settles by its own call carries the reservation's feature.
        let sums = rows.map { "\($0["feature"] ?? ""): \($0["cost_usd"] ?? "")" }
        #expect(Set(sums) == [": 1.00", "chat: 0.75"])
    }

    @Test func `a reservation expires, and its event is an ordinary one then`() throws {
        let client = try server.client()
        let answer = try client.post(
            #"{"tenant":"a","id":"short","cost_usd":9,"expires_in_seconds":1}"#,
            to: "/v1/reservations")
        #expect(answer.status == 200)
        #expect(try client.post(#"{"tenant":"a","cost_usd":9}"#, to: "/v1/check").status == 429)
        let isFree = try eventually {
            try client.post(#"{"tenant":"a","cost_usd":9}"#, to: "/v1/check").status == 200
        }
        #expect(isFree)
        for _ in 0..<2 {
            let event = try client.post(#"{"tenant":"a","cost_usd":1,"reservation":"short"}"#)
            #expect(try event.json()["accepted"] as? Int == 1)
        }
        let settled = try client.post(#"{"cost_usd":1}"#, to: "/v1/reservations/short/settle")
        #expect(try settled.json()["duplicate"] as? Bool == true)
        let metrics = try server.metrics()
        #expect(metrics["costgauge_budget_spent_usd{budget=\"tenant-daily\",tenant=\"a\"}"] == "2")
    }

    @Test func `what cannot be read is refused by field, and unknown ids are not found`() throws {
        for (body, word) in [
            ("[]", "object"), ("{", "malformed_json"), (#"{"tenant":5}"#, "tenant"),
            (#"{"cost_usd":-1}"#, "cost_usd"), (#"{"cost_usd":"x"}"#, "cost_usd"),
            (#"{"cost_usd":1000000.1}"#, "cost_usd"), (#"{"input_tokens":1.5}"#, "input_tokens"),
            (#"{"input_tokens":4294967296}"#, "input_tokens"), (#"{"tags":[]}"#, "tags"),
            (#"{"expires_in_seconds":3601}"#, "expires_in_seconds"),
            (#"{"expires_in_seconds":0}"#, "expires_in_seconds"),
            (#"{"input_tokens":1,"cached_input_tokens":2}"#, "cached_input_tokens"),
        ] {
            let answer = try server.client().post(body, to: "/v1/check")
            #expect(answer.status == 400 && answer.text.contains(word), "\(body): \(answer.text)")
        }
        #expect(try post("/v1/check", "{}").0 == 200)
        #expect(try post("/v1/reservations/none/settle", #"{"cost_usd":1}"#).0 == 404)
        #expect(try server.client().request("DELETE", "/v1/reservations/none").status == 404)
        #expect(try server.client().request("GET", "/v1/check").status == 405)
        let long = String(repeating: "x", count: 70_000)
        #expect(try server.client().post(#"{"tenant":"\#(long)"}"#, to: "/v1/check").status == 413)
        // A reservation that is under way is settled by what an event may hold, and by nothing
        // else.
        _ = try post("/v1/reservations", #"{"tenant":"a","id":"r","cost_usd":1}"#)
        #expect(try post("/v1/reservations/r/settle", "{}").0 == 422)
        #expect(try post("/v1/reservations/r/settle", #"{"cost_usd":-1}"#).0 == 422)
        #expect(try reserved("a") == "1.00")
    }
}
