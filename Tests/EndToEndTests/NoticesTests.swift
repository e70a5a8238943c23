import Foundation
import TestSupport
import Testing

/// Pauses, denials and explanations of the real binary.
@Suite struct NoticesTests {
    private let place = TemporaryDirectory()
    private let hook: RecordingReceiver
    private let chat: RecordingReceiver
    private let file: String

    init() throws {
        hook = try RecordingReceiver()
        chat = try RecordingReceiver()
        file = try place.file(
            "c.yaml",
            """
            budgets:
              - {name: per-tenant, each: [tenant], limit_usd: 10, burn: false, thresholds: [0.5, 1],
                 match: {operation: "!compute"},
                 overrides: [{when: {tenant: premium}, limit_usd: 40}], enforce: {}}
              - {name: gpu, match: {operation: compute}, limit_usd: 5}
            alerts:
              receivers:
                - {name: hook, type: webhook, url: "\(hook.url)", send_resolved: true}
                - {name: chat, type: slack, url: "\(chat.url)"}
              routes:
                - {match: {kind: budget_threshold, severity: info}, receivers: [hook]}
                - {match: {}, receivers: [hook, chat]}

            """)
    }

    private func start() throws -> Costgauge {
        try Costgauge(storage: place.path + "/data", arguments: ["--config.file=\(file)"])
    }

    /// What came, each once: who is killed sends again what it does not know to be delivered.
    private func count(_ receiver: RecordingReceiver) -> Int {
        Set(receiver.all.map { $0.headers["webhook-id"] ?? $0.text }).count
    }

    private func alert(_ number: Int) -> [String: Any] {
        var seen: Set<String> = []
        let told = hook.all.filter { seen.insert($0.headers["webhook-id"] ?? "").inserted }
        return number < told.count ? told[number].json["data"] as? [String: Any] ?? [:] : [:]
    }

    @Test func `a pause by hand and its release are told, across a crash, to all who know of it`()
        throws
    {
        var server = try start()
        let pause = "/v1/scopes/tenant/a%2Fb/pause"
        #expect(try server.client().post(#"{"reason":"a loop"}"#, to: pause).status == 200)
        #expect(try server.client().post(#"{"reason":"again"}"#, to: pause).status == 200)
        #expect(eventually { count(hook) == 1 && count(chat) == 1 })
        let told = alert(0)
        #expect(told["kind"] as? String == "budget_paused" && told["status"] as? String == "firing")
        #expect(told["tenant"] as? String == "a/b" && told["severity"] as? String == "critical")
        #expect((told["summary"] as? String)?.hasPrefix("a loop; ") == true)
        let key = told["dedup_key"] as? String ?? ""
        #expect(key.hasPrefix("budget_paused/manual/tenant=a%2Fb/"))
        server.kill()
        server = try start()
        let unpause = "/v1/scopes/tenant/a%2Fb/unpause"
        #expect(try server.client().post("{}", to: unpause).status == 200)
        // The chat wants no ends of other alerts; of this one it must know.
        #expect(eventually { count(hook) == 2 && count(chat) == 2 })
        #expect(alert(1)["status"] as? String == "resolved")
        #expect(alert(1)["dedup_key"] as? String == key)
        #expect(try server.client().post("{}", to: unpause).status == 404)
        #expect(try server.client().post("{}", to: pause).status == 200)
        #expect(eventually { count(hook) == 3 })
        #expect(alert(2)["dedup_key"] as? String != key)
    }

