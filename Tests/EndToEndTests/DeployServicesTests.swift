import Foundation
import TestSupport
import Testing

/// The units and configurations of the programs around costgauge.
@Suite(.enabled(if: Peers.areInstalled, "make test installs the peers"))
struct DeployServicesTests {
    @Test func `systemd accepts the unit and finds little to attack`() throws {
        let place = TemporaryDirectory()
        // systemd looks whether the program is there.
        let text = try DeployTests.text("systemd/costgauge.service")
        #expect(text.contains("=/usr/local/bin/costgauge serve "))
        let unit = try place.file(
            "costgauge.service",
            text.replacing("/usr/local/bin/costgauge", with: Costgauge.executable))
        let analyze = try #require(Peers.systemdAnalyze)
        let verify = try ChildProcess.run(analyze, ["verify", "--man=no", unit])
        #expect(verify.status == 0, "\(verify.errors)")
        #expect(!verify.errors.contains("costgauge.service"), "\(verify.errors)")
        let security = try ChildProcess.run(
            analyze, ["security", "--offline=yes", "--threshold=20", unit])
        #expect(security.status == 0, "\(security.output)")
        let broken = try place.file("broken.service", "[Service]\nExecStart=nowhere\n")
        #expect(try ChildProcess.run(analyze, ["verify", "--man=no", broken]).status != 0)
    }

    @Test func `the compose file follows the specification, and what it mounts is there`() throws {
        let script = """
            import sys, os, yaml
            from compose_pydantic import ComposeSpecification
            path = sys.argv[1]
            document = yaml.safe_load(open(path))
            ComposeSpecification.model_validate(document)
            folder = os.path.dirname(path)
            names = document["volumes"]
            count = 0
            for service in document["services"].values():
                assert service["network_mode"] == "host" and "ports" not in service
                for mount in service.get("volumes", []):
                    source = mount.split(":")[0]
                    if source.startswith("."):
                        assert os.path.exists(os.path.join(folder, source)), source
                        count += 1
                    else:
                        assert source in names, source
            build = document["services"]["costgauge"]["build"]
            context = os.path.join(folder, build["context"])
            assert os.path.exists(os.path.join(context, build["dockerfile"]))
            assert os.path.exists(os.path.join(context, "Package.swift"))
            print(count)
            """
        let path = DeployTests.folder + "compose/compose.yaml"
        #expect(try DeployTests.python(script, [path]) == "7\n")
    }

