import Alerts
import Delivery
import Testing
import Usage

@testable import Configuration

@Suite struct ReceiversTests {
    private func alerts(_ text: String) throws -> AlertSettings {
        let lines = "alerts:\n" + text.split(separator: "\n").map { "  \($0)\n" }.joined()
        return try Configuration.read(Array(lines.utf8), file: "x.yaml", environment: [:]).alerts
    }

    private let alert = Alert(
        id: "alr_1", dedupKey: "k", kind: .budgetBurn, severity: .critical, title: "t",
        summary: "s", startsAt: 0)

    @Test func `each member of a cluster is a receiver, and routes mean all of them`() throws {
        let settings = try alerts(
            """
            receivers:
              - {name: am, type: alertmanager, urls: ["http://a:9093", "http://b:9093/base/"]}
              - {name: am2, type: alertmanager, url: "http://c:9093", send_resolved: false}
            routes:
              - {match: {kind: budget_burn}, receivers: [am], repeat_interval: 4h}
            """)
        #expect(settings.receivers.map(\.name) == ["am", "am#2", "am2"])
        #expect(settings.receivers.map(\.profile.sendsResolved) == [true, true, false])
        #expect(settings.receivers.allSatisfy { $0.profile.groupsAlerts })
        #expect(settings.router.receivers(for: alert).map(\.name) == ["am", "am#2"])
        #expect(settings.routes.map(\.repeatNanos) == [4 * 3600 * 1_000_000_000])
    }

    @Test func `mail has its envelope, and TLS unless told otherwise`() throws {
        let settings = try alerts(
            """
            receivers:
              - {name: m, type: email, url: "smtp://h:587", from: a@b, to: [c@d, e@f], username: u,
                 password: p, ca_file: /ca.pem}
              - {name: n, type: email, url: "smtps://h", from: a@b, to: [c@d], require_tls: false}
            """)
        let first = Receiver.Mailbox(
            url: "smtp://h:587", from: "a@b", to: ["c@d", "e@f"], user: "u", password: Secret("p"))
        let second = Receiver.Mailbox(url: "smtps://h", from: "a@b", to: ["c@d"], needsTLS: false)
        #expect(settings.receivers.map(\.kind) == [.email(first), .email(second)])
        #expect(first.needsTLS && settings.receivers[0].authorities == "/ca.pem")
        #expect("\(settings)".contains("password: <secret>"))
    }

    @Test func `words of one receiver go before those of all`() throws {
        let settings = try alerts(
            """
            title: "all {{title}}"
            text: "all {{summary}}"
            runbook_url: "https://wiki/{{kind}}"
            receivers:
              - {name: a, type: log, title: "one {{title}}"}
              - {name: b, type: log}
            """)
        let common = settings.receivers[1].wording
        #expect(common.title == (try Template("all {{title}}")))
        #expect(settings.receivers[0].wording.title == (try Template("one {{title}}")))
        #expect(settings.receivers[0].wording.text == common.text)
        #expect(settings.receivers.allSatisfy { $0.wording.runbook != nil })
    }

    @Test func `storms, silence of sources and the heartbeat`() throws {
        let settings = try alerts(
            """
            storm_limit: 20
            ingest_stalled_after: 0s
            heartbeat: {url: "https://hc/x", interval: 30s}
            """)
        #expect(settings.router.stormLimit == 20 && settings.stalledNanos == 0)
        #expect(settings.heartbeat?.intervalNanos == 30_000_000_000)
        let none = try alerts("storm_limit: 0")
        #expect(none.heartbeat == nil && none.stalledNanos == 3600 * 1_000_000_000)
    }
}
