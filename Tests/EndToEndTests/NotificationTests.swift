import Foundation
import TestSupport
import Testing

/// Budgets of the real binary, told to servers that record what they get.
@Suite struct NotificationTests {
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private func configuration(
        _ place: TemporaryDirectory, slack: RecordingReceiver, pagerDuty: RecordingReceiver,
        webhook: RecordingReceiver, limit: String = "100"
    ) throws -> String {
        try place.file(
            "costgauge.yaml",
            """
            budgets:
              - {name: tenant-monthly, each: [tenant], limit_usd: \(limit), burn: false}
            alerts:
              receivers:
                - {name: chat, type: slack, url: "\(slack.url)/services/secret-path"}
                - {name: oncall, type: pagerduty, url: "\(pagerDuty.url)/v2/enqueue", routing_key: R0}
                - {name: hook, type: webhook, url: "\(webhook.url)/hook", secret: \(Self.secret), send_resolved: true}
            """)
    }

    private func spend(_ server: Costgauge, _ dollars: String, tenant: String = "acme") throws {
        let answer = try server.client().post(
            #"{"tenant":"\#(tenant)","feature":"chat","user":"u-17","cost_usd":"\#(dollars)"}"#)
        #expect(answer.status == 200, "\(answer.text)")
    }

    @Test(.enabled(if: Peers.areInstalled || Peers.areRequired))
    func `P7 each threshold is told once to Slack, PagerDuty and a signed webhook`() throws {
        let place = TemporaryDirectory()
        let slack = try RecordingReceiver()
        let pagerDuty = try RecordingReceiver { _, _ in .status(202, body: "{}") }
        let webhook = try RecordingReceiver()
        let file = try configuration(
            place, slack: slack, pagerDuty: pagerDuty, webhook: webhook)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        for (index, dollars) in ["49.99", "0.01", "25.5", "0.5", "15", "5", "3", "2"].enumerated() {
            try spend(server, dollars)
            // Each is told before the next, so that the order at the receivers is known.
            let expected = [0, 1, 2, 2, 3, 3, 3, 4][index]
            #expect(eventually { webhook.all.count == expected })
        }
        #expect(eventually { slack.all.count == 4 && pagerDuty.all.count == 4 })
        let data = webhook.all.compactMap { $0.json["data"] as? [String: Any] }
        #expect(
            data.compactMap { $0["severity"] as? String } == [
                "info", "warning", "warning", "critical",
            ])
        let keys = ["0.5", "0.75", "0.9", "1"].map {
            "budget_threshold/tenant-monthly/tenant=acme/\(Self.month)/\($0)"
        }
        #expect(data.compactMap { $0["dedup_key"] as? String } == keys)
        #expect(pagerDuty.all.compactMap { $0.json["dedup_key"] as? String } == keys)
        #expect(pagerDuty.all.allSatisfy { $0.json["routing_key"] as? String == "R0" })
        #expect(slack.all.allSatisfy { $0.text.contains("acme has used") })
        for received in webhook.all { #expect(try isSigned(received)) }
        // The limit is raised: the alerts end, for those who want to know.
        _ = try configuration(
            place, slack: slack, pagerDuty: pagerDuty, webhook: webhook, limit: "400")
        #expect(try server.client().request("POST", "/-/reload").status == 200)
        #expect(eventually { webhook.all.count == 8 && pagerDuty.all.count == 8 })
        #expect(webhook.all.suffix(4).allSatisfy { $0.text.contains(".resolved") })
        #expect(slack.all.count == 4)
        let page = try server.metrics()
        #expect(
            page["costgauge_notifications_total{receiver=\"chat\",outcome=\"delivered\"}"] == "4")
        #expect(page["costgauge_dead_letters{receiver=\"hook\"}"] == "0")
        #expect(server.stop() == 0)
        let log = server.child.standardError
        #expect(!log.contains("secret-path") && !log.contains("R0") && !log.contains(Self.secret))
    }

