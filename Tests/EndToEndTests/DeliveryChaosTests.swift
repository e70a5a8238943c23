import Foundation
import Synchronization
import TestSupport
import Testing

/// Receivers of every kind at their worst, and the real binary killed in between.
@Suite(.enabled(if: Peers.areInstalled || Peers.areRequired, "make test installs the peers"))
struct DeliveryChaosTests {
    /// Answers as a seed says and remembers the keys of what it took.
    private final class Fickle: Sendable {
        private struct State {
            var random: SeededRandom
            var isCalm = false
            var taken: [String] = []
        }

        private let state: Mutex<State>
        private let success: RecordingReceiver.Answer
        private let keys: @Sendable (RecordingReceiver.Received) -> [String]

        init(
            seed: UInt64, success: RecordingReceiver.Answer = .status(200, body: "ok"),
            keys: @escaping @Sendable (RecordingReceiver.Received) -> [String]
        ) {
            state = Mutex(State(random: SeededRandom(seed: seed)))
            self.success = success
            self.keys = keys
        }

        func calm() { state.withLock { $0.isCalm = true } }
        var taken: [String] { state.withLock { $0.taken } }

        func answer(_ request: RecordingReceiver.Received) -> RecordingReceiver.Answer {
            state.withLock { state in
                let fault = state.isCalm ? 9 : state.random.below(10)
                switch fault {
                case 0: return .status(500)
                case 1: return .status(429, headers: ["Retry-After": "1"])
                case 2: return .hang
                case 3: return .reset
                default:
                    state.taken += keys(request)
                    return success
                }
            }
        }
    }

    private static func tenant(in text: String) -> [String] {
        text.firstMatch(of: /tenant-[0-9]+/).map { [String($0.output)] } ?? []
    }

    @Test(arguments: [1] as [UInt64])
    func `P9 every alert arrives at every kind of receiver, through faults and kills`(
        _ seed: UInt64
    ) throws {
        let place = TemporaryDirectory()
        let one: @Sendable (RecordingReceiver.Received) -> [String] = { Self.tenant(in: $0.text) }
        let fickle = [
            "slack": Fickle(seed: seed, keys: one),
            "pagerduty": Fickle(seed: seed + 1, success: .status(202), keys: one),
            "webhook": Fickle(seed: seed + 2, keys: one),
            "teams": Fickle(seed: seed + 3, success: .status(202), keys: one),
            "alertmanager": Fickle(seed: seed + 4) { request in
                let list = try? JSONSerialization.jsonObject(with: Data(request.body))
                return (list as? [[String: Any]] ?? []).compactMap {
                    ($0["labels"] as? [String: String])?["tenant"]
                }
            },
        ]
        var servers: [String: RecordingReceiver] = [:]
        var lines = ""
        for (type, script) in fickle.sorted(by: { $0.key < $1.key }) {
            let server = try RecordingReceiver { request, _ in script.answer(request) }
            servers[type] = server
            let key = type == "pagerduty" ? ", routing_key: R0" : ""
            lines +=
                "    - {name: \(type), type: \(type), url: \"\(server.url)/x\", timeout: 1s\(key)}\n"
        }
        let mails = try MailServer(["--answers", "451 busy", "250 OK", "421 later", "250 OK"])
        let file = try place.file(
            "costgauge.yaml",
            """
            budgets:
              - {name: monthly, each: [tenant], limit_usd: 100, thresholds: [0.9], burn: false}
            anomalies: {enabled: false}
            alerts:
              receivers:
            \(lines)    - {name: email, type: email, url: "smtp://127.0.0.1:\(mails.port)", require_tls: false,
                   from: c@example.com, to: [a@example.com]}
                - {name: lost, type: webhook, url: "http://no-such-host.invalid/x"}
            """)
        func start() throws -> Costgauge {
            try Costgauge(storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        }
        var random = SeededRandom(seed: seed + 9)
        var expected: Set<String> = []
        let kills = 3
        for round in 0..<kills {
            let server = try start()
            for index in 0..<3 {
                let tenant = "tenant-\(round)\(index)"
                expected.insert(tenant)
                let answer = try server.client().post(
                    "{\"tenant\":\"\(tenant)\",\"cost_usd\":\"95\"}")
                #expect(answer.status == 200)
            }
            usleep(UInt32(random.below(900_000)))
            server.kill()
        }
        for script in fickle.values { script.calm() }
        let server = try start()
        func mailed() -> [String] {
            mails.mails.filter { $0.answer.hasPrefix("250") }.flatMap { Self.tenant(in: $0.key) }
        }
        #expect(
            eventually(seconds: 120) {
                Set(mailed()) == expected
                    && fickle.values.allSatisfy { Set($0.taken) == expected }
            }, "\(fickle.mapValues { $0.taken }) \(mailed())")
        // A kill repeats no more than what was under way; an Alertmanager is told again anyway.
        let atOnce = ["slack": 1, "teams": 1, "pagerduty": 2, "webhook": 8]
        for (type, most) in atOnce {
            let taken = fickle[type]?.taken ?? []
            #expect(taken.count - Set(taken).count <= kills * most, "\(type): \(taken)")
        }
        #expect(mailed().count - expected.count <= kills)
        // A name that cannot be resolved is tried again.
        let waiting = try server.client().request(
            "GET", "/v1/deliveries?state=pending&receiver=lost")
        #expect((try waiting.json()["deliveries"] as? [Any])?.count == expected.count)
        #expect(waiting.text.contains("its host name cannot be resolved"))
        #expect(server.stop() == 0)
    }
}

