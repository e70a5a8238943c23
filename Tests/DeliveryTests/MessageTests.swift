import Alerts
import HTTPClient
import JSON
import Testing
import Usage
import Wire

@testable import Delivery

func sample(
    tenant: String = "acme", status: AlertStatus = .firing, severity: Severity = .warning,
    summary: String = "$92.10 of $100.00 this month"
) -> Message {
    var alert = Alert(
        id: "alr_1", dedupKey: "budget_threshold/b/tenant=\(tenant)/2026-11/0.9",
        kind: .budgetThreshold, severity: severity, title: "\(tenant) has used 92% of b",
        summary: summary, startsAt: 1_795_168_800_000_000_000)
    alert.budget = AlertBudget(
        name: "b", scope: [.init(dimension: "tenant", value: tenant)],
        periodStart: 1_793_491_200, periodEnd: 1_796_083_200,
        limit: NanoUSD(nanos: 100_000_000_000), spent: NanoUSD(nanos: 92_100_000_000),
        threshold: "0.9", crossed: ["0.75", "0.9"], forecast: NanoUSD(nanos: 131_020_000_000),
        breachAt: 1_795_300_000)
    if status == .resolved {
        alert.status = .resolved
        alert.endsAt = 1_795_200_000_000_000_000
        alert.resolution = "the limit is now $200.00"
    }
    return Message(
        alert: alert, status: status,
        top: [TopSpender(dimension: "user", value: "<u&1>", cost: NanoUSD(nanos: 61_000_000_000))],
        link: "http://page/#/alerts/alr_1")
}

private func json(_ bytes: [UInt8]) throws -> JSONValue { try JSONValue.read(bytes) }

@Suite struct SlackMessageTests {
    private func blocks(_ message: Message) throws -> [JSONValue] {
        let body = try json(SlackMessage.body(message))
        return body["attachments"]?.array?.first?["blocks"]?.array ?? []
    }

