import Foundation
import Glibc

/// The real programs that end-to-end tests talk to. `make test` installs them and then requires
/// them.
public enum Peers {
    public static var python: String? {
        let path = Costgauge.repository + "/.build/peers/bin/python"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    public static var prometheus: String? { ChildProcess.find("prometheus") }
    public static var promtool: String? { ChildProcess.find("promtool") }
    public static var vmalert: String? { ChildProcess.find("vmalert") }
    public static var chromium: String? {
        ChildProcess.find("chromium").flatMap { path in
            ChildProcess.find("chromedriver").map { _ in path }
        }
    }
    public static var alertmanager: String? { ChildProcess.find("prometheus-alertmanager") }
    public static var amtool: String? { ChildProcess.find("amtool") }
    public static var systemdAnalyze: String? { ChildProcess.find("systemd-analyze") }
    public static var nginx: String? {
        ChildProcess.find("nginx")
            ?? (FileManager.default.isExecutableFile(atPath: "/usr/sbin/nginx")
                ? "/usr/sbin/nginx" : nil)
    }

    public static var envoy: String? {
        let path = Costgauge.repository + "/.build/peers/bin/envoy"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    public static var missing: [String] {
        var missing: [String] = []
        if python == nil { missing.append("python packages") }
        if prometheus == nil { missing.append("prometheus") }
        if promtool == nil { missing.append("promtool") }
        if vmalert == nil { missing.append("vmalert") }
        if chromium == nil { missing.append("chromium, chromium-driver") }
        if amtool == nil || alertmanager == nil { missing.append("prometheus-alertmanager") }
        if systemdAnalyze == nil { missing.append("systemd-analyze") }
        if envoy == nil { missing.append("envoy") }
        if nginx == nil { missing.append("nginx") }
        return missing
    }

    public static var areInstalled: Bool { missing.isEmpty }

    /// Set by `make test`: then a missing peer fails the run instead of skipping tests.
    public static var areRequired: Bool {
        ProcessInfo.processInfo.environment["REQUIRE_PEERS"] == "1"
    }
}

extension Peers {
    /// A port that was free a moment ago, and below those that outgoing connections are given.
    public static func freePort() -> UInt16 {
        for _ in 0..<1000 {
            let port = UInt16.random(in: 20_000..<32_000)
            let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(socket) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
            let length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isFree = withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, length) == 0
                }
            }
            if isFree { return port }
        }
        return 0
    }
}

/// A real Prometheus that scrapes one target every second.
public final class Prometheus {
    private let child: ChildProcess
    private let port: UInt16
    private let directory = TemporaryDirectory()

    /// - Parameter how: further keys of the scrape configuration, as flow YAML.
    public init(
        scraping target: UInt16, interval: String = "1s", rules: [String] = [], how: String = ""
    ) throws {
        let file = try directory.file(
            "prometheus.yml",
            """
            global: {scrape_interval: \(interval), evaluation_interval: \(interval)}
            rule_files: [\(rules.joined(separator: ", "))]
            scrape_configs:
              - {job_name: costgauge, static_configs: [{targets: ["127.0.0.1:\(target)"]}]\(
                    how.isEmpty ? "" : ", \(how.split(separator: "\n").joined(separator: " "))")}
            """)
        var attempt = 0
        while true {
            let port = Peers.freePort()
            let child = try ChildProcess(
                Peers.prometheus ?? "",
                [
                    "--config.file=\(file)", "--storage.tsdb.path=\(directory.path)/tsdb",
                    "--web.listen-address=127.0.0.1:\(port)",
                ])
            let isReady = eventually {
                !child.process.isRunning
                    || (try? TestHTTPClient(port: port).request("GET", "/-/ready").status) == 200
            }
            attempt += 1
            // Another program may have taken the port first.
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

    /// The values of an instant query by their labels, as Prometheus prints them.
    public func query(_ promQL: String) throws -> [[String: String]: String] {
        let escaped = promQL.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let answer = try TestHTTPClient(port: port)
            .request("GET", "/api/v1/query?query=\(escaped)").json()
        let data = answer["data"] as? [String: Any]
        var values: [[String: String]: String] = [:]
        for entry in data?["result"] as? [[String: Any]] ?? [] {
            guard let metric = entry["metric"] as? [String: String],
                let value = (entry["value"] as? [Any])?.last as? String
            else { continue }
            values[metric] = value
        }
        return values
    }

    /// The answer of an API path, which must begin with a slash and be escaped.
    public func get(_ path: String) throws -> [String: Any] {
        try TestHTTPClient(port: port).request("GET", path).json()
    }

    /// Health and last error of the target.
    public func target() throws -> (health: String, error: String) {
        let answer = try TestHTTPClient(port: port).request("GET", "/api/v1/targets").json()
        let data = answer["data"] as? [String: Any]
        let target = (data?["activeTargets"] as? [[String: Any]])?.first
        return (target?["health"] as? String ?? "", target?["lastError"] as? String ?? "")
    }
}
