import Foundation
import TestSupport
import Testing

/// The real binary's notifications, taken by the real programs that they are for.
@Suite(.enabled(if: Peers.areInstalled || Peers.areRequired, "make test installs the peers"))
struct ReceiverPeersTests {
    /// A real Alertmanager without a cluster; it tells `webhook` of each group.
    private final class Alertmanager {
        let child: ChildProcess
        let port: UInt16
        private let directory = TemporaryDirectory()

        init(telling webhook: String) throws {
            let file = try directory.file(
                "alertmanager.yml",
                """
                route:
                  receiver: hook
                  group_by: [alertname, budget]
                  group_wait: 1s
                  group_interval: 1s
                receivers:
                  - name: hook
                    webhook_configs: [{url: "\(webhook)", send_resolved: true}]
                """)
            var attempt = 0
            while true {
                let port = Peers.freePort()
                let child = try ChildProcess(
                    Peers.alertmanager ?? "",
                    [
                        "--config.file=\(file)", "--storage.path=\(directory.path)/data",
                        "--web.listen-address=127.0.0.1:\(port)", "--cluster.listen-address=",
                    ])
                let isReady = eventually {
                    !child.process.isRunning
                        || (try? TestHTTPClient(port: port).request("GET", "/-/ready").status)
                            == 200
                }
                attempt += 1
                if isReady && child.process.isRunning || attempt == 5 {
                    self.port = port
                    self.child = child
                    return
                }
            }
        }

        deinit {
            child.signal(SIGTERM)
            child.wait()
        }

        /// Labels of what it holds, by the tenant.
        func alerts() throws -> [String: [String: String]] {
            let answer = try TestHTTPClient(port: port).request("GET", "/api/v2/alerts")
            let list = try JSONSerialization.jsonObject(with: Data(answer.text.utf8))
            var alerts: [String: [String: String]] = [:]
            for alert in list as? [[String: Any]] ?? [] {
                guard let labels = alert["labels"] as? [String: String] else { continue }
                alerts[labels["tenant"] ?? ""] = labels
            }
            return alerts
        }
    }

    private func configuration(
        _ place: TemporaryDirectory, receivers: String, limit: Int = 100
    ) throws -> String {
        try place.file(
            "costgauge.yaml",
            """
            budgets:
              - {name: monthly, each: [tenant], limit_usd: \(limit), thresholds: [0.9], burn: false}
            alerts:
              runbook_url: "https://wiki.example.com/{{kind}}"
              receivers:
            \(receivers)
            """)
    }

    private func spend(_ server: Costgauge, _ dollars: String, tenant: String) throws {
        let body = try JSONSerialization.data(
            withJSONObject: ["tenant": tenant, "user": "u-17", "cost_usd": dollars])
        let answer = try server.client().post(String(decoding: body, as: UTF8.self))
        #expect(answer.status == 200, "\(answer.text)")
    }

