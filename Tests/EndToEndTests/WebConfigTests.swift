import Foundation
import TestSupport
import Testing

/// `--web.config.file` of the real binary: TLS, users, headers.
@Suite(.enabled(if: Peers.areInstalled, "make test installs the peers"))
struct WebConfigTests {
    private let place = TemporaryDirectory()

    private func hash(_ password: String, cost: Int = 5) throws -> String {
        let script = """
            import bcrypt, sys
            salt = bcrypt.gensalt(int(sys.argv[2]))
            print(bcrypt.hashpw(sys.argv[1].encode(), salt).decode(), end="")
            """
        return try DeployTests.python(script, [password, "\(cost)"])
    }

    private func makeCertificate(_ name: String, subject: String) throws {
        let run = try ChildProcess.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", "/CN=\(subject)", "-days", "2",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout", "\(place.path)/\(name).key", "-out", "\(place.path)/\(name).crt",
            ])
        #expect(run.status == 0, "\(run.errors)")
    }

    private func webFile(_ more: String = "") throws -> String {
        try makeCertificate("server", subject: "first")
        return try place.file(
            "web.yml",
            """
            tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS13}
            http_server_config:
              headers: {Strict-Transport-Security: max-age=60, X-Frame-Options: deny}
            basic_auth_users:
              alice: \(try hash("open sesame"))
              bob: \(try hash("b0b"))
            \(more)

            """)
    }

    private func start(_ webFile: String, _ configuration: String = "") throws -> Costgauge {
        let file = try place.file("c.yaml", configuration)
        return try Costgauge(
            storage: place.path + "/data",
            arguments: ["--config.file=\(file)", "--web.config.file=\(webFile)"])
    }

    /// Status, head and body.
    private func curl(
        _ port: UInt16, _ path: String, _ arguments: [String] = []
    ) throws -> (status: String, text: String) {
        let run = try ChildProcess.run(
            "/usr/bin/curl",
            [
                "-s", "-i", "-m", "20", "-w", "\n%{http_code}", "--cacert",
                "\(place.path)/server.crt",
            ] + arguments + ["https://localhost:\(port)\(path)"])
        let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
        return (String(lines.last ?? ""), run.output)
    }

    private static let tokens = """
        auth: {tokens: [{name: app, token: app-token-1, role: editor}]}

        """

    @Test func `P15 users with a password may look, over TLS, and tokens work as before`() throws {
        let server = try start(try webFile(), Self.tokens)
        let port = server.port
        #expect(try curl(port, "/metrics").status == "401")
        let good = try curl(port, "/metrics", ["-u", "alice:open sesame"])
        #expect(good.status == "200" && good.text.contains("costgauge_build_info"))
        #expect(good.text.lowercased().contains("strict-transport-security: max-age=60"))
        #expect(try curl(port, "/v1/budgets", ["-u", "bob:b0b"]).status == "200")
        #expect(try curl(port, "/v1/budgets", ["-u", "bob:open sesame"]).status == "401")
        #expect(try curl(port, "/v1/budgets", ["-u", "carol:b0b"]).status == "401")
        #expect(try curl(port, "/-/healthy").status == "200")
        let event = ["-H", "Content-Type: application/json", "-d", #"{"cost_usd":1}"#]
        #expect(try curl(port, "/v1/events", event + ["-u", "bob:b0b"]).status == "403")
        let bearer = ["-H", "Authorization: Bearer app-token-1"]
        #expect(try curl(port, "/v1/events", event + bearer).status == "200")
        // Its own header gives way to the configured one.
        let page = try curl(port, "/")
        #expect(page.status == "200" && page.text.lowercased().contains("x-frame-options: deny"))
        // Plain HTTP is not spoken on this port.
        #expect((try? TestHTTPClient(port: port, timeoutSeconds: 5).request("GET", "/")) == nil)
        #expect(!server.child.standardError.contains("sesame"))
    }

    @Test func `versions below min_version are refused`() throws {
        let server = try start(try webFile())
        for (flag, isTaken) in [("-tls1_3", true), ("-tls1_2", false)] {
            let run = try ChildProcess.run(
                "/usr/bin/openssl",
                ["s_client", flag, "-connect", "127.0.0.1:\(server.port)"], input: "")
            #expect(run.output.contains("Cipher is TLS_") == isTaken, "\(flag): \(run.output)")
        }
    }

    private func subject(_ port: UInt16) throws -> String {
        let run = try ChildProcess.run(
            "/usr/bin/openssl", ["s_client", "-connect", "127.0.0.1:\(port)"], input: "")
        return run.output.split(separator: "\n").first { $0.hasPrefix("subject=") }
            .map(String.init) ?? ""
    }

    @Test func `a renewed certificate is in use with the next connection`() throws {
        let server = try start(try webFile())
        #expect(try subject(server.port).contains("first"))
        // Half of it is not used.
        try Data("nothing".utf8).write(to: URL(fileURLWithPath: place.path + "/server.crt"))
        let isTold = try eventually {
            _ = try subject(server.port)
            return server.child.standardError.contains("is not used")
        }
        #expect(isTold)
        #expect(try subject(server.port).contains("first"))
        try makeCertificate("server", subject: "second")
        let isRenewed = try eventually { try subject(server.port).contains("second") }
        #expect(isRenewed, "\(server.child.standardError)")
        #expect(try curl(server.port, "/-/ready").status == "200")
    }

    @Test func `users change with a reload`() throws {
        let file = try webFile()
        let server = try start(file)
        #expect(server.child.standardError.contains("without auth.tokens nobody can send events"))
        #expect(try curl(server.port, "/v1/costs", ["-u", "bob:b0b"]).status == "200")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let other = text.replacing(/bob: .*/, with: "bob: \(try hash("other"))")
        try other.write(toFile: file, atomically: true, encoding: .utf8)
        server.child.signal(SIGHUP)
        let isChanged = try eventually {
            try curl(server.port, "/v1/costs", ["-u", "bob:b0b"]).status == "401"
        }
        #expect(isChanged)
        #expect(try curl(server.port, "/v1/costs", ["-u", "bob:other"]).status == "200")
    }

    @Test func `a real Prometheus scrapes over TLS with a password, and promtool takes the file`()
        throws
    {
        let file = try webFile()
        let check = try ChildProcess.run(
            try #require(Peers.promtool), ["check", "web-config", file])
        #expect(check.status == 0, "\(check.output) \(check.errors)")
        let server = try start(file, Self.tokens)
        let prometheus = try Prometheus(
            scraping: server.port,
            how: """
                scheme: https, basic_auth: {username: alice, password: "open sesame"},
                tls_config: {ca_file: "\(place.path)/server.crt"}
                """)
        let isUp = try eventually { try prometheus.target().health == "up" }
        let error = try prometheus.target().error
        #expect(isUp, "\(error)")
        // The password was hashed once; all further scrapes are as cheap as others.
        let isThere = try eventually {
            try prometheus.query("count_over_time(costgauge_build_info[1m]) > 2").count == 1
        }
        #expect(isThere)
    }

    @Test func `the example of deploy is taken by costgauge and by promtool`() throws {
        try makeCertificate("tls", subject: "example")
        let text = try DeployTests.text("web.yml")
        #expect(text.contains("cert_file: /etc/costgauge/tls.crt"))
        let file = try place.file(
            "web.yml", text.replacing("/etc/costgauge/", with: "\(place.path)/"))
        for (tool, arguments) in [
            (try #require(Peers.promtool), ["check", "web-config", file]),
            (
                Costgauge.executable,
                ["check-config", "--web.config.file=\(file)", try place.file("c.yaml", "")]
            ),
        ] {
            let run = try ChildProcess.run(tool, arguments)
            #expect(run.status == 0, "\(run.output) \(run.errors)")
        }
        let server = try start(file)
        let password = [
            "-u", "prometheus:change-this-password", "--cacert", place.path + "/tls.crt",
        ]
        #expect(try curl(server.port, "/metrics", password).status == "200")
    }

    @Test(arguments: [
        (
            "tls_server_config: {cert_file: server.crt}\n",
            "1:20: tls_server_config.key_file: is missing"
        ),
        (
            "tls_server_config: {cert_file: none.crt, key_file: server.key}\n",
            "1:32: tls_server_config.cert_file: cannot read"
        ),
        (
            "tls_server_config: {cert_file: server.key, key_file: server.key}\n",
            "1:32: tls_server_config.cert_file: holds no certificate in PEM"
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.crt}\n",
            "1:54: tls_server_config.key_file: holds no private key"
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: other.key}\n",
            "1:54: tls_server_config.key_file: is not the key of the certificate"
        ),
        (
            "tls_server_config: {min_version: TLS11}\n",
            "1:34: tls_server_config.min_version: \"TLS11\" is not one of TLS12, TLS13"
        ),
        (
            "tls_server_config: {client_auth_type: RequireAndVerifyClientCert}\n",
            "1:39: tls_server_config.client_auth_type: client certificates"
        ),
        (
            "tls_server_config: {cipher_suites: [TLS_AES_128_GCM_SHA256]}\n",
            "1:36: tls_server_config.cipher_suites: cannot be chosen"
        ),
        ("basic_auth_users: {alice: secret}\n", "1:20: basic_auth_users.alice: is no bcrypt hash"),
        (
            "basic_auth_users: {\"a:b\": $2y$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui}\n",
            "1:20: basic_auth_users.a:b: must be a name without a colon"
        ),
        (
            "basic_auth_users: {a: $2y$13$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui}\n",
            "1:20: basic_auth_users.a: has a cost of 13"
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}\n",
            "1:49: http_server_config.headers.X-Frame-Options: must be deny or sameorigin"
        ),
        (
            "http_server_config: {headers: {X-Other: a}}\n",
            "1:32: http_server_config.headers.X-Other: unknown key"
        ),
        ("basic_auth: {}\n", "1:1: basic_auth: unknown key"),
    ])
    func `P16 each fault of the file is told with its place and key`(
        _ text: String, _ fault: String
    ) throws {
        try makeCertificate("server", subject: "first")
        try makeCertificate("other", subject: "second")
        let file = try place.file("web.yml", text)
        for command in [
            ["check-config", "--web.config.file=\(file)", try place.file("c.yaml", "")],
            ["serve", "--storage.path=\(place.path)/d", "--web.config.file=\(file)"],
        ] {
            let run = try ChildProcess.run(Costgauge.executable, command)
            #expect(run.status == 2)
            #expect(run.errors.contains("\(file):\(fault)"), "\(run.errors)")
            #expect(!run.errors.contains("secret"))
        }
    }
}