    @Test func `P7 a jump tells the highest threshold and names all that were passed`() throws {
        let place = TemporaryDirectory()
        let receiver = try RecordingReceiver()
        let file = try configuration(
            place, slack: receiver, pagerDuty: RecordingReceiver { _, _ in .status(202) },
            webhook: RecordingReceiver())
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        try spend(server, "95")
        #expect(eventually { receiver.all.count == 1 })
        let answer = try server.client().request("GET", "/v1/alerts").json()
        let alerts = try #require(answer["alerts"] as? [[String: Any]])
        let budget = try #require(alerts.first?["budget"] as? [String: Any])
        #expect(alerts.count == 1 && budget["threshold"] as? Double == 0.9)
        #expect(budget["crossed"] as? [Double] == [0.5, 0.75, 0.9])
        #expect(budget["spent_usd"] as? String == "95.00")
        #expect(server.stop() == 0)
        #expect(receiver.all.count == 1)
    }

    @Test func `P6 an alert outlives a kill, and is not told again`() throws {
        let place = TemporaryDirectory()
        let receiver = try RecordingReceiver()
        let broken = try RecordingReceiver { _, _ in .reset }
        let file = try configuration(
            place, slack: receiver, pagerDuty: broken, webhook: broken)
        let first = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        try spend(first, "60")
        #expect(eventually { receiver.all.count == 1 })
        // Its state is stored a moment after the answer.
        #expect(
            try eventually {
                try first.client().request("GET", "/v1/deliveries?state=delivered").text
                    .contains("chat")
            })
        first.kill()
        let second = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        try spend(second, "16")
        #expect(eventually { receiver.all.count == 2 })
        let texts = receiver.all.map(\.text)
        #expect(texts[0].contains("used 60%") && texts[1].contains("used 76%"))
        #expect(
            try eventually {
                let pending = try second.client().request("GET", "/v1/deliveries?state=pending")
                return (try pending.json()["deliveries"] as? [Any])?.count == 4
            })
        second.kill()
    }

    @Test func `a receiver is tested, and says what is wrong`() throws {
        let place = TemporaryDirectory()
        let slack = try RecordingReceiver()
        let pagerDuty = try RecordingReceiver { _, _ in .status(400, body: "invalid routing key") }
        let webhook = try RecordingReceiver()
        let file = try configuration(place, slack: slack, pagerDuty: pagerDuty, webhook: webhook)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        func test(_ receiver: String) throws -> (Int, String) {
            let answer = try server.client().request("POST", "/v1/receivers/\(receiver)/test")
            return (answer.status, answer.text)
        }
        #expect(
            try test("chat") == (200, "{\"receiver\":\"chat\",\"delivered\":true,\"status\":200}\n")
        )
        #expect(slack.all.count == 1 && slack.all[0].text.contains("This is a test"))
        let refused = try test("oncall")
        #expect(refused.0 == 502 && refused.1.contains("answered 400: invalid routing key"))
        #expect(try test("nobody").0 == 404)
        #expect(server.stop() == 0)
        // The same from the command line, without a server.
        let shell = try ChildProcess.run(
            Costgauge.executable, ["test-alert", "--config.file=\(file)", "hook"])
        #expect(shell.status == 0 && shell.output == "hook took the test notification (200)\n")
        let failed = try ChildProcess.run(
            Costgauge.executable, ["test-alert", "--config.file=\(file)", "oncall"])
        #expect(failed.status == 1 && failed.errors.contains("invalid routing key"))
        let unknown = try ChildProcess.run(
            Costgauge.executable, ["test-alert", "--config.file=\(file)", "hok"])
        #expect(unknown.status == 2)
        #expect(
            unknown.errors.contains("there is no receiver \"hok\"; there are chat, oncall, hook"))
    }

    /// By the library that receivers use.
    private func isSigned(_ received: RecordingReceiver.Received) throws -> Bool {
        let program = """
            import json, sys
            from standardwebhooks import Webhook
            given = json.load(sys.stdin)
            Webhook("\(Self.secret)").verify(given["body"], given["headers"])
            """
        let input = try JSONSerialization.data(
            withJSONObject: ["body": received.text, "headers": received.headers])
        let result = try ChildProcess.run(
            Peers.python ?? "", ["-c", program], input: String(decoding: input, as: UTF8.self))
        return result.status == 0
    }

    private static var month: String {
        let formatter = DateFormatter()
        formatter.dateFormat = "yyyy-MM"
        formatter.timeZone = TimeZone(identifier: "UTC")
        return formatter.string(from: Date())
    }
}