    @Test func `Alertmanager takes, groups and resolves our alerts, in each member of a cluster`()
        throws
    {
        let place = TemporaryDirectory()
        let hook = try RecordingReceiver()
        let other = try RecordingReceiver()
        let members = [
            try Alertmanager(telling: hook.url), try Alertmanager(telling: other.url),
        ]
        let urls = members.map { "\"http://127.0.0.1:\($0.port)\"" }.joined(separator: ", ")
        let receivers = "    - {name: am, type: alertmanager, urls: [\(urls)]}"
        let file = try configuration(place, receivers: receivers)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        try spend(server, "92.10", tenant: "acme")
        try spend(server, "95", tenant: "Ümlaut <&> \"x\"")
        for member in members {
            #expect(try eventually { try member.alerts().count == 2 })
        }
        let labels = try #require(try members[1].alerts()["acme"])
        #expect(labels["alertname"] == "CostgaugeBudgetThreshold" && labels["budget"] == "monthly")
        #expect(labels["threshold"] == "0.9" && labels["severity"] == "warning")
        // One group holds both; it says what a person needs.
        func groups(_ status: String) -> [[[String: Any]]] {
            hook.all.map(\.json).filter { $0["status"] as? String == status }
                .compactMap { $0["alerts"] as? [[String: Any]] }
        }
        #expect(eventually { groups("firing").contains { $0.count == 2 } })
        let told = groups("firing").last?.first { alert in
            (alert["labels"] as? [String: String])?["tenant"] == "acme"
        }
        let annotations = try #require(told?["annotations"] as? [String: String])
        #expect(annotations["summary"] == "acme has used 92% of monthly")
        #expect(annotations["spent_usd"] == "92.10" && annotations["limit_usd"] == "100.00")
        #expect(annotations["runbook_url"] == "https://wiki.example.com/budget_threshold")
        #expect((told?["generatorURL"] as? String)?.contains("/#/alerts/alr_") == true)
        // The limit is raised: both are over, everywhere.
        _ = try configuration(place, receivers: receivers, limit: 400)
        #expect(try server.client().request("POST", "/-/reload").status == 200)
        #expect(eventually { groups("resolved").contains { $0.count == 2 } })
        #expect(eventually { other.all.contains { $0.json["status"] as? String == "resolved" } })
        for member in members { #expect(try eventually { try member.alerts().isEmpty }) }
        let page = try server.metrics()
        for name in ["am", "am#2"] {
            #expect(
                page["costgauge_notifications_total{receiver=\"\(name)\",outcome=\"delivered\"}"]
                    == "4")
        }
        let test = try server.client().request("POST", "/v1/receivers/am/test")
        #expect(test.status == 200, "\(test.text)")
        #expect(server.stop() == 0)
    }

