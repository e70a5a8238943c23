import Alerts
import Foundation
import HTTPClient
import JSON
import TestSupport
import Testing
import Usage

@testable import Delivery

@Suite struct AlertmanagerMessageTests {
    private let now: Int64 = 1_795_168_860_000_000_000

    private func sent(_ message: Message, now: Int64? = nil) throws -> JSONValue {
        let body = AlertmanagerMessage.body([message], now: now ?? self.now)
        return try #require(try JSONValue.read(body).array?.first)
    }

    @Test func `labels are what the alert is, amounts are annotations`() throws {
        let alert = try sent(sample())
        let labels = alert["labels"]?.members?.map { "\($0.key)=\($0.value.string ?? "?")" }
        #expect(
            labels == [
                "alertname=CostgaugeBudgetThreshold", "severity=warning", "service=costgauge",
                "kind=budget_threshold",
                "dedup_key=budget_threshold/b/tenant=acme/2026-11/0.9", "budget=b", "tenant=acme",
                "threshold=0.9",
            ])
        let annotations = try #require(alert["annotations"])
        #expect(annotations["summary"]?.string == "acme has used 92% of b")
        #expect(annotations["spent_usd"]?.string == "92.10")
        #expect(annotations["link"]?.string == "http://page/#/alerts/alr_1")
        #expect(alert["startsAt"]?.string == "2026-11-20T10:00:00Z")
        #expect(alert["endsAt"]?.string == "2026-11-20T10:05:00Z")
        // The same identity whatever was spent since, and when it is over.
        var later = sample()
        later.alert.budget?.spent = NanoUSD(nanos: 99_000_000_000)
        #expect(
            AlertmanagerMessage.labels(of: later.alert).map(\.1)
                == AlertmanagerMessage.labels(of: sample().alert).map(\.1))
        let over = try sent(sample(status: .resolved))
        #expect(over["labels"] == alert["labels"])
        #expect(over["endsAt"]?.string == "2026-11-20T10:01:00Z")
    }

    @Test func `names of tags and details become label names that every release takes`() throws {
        var message = sample()
        message.alert.budget?.scope = [.init(dimension: "tags.cost-center", value: "7")]
        message.alert.details = [
            .init("anomaly_kind", "user_spike"), .init("observed_usd", "41.20"),
            .init("9lives", "cat"), .init("severity", "hacked"), .init("empty", ""),
        ]
        let alert = try sent(message)
        let labels = try #require(alert["labels"])
        #expect(labels["tags_cost_center"]?.string == "7" && labels["_9lives"]?.string == "cat")
        #expect(labels["severity"]?.string == "warning" && labels["empty"] == nil)
        #expect(labels["observed_usd"] == nil)
        #expect(alert["annotations"]?["observed_usd"]?.string == "41.20")
    }

    @Test func `an end is never before its start`() throws {
        var message = sample(status: .resolved)
        message.alert.endsAt = 0
        let alert = try sent(message, now: 5)
        #expect(alert["endsAt"]?.string == alert["startsAt"]?.string)
    }
}

@Suite struct TeamsMessageTests {
    private func texts(_ message: Message) throws -> [String] {
        let card = try JSONValue.read(TeamsMessage.body(message))
        let content = card["attachments"]?.array?.first?["content"]
        return (content?["body"]?.array ?? []).map { block in
            (block["inlines"]?.array ?? []).compactMap { $0["text"]?.string }.joined()
        }
    }

    @Test func `the card has the text, the amounts and the links`() throws {
        var message = sample()
        message.runbook = "https://wiki/x"
        #expect(
            try texts(message) == [
                "⚠️ acme has used 92% of b", "$92.10 of $100.00 this month",
                "Spent  $92.10 of $100.00", "Budget  b",
                "At this pace  $131 by the end of the period", "tenant  acme",
                "user  <u&1> $61.00",
            ])
        let card = try JSONValue.read(TeamsMessage.body(message))
        #expect(card["type"]?.string == "message")
        let content = card["attachments"]?.array?.first?["content"]
        #expect(content?["version"]?.string == "1.4")
        #expect(
            content?["actions"]?.array?.compactMap { $0["url"]?.string }
                == ["http://page/#/alerts/alr_1", "https://wiki/x"])
        // Text runs know no Markdown; text blocks would.
        let kinds = Set((content?["body"]?.array ?? []).compactMap { $0["type"]?.string })
        #expect(kinds == ["RichTextBlock"])
    }

    @Test(arguments: ["x", "🙂", "\u{1}", "\"", "[a](http://b)"])
    func `the longest card stays under 28 KB`(_ unit: String) throws {
        let long = String(repeating: unit, count: 5000)
        var message = sample(tenant: long, summary: long)
        message.alert.budget?.scope = (0..<9).map { .init(dimension: "tags.\($0)", value: long) }
        message.top = (0..<6).map { _ in
            TopSpender(dimension: "user", value: long, cost: NanoUSD(nanos: 1))
        }
        message.link = "http://page/" + String(repeating: "x", count: 1900)
        message.runbook = "http://page/" + String(repeating: "x", count: 5000)
        let body = TeamsMessage.body(message)
        #expect(body.count <= TeamsMessage.bytesMax && body.count > 4000)
        #expect(try JSONValue.read(body)["type"]?.string == "message")
    }

    @Test func `a connector that says in words that it failed has failed`() {
        func verdict(_ status: Int, _ body: String) -> Verdict {
            Verdict(
                .success(HTTPClientResponse(status: status, body: Array(body.utf8))),
                from: DeliveryHarness.teams("t"), now: 0)
        }
        #expect(verdict(202, "") == .delivered(status: 202))
        #expect(verdict(200, "1") == .delivered(status: 200))
        guard case .failed = verdict(200, "Webhook message delivery failed with error: 429") else {
            Issue.record("taken for a success")
            return
        }
    }
}