    @Test func `Prometheus and Alertmanager accept their configurations`() throws {
        let place = TemporaryDirectory()
        // Paths of the rules as they are in the container, where alerts is mounted beside the file.
        let text = try DeployTests.text("compose/prometheus.yml")
        #expect(text.contains("  - alerts/health.rules.yml\n"))
        let file = try place.file(
            "prometheus.yml", text.replacing("- alerts/", with: "- \(RuleFiles.folder)"))
        let check = try ChildProcess.run(
            try #require(Peers.promtool), ["check", "config", file])
        #expect(check.status == 0, "\(check.output) \(check.errors)")
        #expect(check.output.contains("rule files found") || check.output.contains("rules found"))
        let amtool = try ChildProcess.run(
            try #require(Peers.amtool),
            ["check-config", DeployTests.folder + "compose/alertmanager.yml"])
        #expect(amtool.status == 0, "\(amtool.output) \(amtool.errors)")
    }

    @Test func `Grafana's provisioning names the folders that compose mounts`() throws {
        let compose = try DeployTests.text("compose/compose.yaml")
        let dashboards = try DeployTests.text("compose/grafana/dashboards.yaml")
        let path = try #require(dashboards.firstMatch(of: /path: (\S+)/)?.1)
        #expect(compose.contains("../../dashboards:\(path):ro"))
        let home = try #require(
            compose.firstMatch(of: /HOME_DASHBOARD_PATH: \S+\/([a-z]+\.json)/)?.1)
        #expect(
            FileManager.default.fileExists(
                atPath: Costgauge.repository + "/dashboards/" + String(home)))
    }

    private func certificate(in place: TemporaryDirectory) throws -> (path: String, key: String) {
        let (certificate, key) = (place.path + "/tls.crt", place.path + "/tls.key")
        let made = try ChildProcess.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                "-days", "2", "-keyout", key, "-out", certificate,
            ])
        #expect(made.status == 0, "\(made.errors)")
        return (certificate, key)
    }

    /// What the pod of the StatefulSet would find, with paths and ports of this machine.
    @Test func `the StatefulSet's files serve TLS and let in who has a token`() throws {
        let place = TemporaryDirectory()
        let script = """
            import sys, yaml
            objects = {d["kind"]: d for d in yaml.safe_load_all(open(sys.argv[1]))}
            pod = objects["StatefulSet"]["spec"]["template"]["spec"]
            for name, text in objects["ConfigMap"]["data"].items():
                open(sys.argv[2] + "/" + name, "w").write(text)
            print(*pod["containers"][0]["args"])
            """
        let arguments = try DeployTests.python(
            script, [DeployTests.folder + "kubernetes/statefulset.yaml", place.path])
        let (certificate, key) = try certificate(in: place)
        let ports = [Peers.freePort(), Peers.freePort()]
        let tokens = Dictionary(
            uniqueKeysWithValues: ["app", "people", "admin"].map {
                ($0, "\($0)-\(String(repeating: "0123456789abcdef", count: 4))")
            })
        for name in ["costgauge.yaml", "web.yaml"] {
            var text = try String(contentsOfFile: place.path + "/" + name, encoding: .utf8)
            for (token, value) in tokens {
                let file = try place.file("token-\(token)", value)
                text = text.replacing("/etc/costgauge-tokens/\(token)", with: file)
            }
            text = text.replacing("/etc/costgauge-tls/tls.crt", with: certificate)
                .replacing("/etc/costgauge-tls/tls.key", with: key)
                .replacing("0.0.0.0:10838", with: "127.0.0.1:\(ports[0])")
                .replacing("0.0.0.0:10839", with: "127.0.0.1:\(ports[1])")
            _ = try place.file(name, text)
        }
        let child = try ChildProcess(
            Costgauge.executable,
            arguments.replacing("/etc/costgauge", with: place.path)
                .split(whereSeparator: \.isWhitespace).map(String.init)
                + ["--storage.path=\(place.path)/data"])
        defer {
            child.signal(SIGKILL)
            child.wait()
        }
        #expect(eventually { child.standardError.contains("listening") })
        func ask(_ path: String, _ port: UInt16, _ token: String?, _ more: [String] = []) throws
            -> String
        {
            try ChildProcess.run(
                "/usr/bin/curl",
                ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", certificate]
                    + (token.map { ["-H", "Authorization: Bearer \(tokens[$0] ?? "")"] } ?? [])
                    + more + ["https://localhost:\(port)\(path)"]
            ).output
        }
        let event = ["-H", "Content-Type: application/json", "-d", #"{"tenant":"a","cost_usd":1}"#]
        #expect(try ask("/v1/events", ports[0], nil, event) == "401", "\(child.standardError)")
        #expect(try ask("/v1/events", ports[0], "people", event) == "403")
        #expect(try ask("/v1/events", ports[0], "app", event) == "200")
        #expect(try ask("/v1/costs", ports[0], "people") == "200")
        #expect(try ask("/-/reload", ports[0], "admin", ["-X", "POST"]) == "200")
        // Kubernetes' probes and Prometheus.
        #expect(try ask("/-/ready", ports[1], nil) == "200")
        #expect(try ask("/metrics", ports[1], nil) == "200")
        #expect(try ask("/v1/costs", ports[1], "admin") == "404")
    }

    @Test func `nginx stands before costgauge and lets in who has a token`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let port = Peers.freePort()
        let (certificate, key) = try certificate(in: place)
        let token = String(repeating: "a1b2c3d4", count: 8)
        let tokens = try place.file("tokens", "\"Bearer \(token)\" app;\n")
        var door = try DeployTests.text("nginx/door.conf")
        for (from, to) in [
            ("/etc/nginx/costgauge.tokens;", "\(tokens);"), ("/etc/nginx/tls/tls.crt", certificate),
            ("/etc/nginx/tls/tls.key", key), ("127.0.0.1:10838", "127.0.0.1:\(server.port)"),
            ("listen 10443", "listen 127.0.0.1:\(port)"),
        ] {
            #expect(door.contains(from))
            door = door.replacing(from, with: to)
        }
        let configuration = try place.file(
            "nginx.conf",
            """
            daemon off; master_process off; pid \(place.path)/pid; error_log stderr;
            events {}
            http {
            client_body_temp_path \(place.path)/b; proxy_temp_path \(place.path)/p;
            fastcgi_temp_path \(place.path)/f; uwsgi_temp_path \(place.path)/u;
            scgi_temp_path \(place.path)/s;
            \(door)
            }
            """)
        let nginx = try #require(Peers.nginx)
        let test = try ChildProcess.run(nginx, ["-t", "-e", "stderr", "-c", configuration])
        #expect(test.status == 0, "\(test.errors)")
        let child = try ChildProcess(nginx, ["-e", "stderr", "-c", configuration])
        defer {
            child.signal(SIGKILL)
            child.wait()
        }
        let event = #"{"tenant":"acme","cost_usd":"0.25"}"#
        func send(_ authorization: String?) throws -> String {
            try ChildProcess.run(
                "/usr/bin/curl",
                ["-s", "-w", " %{http_code}", "--cacert", certificate, "-d", event]
                    + ["-H", "Content-Type: application/json"]
                    + (authorization.map { ["-H", "Authorization: \($0)"] } ?? [])
                    + ["https://localhost:\(port)/v1/events"]
            ).output
        }
        let isUp = try eventually { try send(nil).hasSuffix(" 401") }
        #expect(isUp, "\(child.standardError)")
        #expect(try send("Bearer wrong").hasSuffix(" 401"))
        #expect(try send("Bearer \(token)").hasSuffix(" 200"))
        #expect(try server.metrics().family("costgauge_cost_usd_total").values.sorted() == ["0.25"])
    }
}