    /// A certificate of localhost that is its own authority.
    private func certificate(_ place: TemporaryDirectory) throws -> (file: String, key: String) {
        let (file, key) = (place.path + "/cert.pem", place.path + "/key.pem")
        let run = try ChildProcess.run(
            try #require(ChildProcess.find("openssl")),
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                key, "-out", file,
            ])
        #expect(run.status == 0, "\(run.errors)")
        return (file, key)
    }

    @Test func `a mail reaches several people over STARTTLS with a login, and so does its end`()
        throws
    {
        let place = TemporaryDirectory()
        let (file, key) = try certificate(place)
        let mails = try MailServer([
            "--tls", file, key, "--login", "costgauge", "s3cret-pass", "--answers",
            "451 4.3.0 busy",
        ])
        let password = try place.file("password", "s3cret-pass\n")
        let receivers = """
                - name: mail
                  type: email
                  url: "smtp://localhost:\(mails.port)"
                  from: costgauge@example.com
                  to: [a@example.com, gone@example.com, b@example.com]
                  username: costgauge
                  password_file: \(password)
                  ca_file: \(file)
                  send_resolved: true
            """
        let path = try configuration(place, receivers: receivers)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(path)"])
        try spend(server, "92.10", tenant: "Söhne\r\nBcc: evil@example.com")
        // The first attempt is told to come again.
        #expect(eventually { mails.mails.count == 2 })
        #expect(mails.mails.map(\.answer) == ["451 4.3.0 busy", "250 OK"])
        let mail = try #require(mails.mails.last)
        #expect(mail.from == "costgauge@example.com")
        #expect(mail.to == ["a@example.com", "b@example.com"])
        #expect(mail.tls && mail.login && mail.defects == 0)
        #expect(mail.subject.hasPrefix("[warning] Söhne"))
        #expect(mail.plain.contains("$92.10 of $100.00"))
        #expect(mail.html.contains("Open in costgauge") && mail.html.contains("Runbook"))
        #expect(mail.key.hasPrefix("budget_threshold/monthly/tenant=S"))
        #expect(mails.mails[0].id == mail.id)
        // The one that is gone is known, the others have their mail.
        #expect(
            try eventually {
                try server.client().request("GET", "/v1/deliveries?state=delivered").text
                    .contains("refused for some recipients: 550 5.1.1 <gone@example.com>")
            })
        _ = try configuration(place, receivers: receivers, limit: 400)
        #expect(try server.client().request("POST", "/-/reload").status == 200)
        #expect(eventually { mails.mails.count == 3 })
        let end = try #require(mails.mails.last)
        #expect(end.reply == mail.id && end.subject.hasPrefix("[warning] Resolved: "))
        #expect(server.stop() == 0)
        #expect(!server.child.standardError.contains("s3cret-pass"))
    }

    @Test func `mail is refused without TLS, with a foreign certificate and with a wrong password`()
        throws
    {
        let place = TemporaryDirectory()
        let (file, key) = try certificate(place)
        let plain = try MailServer()
        let strict = try MailServer(["--tls", file, key, "--login", "u", "right-password"])
        let implicit = try MailServer(["--tls", file, key, "--implicit"])
        func receiver(_ name: String, _ url: String, _ more: String) -> String {
            "    - {name: \(name), type: email, url: \"\(url)\", from: c@example.com, "
                + "to: [a@example.com]\(more)}\n"
        }
        let tls = ", ca_file: \(file)"
        let path = try configuration(
            place,
            receivers: receiver("insecure", "smtp://localhost:\(plain.port)", "")
                + receiver("allowed", "smtp://localhost:\(plain.port)", ", require_tls: false")
                + receiver("foreign", "smtp://localhost:\(strict.port)", "")
                + receiver(
                    "wrong", "smtp://localhost:\(strict.port)",
                    ", username: u, password: wrong-password\(tls)")
                + receiver("implicit", "smtps://localhost:\(implicit.port)", tls))
        func test(_ name: String) throws -> (status: Int32, text: String) {
            let run = try ChildProcess.run(
                Costgauge.executable, ["test-alert", "--config.file=\(path)", name])
            return (run.status, run.output + run.errors)
        }
        let insecure = try test("insecure")
        #expect(insecure.status == 1 && insecure.text.contains("TLS handshake was refused"))
        #expect(plain.mails.isEmpty)
        #expect(try test("allowed").text == "allowed took the test notification (250)\n")
        #expect(plain.mails.count == 1 && plain.mails[0].subject.contains("Test: acme"))
        #expect(try test("foreign").text.contains("certificate or TLS handshake was refused"))
        let wrong = try test("wrong")
        #expect(wrong.status == 1 && wrong.text.contains("answered 535"), "\(wrong.text)")
        #expect(!wrong.text.contains("wrong-password") && strict.mails.isEmpty)
        #expect(try test("implicit").status == 0)
        #expect(implicit.mails.count == 1 && implicit.mails[0].tls)
    }

    @Test func `a card reaches Teams, and an address that is gone is a dead letter`() throws {
        let place = TemporaryDirectory()
        let teams = try RecordingReceiver { request, _ in
            request.path == "/flow" ? .status(202) : .status(410)
        }
        let path = try configuration(
            place,
            receivers: """
                    - {name: team, type: teams, url: "\(teams.url)/flow", title: "[{{tenant}}] {{title}}"}
                    - {name: gone, type: teams, url: "\(teams.url)/gone"}
                """)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(path)"])
        try spend(server, "92.10", tenant: "acme")
        #expect(
            eventually {
                teams.all.contains {
                    $0.text.contains("delivery_failed")
                        || $0.text.contains("gone does not receive alerts")
                }
            })
        let card = try #require(teams.all.first { $0.path == "/flow" })
        #expect(card.json["type"] as? String == "message")
        #expect(card.text.contains("[acme] acme has used 92% of monthly"))
        #expect(try server.metrics()["costgauge_dead_letters{receiver=\"gone\"}"] == "1")
        #expect(server.stop() == 0)
    }
}
