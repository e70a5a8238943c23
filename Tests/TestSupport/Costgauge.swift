import Foundation

/// The real binary, as a user runs it.
public final class Costgauge {
    public let child: ChildProcess
    public let port: UInt16
    public let metricsPort: UInt16?
    public let otlpPort: UInt16?

    public static var executable: String {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = (own as NSString).deletingLastPathComponent + "/costgauge"
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        return repository + "/.build/debug/costgauge"
    }

    public static var repository: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
    }

    public struct DidNotStart: Error {
        public let errors: String
    }

    /// Budgets and pages turn over at midnight UTC: a test that would begin just before it begins
    /// just after it.
    private static func awaitMidnight() {
        let left = 86_400 - Date().timeIntervalSince1970.truncatingRemainder(dividingBy: 86_400)
        if left < 90 { Thread.sleep(forTimeInterval: left) }
    }

    /// Starts `serve` on a port of the kernel's choice and waits until it listens.
    public init(
        storage: String, arguments: [String] = [], environment: [String: String] = [:]
    ) throws {
        Self.awaitMidnight()
        child = try ChildProcess(
            Self.executable,
            ["serve", "--storage.path=\(storage)", "--web.listen-address=127.0.0.1:0"] + arguments,
            environment: environment)
        let process = child
        let isUp = eventually {
            process.standardError.contains("listening") || !process.process.isRunning
        }
        let log = child.standardError
        guard isUp, let port = Self.port(in: log, after: " address=") else {
            throw DidNotStart(errors: log)
        }
        self.port = port
        metricsPort = Self.port(in: log, after: "metrics_address=")
        otlpPort = Self.port(in: log, after: "otlp_address=")
    }

    private static func port(in log: String, after key: String) -> UInt16? {
        for line in log.split(separator: "\n") where line.contains("listening") {
            guard let start = line.range(of: key)?.upperBound else { return nil }
            let address = line[start...].prefix { $0 != " " }
            return address.split(separator: ":").last.flatMap { UInt16($0) }
        }
        return nil
    }

    public func client() throws -> TestHTTPClient { try TestHTTPClient(port: port) }

    /// As the kernel does when memory runs out: no warning.
    public func kill() {
        child.signal(SIGKILL)
        child.wait()
    }

    @discardableResult
    public func stop() -> Int32 {
        child.signal(SIGTERM)
        return child.wait()
    }

    public func metrics() throws -> Metrics {
        Metrics(try client().request("GET", "/metrics").text)
    }
}

/// The samples of a page in text format, by their name and labels as printed.
public struct Metrics: Equatable {
    public private(set) var samples: [String: String] = [:]

    public init(_ page: String) {
        for line in page.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            samples[String(line[..<space])] = String(line[line.index(after: space)...])
        }
    }

    public subscript(_ name: String) -> String? { samples[name] }

    /// Only those whose names begin so.
    public func family(_ prefix: String) -> [String: String] {
        samples.filter { $0.key.hasPrefix(prefix) }
    }

    /// Counters and histograms of the ledger: what must be equal after a restart.
    public var ledger: [String: String] {
        let families = [
            "costgauge_cost_usd_total", "costgauge_tokens_total", "costgauge_requests_total",
            "costgauge_request_cost_usd", "costgauge_unpriced_events_total",
            "costgauge_failed_cost_usd_total", "costgauge_cost_credit_usd_total",
        ]
        return samples.filter { sample in families.contains { sample.key.hasPrefix($0) } }
    }
}
