import Foundation
import TestSupport
import Testing

@Suite struct PageTests {
    private static let files = [
        "app.js", "api.js", "chart.js", "spend.js", "text.js", "watch.js", "page.css", "icon.svg",
    ]

    @Test func `the page comes whole from the binary, small, and lets nothing else in`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        let page = try client.request("GET", "/")
        #expect(page.status == 200)
        #expect(page.headers["content-type"] == "text/html; charset=utf-8")
        let policy = page.headers["content-security-policy"] ?? ""
        #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'"))
        #expect(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"))
        var weight = page.body.count
        let source = Costgauge.repository + "/Sources/Web/"
        for name in Self.files {
            let file = try client.request("GET", "/web/\(name)")
            #expect(file.status == 200, "\(name)")
            #expect(file.text == (try String(contentsOfFile: source + name, encoding: .utf8)))
            #expect(file.headers["content-security-policy"] == policy)
            weight += file.body.count
        }
        #expect(weight < 100_000)
        #expect(try client.request("GET", "/web/nothing.js").status == 404)
        // Nothing on the page comes from elsewhere, and no handler stands in the markup.
        let asked = page.text.matches(of: /(?:src|href)="([^"]+)"/).map { String($0.1) }
        #expect(asked.allSatisfy { $0.hasPrefix("/") || $0.hasPrefix("#") }, "\(asked)")
        #expect(page.text.firstMatch(of: /\son[a-z]+=|style=|<script>/) == nil)
        for name in Self.files {
            let text = try String(contentsOfFile: source + name, encoding: .utf8)
            let addresses = text.matches(of: /https?:\/\/[^"\s]+/).map { String($0.0) }
            #expect(addresses.allSatisfy { $0 == "http://www.w3.org/2000/svg" }, "\(addresses)")
            #expect(!text.contains("innerHTML"), "\(name)")
        }
    }

    /// What the script of the browser found wrong, a line each.
    private static func browse(
        _ port: UInt16, zone: String, _ arguments: [String] = []
    ) throws -> String {
        let place = TemporaryDirectory()
        let folder = ProcessInfo.processInfo.environment["SCREENSHOTS"] ?? place.path
        let script = Costgauge.repository + "/Tests/EndToEndTests/Python/page.py"
        let run = try ChildProcess.run(
            try #require(Peers.python),
            [script, "http://127.0.0.1:\(port)/", folder] + arguments,
            environment: ["TZ": zone])
        #expect(run.status == 0, "\(run.errors)")
        return run.output
    }

    @Test(.enabled(if: Peers.chromium != nil, "make test installs the peers"))
    func `in a real browser the demo fills every part, filters work and nothing is unreadable`()
        throws
    {
        // Slow enough for the runaway to stay within the page's seven days.
        let demo = try Demo(speed: 600)
        let isTold = try eventually(seconds: 240) {
            try TestHTTPClient(port: demo.port).request("GET", "/v1/alerts").text
                .contains("granite-bank has used")
        }
        #expect(isTold)
        let problems = try Self.browse(demo.port, zone: "Pacific/Chatham")
        #expect(problems == "", "\(problems)")
    }

    @Test(.enabled(if: Peers.chromium != nil, "make test installs the peers"))
    func `the page of a new sidecar says what is missing instead of showing nothing`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        let problems = try Self.browse(server.port, zone: "America/St_Johns", ["empty"])
        #expect(problems == "", "\(problems)")
    }

    @Test(.enabled(if: Peers.chromium != nil, "make test installs the peers"))
    func `names without a space break in their card and widen nothing on the page`() throws {
        let place = TemporaryDirectory()
        let hook = try RecordingReceiver { _, _ in .status(200) }
        let long = String(repeating: "n", count: 50)
        let file = try place.file(
            "c.yaml",
            """
            budgets:
              - {name: "a-day-\(long)", each: [tenant, user], limit_usd: 5, period: day, burn: false}
              - {name: in-any-day, each: [tenant], rolling: 24h, limit_usd: 9}
            alerts:
              receivers:
                - {name: "hook-\(long)", type: webhook, url: "\(hook.url)"}
            """)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        var lines: [String] = []
        for (index, letter) in "abcdefgh".enumerated() {
            // As long as a name may be, and a digest.
            let tenant = String(repeating: "t\(letter)", count: 128)
            let user = String(repeating: letter, count: 64)
            let names =
                #""tenant":"\#(index < 3 ? tenant : "acme")","user":"\#(user)","#
                + #""feature":"\#(user)\#(user)\#(user)\#(user)""#
            lines.append(#"{\#(names),"model":"gpt-4o","cost_usd":4.\#(index)}"#)
            lines.append(#"{\#(names),"model":"\#(tenant)","input_tokens":90,"output_tokens":9}"#)
        }
        #expect(try server.client().post("[\(lines.joined(separator: ","))]").status == 200)
        #expect(
            try eventually {
                try server.client().request("GET", "/v1/deliveries?state=delivered").text
                    .contains("hook-n")
            })
        let problems = try Self.browse(server.port, zone: "UTC", ["names"])
        #expect(problems == "", "\(problems)")
    }

    @Test(.enabled(if: Peers.chromium != nil, "make test installs the peers"))
    func `where tokens are configured the page asks for one, and shows data with it`() throws {
        let place = TemporaryDirectory()
        let token = String(repeating: "t0ken-", count: 6)
        let file = try place.file(
            "c.yaml",
            """
            auth:
              tokens:
                - {name: view, token: "\(token)", role: viewer}
                - {name: app, token: "\(token)app", role: editor}
            """)
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        #expect(try server.client().request("GET", "/").status == 200)
        #expect(try server.client().request("GET", "/v1/dashboard").status == 401)
        let event = try server.client().request(
            "POST", "/v1/events",
            headers: ["Content-Type": "application/json", "Authorization": "Bearer \(token)app"],
            body: Array(#"{"tenant":"acme","cost_usd":3}"#.utf8))
        #expect(event.status == 200)
        let problems = try Self.browse(server.port, zone: "UTC", ["signin", token])
        #expect(problems == "", "\(problems)")
    }

    @Test(.enabled(if: Peers.chromium != nil, "make test installs the peers"))
    func `P9 a dead letter is sent again from the page, by who may`() throws {
        let place = TemporaryDirectory()
        // Gone for the first notification, there for the second.
        let hook = try RecordingReceiver { _, number in .status(number == 0 ? 410 : 200) }
        let token = String(repeating: "t0ken-", count: 6)
        func start(_ more: String) throws -> Costgauge {
            let file = try place.file(
                "c.yaml",
                """
                budgets:
                  - {name: small, each: [tenant], limit_usd: 1, burn: false}
                alerts:
                  receivers:
                    - {name: hook, type: webhook, url: "\(hook.url)"}
                \(more)
                """)
            return try Costgauge(
                storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        }
        var server = try start("")
        #expect(try server.client().post(#"{"tenant":"acme","cost_usd":3}"#).status == 200)
        #expect(
            try eventually {
                try server.client().request("GET", "/v1/deliveries?state=dead").text
                    .contains("\"receiver\":\"hook\"")
            })
        server.stop()
        server = try start(
            """
            auth:
              tokens:
                - {name: view, token: "\(token)", role: viewer}
            """)
        let refused = try Self.browse(server.port, zone: "UTC", ["refused", token])
        #expect(refused == "", "\(refused)")
        #expect(hook.all.count == 1)
        server.stop()
        server = try start("")
        let problems = try Self.browse(server.port, zone: "Asia/Kolkata", ["replay"])
        #expect(problems == "", "\(problems)")
        try #require(hook.all.count == 2)
        #expect(hook.all[0].headers["webhook-id"] == hook.all[1].headers["webhook-id"])
    }
}