@Suite struct AcknowledgeTests {
    @Test func `acknowledging an alert acknowledges in PagerDuty, and a heartbeat is sent`() throws
    {
        let place = TemporaryDirectory()
        let pagerDuty = try RecordingReceiver { _, _ in .status(202) }
        let watch = try RecordingReceiver()
        let file = try place.file(
            "costgauge.yaml",
            """
            budgets:
              - {name: monthly, each: [tenant], limit_usd: 100, thresholds: [1.0], burn: false}
            alerts:
              receivers:
                - {name: oncall, type: pagerduty, url: "\(pagerDuty.url)/v2/enqueue", routing_key: R0}
              heartbeat: {url: "\(watch.url)/ping"}
            """)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        let client = try server.client()
        #expect(try client.post(#"{"tenant":"acme","cost_usd":"101"}"#).status == 200)
        #expect(eventually { pagerDuty.all.count == 1 })
        let list = try client.request("GET", "/v1/alerts").json()["alerts"] as? [[String: Any]]
        let id = try #require(list?.first?["id"] as? String)
        #expect(try client.request("POST", "/v1/alerts/alr_none/ack").status == 404)
        let wrong = try client.request(
            "POST", "/v1/alerts/\(id)/ack", body: Array(#"{"who":"ann"}"#.utf8))
        #expect(wrong.status == 400 && wrong.text.contains("there are by"))
        let answer = try client.request(
            "POST", "/v1/alerts/\(id)/ack", body: Array(#"{"by":"ann"}"#.utf8))
        #expect(answer.status == 200)
        #expect(try answer.json()["acknowledged_by"] as? String == "ann")
        #expect(eventually { pagerDuty.all.count == 2 })
        let actions = pagerDuty.all.compactMap { $0.json["event_action"] as? String }
        #expect(actions == ["trigger", "acknowledge"])
        #expect(Set(pagerDuty.all.compactMap { $0.json["dedup_key"] as? String }).count == 1)
        let seen = try client.request("GET", "/v1/alerts?status=acknowledged").text
        #expect(seen.contains(id))
        #expect(watch.all.map(\.path) == ["/ping"])
        let sent = "costgauge_heartbeats_total{outcome=\"sent\"}"
        #expect(try eventually { try server.metrics()[sent] == "1" })
        #expect(server.stop() == 0)
    }
}