    @Test func `calls that keep being denied are told with their budget`() throws {
        let server = try start()
        let client = try server.client()
        for _ in 0..<9 {
            #expect(
                try client.post(#"{"tenant":"a","cost_usd":11}"#, to: "/v1/check").status == 429)
        }
        let last = try client.post(#"{"tenant":"a","cost_usd":11}"#, to: "/v1/reservations")
        #expect(last.status == 429)
        #expect(eventually { count(hook) == 1 && count(chat) == 1 })
        #expect(alert(0)["kind"] as? String == "budget_denied")
        let budget = alert(0)["budget"] as? [String: Any]
        #expect(budget?["name"] as? String == "per-tenant")
        #expect(budget?["scope"] as? [String: String] == ["tenant": "a"])
        let key = alert(0)["dedup_key"] as? String ?? ""
        #expect(key.hasPrefix("budget_denied/per-tenant/tenant=a/"))
        server.kill()
        let second = try start()
        #expect(eventually { count(hook) == 2 })
        #expect(alert(1)["status"] as? String == "resolved")
        #expect(alert(1)["resolution"] as? String == "no call was denied since the restart")
        second.stop()
    }

    @Test func `explain tells what a call counts against, how it stands and who would hear of it`()
        throws
    {
        let server = try start()
        let client = try server.client()
        #expect(try client.post(#"{"tenant":"premium","cost_usd":30}"#).status == 200)
        _ = try client.post(#"{"reason":"why"}"#, to: "/v1/scopes/tenant/premium/pause")
        let json = try client.request("GET", "/v1/explain?tenant=premium&model=gpt-4o").json()
        #expect((json["paused"] as? [[String: Any]])?.first?["reason"] as? String == "why")
        let budgets = json["budgets"] as? [[String: Any]] ?? []
        #expect(budgets.map { $0["counts"] as? Bool } == [true, false])
        #expect(budgets.first?["limit_usd"] as? String == "40.00")
        #expect(budgets.first?["spent_usd"] as? String == "30.00")
        #expect(budgets.first?["override"] as? Int == 0)
        let alerts = budgets.first?["alerts"] as? [[String: Any]] ?? []
        #expect(
            alerts.map { "\($0["kind"] ?? "") \($0["severity"] ?? "") \($0["receivers"] ?? "")" }
                == [
                    #"budget_threshold info ["hook"]"#,
                    #"budget_threshold critical ["hook", "chat"]"#,
                    #"budget_denied warning ["hook", "chat"]"#,
                ])
        #expect(
            budgets.last?["why_not"] as? [String] == [
                "operation is missing, and match wants compute"
            ])
        for query in ["?tenant=a&tenant=b", "?tenant=a&colour=red"] {
            #expect(try client.request("GET", "/v1/explain" + query).status == 400)
        }
        // Nothing was counted by asking.
        let metrics = try server.metrics()
        #expect(metrics.family("costgauge_admission_decisions_total").isEmpty)
        let asked = try ChildProcess.run(
            Costgauge.executable,
            ["explain", "tenant=premium", "--url=http://127.0.0.1:\(server.port)"])
        #expect(asked.status == 0, "\(asked.errors)")
        #expect(asked.output.contains("  is denied: tenant premium is paused (why)\n"))
        #expect(asked.output.contains("  $30.00 of $40.00 (by an override) is used until "))
        #expect(asked.output.contains("  budget_threshold at 0.5, info -> hook\n"))
    }

    @Test func `explain needs no server, and says what it cannot read`() throws {
        let run = try ChildProcess.run(
            Costgauge.executable, ["explain", "--config.file=\(file)", "operation=compute"])
        #expect(run.status == 0, "\(run.errors)")
        #expect(
            run.output == """
                a call with tenant=default operation=compute
                counts against gpu
                  limit $5.00; it watches and tells
                  budget_threshold at 0.5, info -> hook
                  budget_threshold at 0.75, warning -> hook, chat
                  budget_threshold at 0.9, warning -> hook, chat
                  budget_threshold at 1, critical -> hook, chat
                  budget_burn, critical -> hook, chat
                not against per-tenant: operation "compute" does not match !compute

                """)
        for operands in [["tenant"], ["colour=red"], ["tenant="], ["tenant=a", "tenant=b"]] {
            let bad = try ChildProcess.run(Costgauge.executable, ["explain"] + operands)
            #expect(bad.status == 2 && bad.errors.hasPrefix("costgauge explain: "))
        }
    }
}