    @Test func `a message has a bar, the amounts, the pace and the top spenders`() throws {
        let blocks = try blocks(sample())
        #expect(
            blocks.compactMap { $0["type"]?.string }
                == ["header", "section", "section", "context", "section"])
        #expect(blocks[0]["text"]?["text"]?.string == "⚠️ acme has used 92% of b")
        #expect(
            blocks[1]["text"]?["text"]?.string
                == "`██████████████████░░ 92%`\n$92.10 of $100.00 this month")
        let fields = blocks[2]["fields"]?.array?.compactMap { $0["text"]?.string }
        #expect(
            fields == [
                "*Spent*\n$92.10 of $100.00", "*At this pace*\n$131 by the end of the period",
                "*Budget*\nb", "*tenant*\nacme",
            ])
        #expect(
            blocks[3]["elements"]?.array?.first?["text"]?.string
                == "Most spent by: user &lt;u&amp;1&gt; $61.00")
        let body = try json(SlackMessage.body(sample()))
        #expect(
            body["text"]?.string == "acme has used 92% of b: $92.10 of $100.00 this month")
        #expect(body["attachments"]?.array?.first?["color"]?.string == "#ecb22e")
    }

    @Test func `an end says why`() throws {
        let blocks = try blocks(sample(status: .resolved))
        #expect(blocks[0]["text"]?["text"]?.string == "✅ Resolved: acme has used 92% of b")
        #expect(
            blocks[1]["text"]?["text"]?.string?.hasSuffix(
                "It is over: the limit is now $200.00.") == true)
    }

    @Test func `names call nobody`() throws {
        let text = String(
            decoding: SlackMessage.body(sample(tenant: "<!channel> & co")), as: UTF8.self)
        // A header is plain text: Slack shows it as it is.
        #expect(text.components(of: "<!channel>") == 1)
        #expect(text.contains("&lt;!channel&gt; &amp; co"))
    }

    @Test(arguments: ["x", "é", "🙂", "<", "&"])
    func `the longest texts stay within Slack's limits`(_ unit: String) throws {
        let long = String(repeating: unit, count: 5000)
        var message = sample(tenant: long, summary: long)
        message.top = (0..<6).map {
            TopSpender(dimension: "user", value: "\($0)" + long, cost: NanoUSD(nanos: 1))
        }
        let body = try json(SlackMessage.body(message))
        func length(_ value: JSONValue?) -> Int { value?.string?.unicodeScalars.count ?? 0 }
        #expect(length(body["text"]) <= 4000 && length(body["text"]) > 3000)
        for block in try blocks(message) {
            let limit = block["type"]?.string == "header" ? 150 : 3000
            #expect(length(block["text"]?["text"]) <= limit)
            for field in block["fields"]?.array ?? [] { #expect(length(field["text"]) <= 2000) }
            #expect((block["fields"]?.array?.count ?? 0) <= 10)
            for element in block["elements"]?.array ?? [] {
                #expect(length(element["text"]) <= 3000)
            }
        }
    }

    @Test(arguments: [(0, 0), (49, 0), (50, 1), (999, 19), (1000, 20), (5000, 20)])
    func `the bar is full only at the limit`(_ mille: Int64, _ full: Int) {
        let budget = AlertBudget(
            name: "b", scope: [], periodStart: 0, periodEnd: 1, limit: NanoUSD(nanos: 1000),
            spent: NanoUSD(nanos: mille))
        #expect(SlackMessage.bar(budget).filter { $0 == "█" }.count == full)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.firstRange(of: part) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }
}

@Suite struct PagerDutyMessageTests {
    @Test func `a trigger and its resolve carry the same keys`() throws {
        let trigger = try json(PagerDutyMessage.body(sample(), routingKey: "R"))
        #expect(trigger["event_action"]?.string == "trigger")
        #expect(trigger["payload"]?["severity"]?.string == "warning")
        #expect(trigger["payload"]?["source"]?.string == "tenant=acme")
        #expect(trigger["payload"]?["timestamp"]?.string == "2026-11-20T10:00:00Z")
        #expect(
            trigger["payload"]?["custom_details"]?["budget"]?["spent_usd"]?.string == "92.10")
        let resolve = try json(PagerDutyMessage.body(sample(status: .resolved), routingKey: "R"))
        #expect(resolve["event_action"]?.string == "resolve")
        for key in ["routing_key", "dedup_key"] {
            #expect(trigger[key]?.string == resolve[key]?.string && trigger[key] != nil)
        }
        #expect(resolve["payload"] == nil)
    }

    @Test func `long keys and texts fit, and different keys stay different`() throws {
        let long = String(repeating: "ü", count: 2000)
        let first = try json(PagerDutyMessage.body(sample(tenant: long + "1"), routingKey: "R"))
        let second = try json(PagerDutyMessage.body(sample(tenant: long + "2"), routingKey: "R"))
        let key = try #require(first["dedup_key"]?.string)
        #expect(key.unicodeScalars.count == 255 && key != second["dedup_key"]?.string)
        #expect(
            (first["payload"]?["summary"]?.string?.unicodeScalars.count ?? 0) == 1024)
        #expect((first["payload"]?["source"]?.string?.unicodeScalars.count ?? 0) <= 255)
    }
}

/// The limits of https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
private func faults(of event: JSONValue, bytes: Int) -> [String] {
    var faults: [String] = []
    func check(_ name: String, _ text: String?, _ max: Int, isNeeded: Bool = true) {
        let count = text?.unicodeScalars.count ?? 0
        if count > max || isNeeded && count == 0 { faults.append("\(name) has \(count)") }
    }
    check("routing_key", event["routing_key"]?.string, 32)
    check("dedup_key", event["dedup_key"]?.string, 255)
    if bytes > 512_000 { faults.append("\(bytes) bytes") }
    switch event["event_action"]?.string {
    case "resolve", "acknowledge": return faults
    case "trigger": break
    default: faults.append("event_action")
    }
    let payload = event["payload"]
    check("summary", payload?["summary"]?.string, 1024)
    check("source", payload?["source"]?.string, 255)
    check("group", payload?["group"]?.string, 255, isNeeded: false)
    if !["critical", "error", "warning", "info"].contains(payload?["severity"]?.string ?? "") {
        faults.append("severity")
    }
    let time = Array((payload?["timestamp"]?.string ?? "").utf8)
    if RFC3339.read(time.span) == nil { faults.append("timestamp") }
    for link in event["links"]?.array ?? [] {
        if link["href"]?.string?.hasPrefix("http") != true { faults.append("links") }
    }
    return faults
}