@Suite struct EmailMessageTests {
    private let mailbox = Receiver.Mailbox(
        url: "smtp://h", from: "costgauge@example.com", to: ["a@example.com", "b@example.com"])

    private func text(_ message: Message) -> String {
        String(
            decoding: EmailMessage.body(message, mailbox, now: 1_795_168_860_000_000_000),
            as: UTF8.self)
    }

    @Test func `a mail has its headers, and its end answers the first one`() throws {
        let head = text(sample()).components(separatedBy: "\r\n\r\n")[0]
        #expect(
            head.components(separatedBy: "\r\n") == [
                "From: costgauge <costgauge@example.com>", "To: a@example.com,", " b@example.com",
                "Subject: [warning] acme has used 92% of b",
                "Date: Fri, 20 Nov 2026 10:01:00 +0000",
                "Message-ID: <alr_1-firing@example.com>",
                "X-Costgauge-Dedup-Key: budget_threshold/b/tenant=acme/2026-11/0.9",
                "Auto-Submitted: auto-generated", "MIME-Version: 1.0",
                "Content-Type: multipart/alternative; boundary=\"costgauge-alr_1\"",
            ])
        let over = text(sample(status: .resolved))
        #expect(over.contains("Message-ID: <alr_1-resolved@example.com>\r\n"))
        #expect(over.contains("In-Reply-To: <alr_1-firing@example.com>\r\n"))
    }

    @Test(arguments: ["\r\nBcc: x@evil.example", "\nX: y", "a\u{0}b", "=?UTF-8?Q?=0D=0A?=", "é"])
    func `no name begins a header or ends them`(_ name: String) {
        let mail = text(sample(tenant: name))
        let lines = mail.components(separatedBy: "\r\n\r\n")[0].components(separatedBy: "\r\n")
        let names = lines.filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }
        #expect(
            names == [
                "From", "To", "Subject", "Date", "Message-ID", "X-Costgauge-Dedup-Key",
                "Auto-Submitted", "MIME-Version", "Content-Type",
            ])
        #expect(
            lines.allSatisfy {
                $0.utf8.count <= ($0.contains("=?") ? 78 : 230)
                    && $0.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
            })
    }

    /// Read back by Python's own parser.
    @Test(arguments: ["x", "é", "🙂", "<b>&\"", "\r\nBcc: x@evil.example\r\n\r\n", "."])
    func `any program reads the same text back`(_ unit: String) throws {
        guard let python = Peers.python else { return }
        let long = String(repeating: unit, count: 200)
        let program = """
            import sys, json
            from email import message_from_bytes, policy
            mail = message_from_bytes(sys.stdin.buffer.read(), policy=policy.default)
            parts = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}
            print(json.dumps({"subject": mail["Subject"], "plain": parts["text/plain"],
                "html": parts["text/html"], "defects": len(mail.defects), "bcc": mail["Bcc"]}))
            """
        let run = try ChildProcess.run(
            python, ["-c", program], input: text(sample(tenant: "t", summary: "(" + long + ")")))
        let read = try JSONValue.read(Array(run.output.utf8))
        let plain = try #require(read["plain"]?.string, "\(run.errors)")
        #expect(
            plain.replacingOccurrences(of: "\r\n", with: "\n").contains(
                "(" + long.replacingOccurrences(of: "\r\n", with: "\n") + ")"))
        #expect(read["html"]?.string?.contains("<b>&\"") == false)
        #expect(read["defects"]?.literal == "0" && read["bcc"]?.string == nil)
        let named = text(sample(tenant: long))
        let other = try ChildProcess.run(python, ["-c", program], input: named)
        let subject = try JSONValue.read(Array(other.output.utf8))["subject"]?.string ?? ""
        let clean = String(
            long.unicodeScalars.filter { $0 != "\r" && $0 != "\n" }.map { Character($0) })
        #expect(subject.filter { !$0.isNewline }.hasPrefix("[warning] " + clean.prefix(50)))
    }

    @Test(arguments: [
        ("a@example.com", true), ("a.b+c@x-y.example", true), ("a", false), ("a@", false),
        ("a@b\r\nRCPT TO:<x@y>", false), ("<a@b>", false), ("a b@c", false), ("a@b@c", false),
        ("a,b@c", false),
    ])
    func `only plain addresses are taken`(_ text: String, _ isOne: Bool) {
        #expect(Receiver.Mailbox.isAddress(text) == isOne)
    }

    @Test(arguments: [
        ("smtp://h", true), ("smtps://mail.example.com:465", true), ("smtp://h:0", false),
        ("smtp://h/path", false), ("smtp://", false), ("http://h", false), ("smtp://u:p@h", false),
        ("smtp://h:25:26", false),
    ])
    func `only addresses of mail servers are taken`(_ text: String, _ isOne: Bool) {
        #expect(Receiver.Mailbox.isURL(text) == isOne)
    }

    @Test func `SMTP's codes say what is worth another try`() {
        func verdict(_ status: Int, _ body: String = "") -> Verdict {
            Verdict(
                .success(HTTPClientResponse(status: status, body: Array(body.utf8))),
                from: DeliveryHarness.email("m"), now: 0)
        }
        #expect(verdict(250) == .delivered(status: 250))
        #expect(
            verdict(250, "550 no such user\r\n")
                == .delivered(
                    status: 250, note: "refused for some recipients: 550 no such user"))
        #expect(
            verdict(451) == .failed(status: 451, error: "answered 451", pauseNanos: nil))
        #expect(verdict(550) == .refused(status: 550, error: "answered 550"))
    }
}