extension PagerDutyMessageTests {
    @Test(arguments: ["x", "é", "🙂", "<", "&", "\u{1}", "\n", "\"", "\\"])
    func `every event keeps to the documented limits`(_ unit: String) throws {
        for count in [1, 254, 5000] {
            for status in [AlertStatus.firing, .resolved, .acknowledged] {
                let long = String(repeating: unit, count: count)
                var message = sample(tenant: long, summary: long)
                message.status = status
                message.alert.budget?.name = long
                message.top = (0..<6).map { _ in
                    TopSpender(dimension: "user", value: long, cost: NanoUSD(nanos: 1))
                }
                message.runbook = "https://wiki/x"
                let body = PagerDutyMessage.body(
                    message, routingKey: "0123456789abcdef0123456789abcdef")
                #expect(faults(of: try json(body), bytes: body.count) == [])
            }
        }
        #expect(faults(of: .object([]), bytes: 600_000).count > 5)
    }
}

@Suite struct WebhookMessageTests {
    private let secrets = [
        Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        Secret("C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
    ]

    /// The vector of the specification's own libraries.
    @Test func `signatures are those of the specification`() {
        let message = sample()
        let headers = WebhookMessage.headers(
            message, Array(#"{"test": 2432232314}"#.utf8), secrets: [secrets[0]],
            unixSeconds: 1_614_265_330)
        #expect(headers.first { $0.name == "webhook-id" }?.value == "alr_1-firing")
        #expect(headers.first { $0.name == "webhook-signature" }?.value.hasPrefix("v1,") == true)
    }

    @Test func `two secrets sign while they are rotated, none leaves the header out`() {
        func signatures(_ secrets: [Secret]) -> String? {
            WebhookMessage.headers(sample(), [], secrets: secrets, unixSeconds: 1)
                .first { $0.name == "webhook-signature" }?.value
        }
        let both = signatures(secrets)?.split(separator: " ").map(String.init)
        #expect(both == secrets.compactMap { signatures([$0]) } && both?.count == 2)
        #expect(signatures([]) == nil)
    }

    @Test func `the body is the documented one`() throws {
        let body = try json(WebhookMessage.body(sample()))
        #expect(body["type"]?.string == "budget_threshold.firing")
        #expect(
            body["data"]?["budget"]?["crossed"]?.array?.compactMap(\.literal) == ["0.75", "0.9"])
        #expect(body["data"]?["budget"]?["utilization"]?.literal == "0.921")
        #expect(body["data"]?["links"]?["self"]?.string == "http://page/#/alerts/alr_1")
        #expect(body["data"]?["top"]?.array?.first?["cost_usd"]?.string == "61.00")
        let over = try json(WebhookMessage.body(sample(status: .resolved)))
        #expect(over["type"]?.string == "budget_threshold.resolved")
        #expect(over["timestamp"]?.string == over["data"]?["ends_at"]?.string)
    }

    @Test func `an alert that ended before its first notification still says that it fired`() throws
    {
        var alert = sample(status: .resolved).alert
        alert.status = .resolved
        let body = try json(WebhookMessage.body(Message(alert: alert, status: .firing)))
        #expect(body["type"]?.string == "budget_threshold.firing")
        #expect(body["data"]?["status"]?.string == "firing" && body["data"]?["ends_at"] == nil)
    }
}

@Suite struct VerdictTests {
    @Test func `an answer that repeats a secret is not quoted`() {
        func error(_ body: String, _ receiver: Receiver) -> String {
            let outcome = HTTPClientOutcome.success(
                HTTPClientResponse(status: 400, body: Array(body.utf8)))
            guard case .refused(_, let error) = Verdict(outcome, from: receiver, now: 0) else {
                return ""
            }
            return error
        }
        var receiver = Receiver(
            profile: ReceiverProfile(name: "x"),
            kind: .slack(url: Secret("https://h/services/T0SECRET?token=abcdef99")))
        receiver.headers = [.init(name: "X-Key", value: Secret("hunter22"))]
        for secret in ["/services/T0SECRET", "token abcdef99", "hunter22"] {
            #expect(
                error("no: \(secret)", receiver)
                    == "answered 400: its answer repeats a secret and is not shown")
        }
        #expect(error("no_service", receiver) == "answered 400: no_service")
    }
}
