import Foundation
import HTTPServer
import Ledger
import Logging
import TestSupport
import Testing
import Usage
import YAML

@testable import Configuration

private func read(
    _ text: String, environment: [String: String] = [:]
) throws(ConfigurationFaults) -> Configuration {
    try Configuration.read(Array(text.utf8), file: "test.yaml", environment: environment)
}

@Suite struct ConfigurationTests {
    private static let fixtures = Costgauge.repository + "/Tests/ConfigurationTests/Fixtures"

    private static var rules: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: fixtures)) ?? []
        return files.filter { $0.hasSuffix(".bad.yaml") }.map { String($0.dropLast(9)) }.sorted()
    }

    @Test("P16 each fault is told with its place and what to write", arguments: rules)
    func fixture(_ rule: String) throws {
        let text = try Data(contentsOf: URL(fileURLWithPath: "\(Self.fixtures)/\(rule).bad.yaml"))
        let expected = try String(
            contentsOfFile: "\(Self.fixtures)/\(rule).expected", encoding: .utf8)
        do {
            _ = try Configuration.read(Array(text), file: "\(rule).bad.yaml", environment: [:])
            Issue.record("\(rule) was accepted")
        } catch {
            #expect(error.description + "\n" == expected)
        }
    }

    @Test func `there are fixtures`() { #expect(Self.rules.count >= 20) }

    @Test func `an empty file gives the defaults`() throws {
        #expect(try read("") == Configuration())
        #expect(try read("web:\nlog: {}\n") == Configuration())
    }

    @Test func `the reference names every key with its default, and no other`() throws {
        let path = Costgauge.repository + "/deploy/costgauge.reference.yaml"
        let text = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let configuration = try Configuration.read(text, file: path, environment: [:])
        #expect(configuration == Configuration())
        var named: Set<String> = []
        func walk(_ node: YAMLNode, _ prefix: String) {
            guard case .mapping(let entries) = node.content else { return }
            for entry in entries {
                named.insert(prefix + entry.key)
                walk(entry.value, prefix + entry.key + ".")
            }
        }
        walk(try YAMLDocument.read(text), "")
        #expect(named == Configuration.knownKeys())
    }

    @Test func `the environment overrides single values`() throws {
        let configuration = try read(
            "log: {level: warn}\n",
            environment: [
                "COSTGAUGE_LOG_LEVEL": "error", "COSTGAUGE_STORAGE_PATH": "/data",
                "COSTGAUGE_WEB_BODY_BYTES_MAX_EVENTS": "1MiB", "COSTGAUGE_WEB_LISTEN": "[::1]:1",
                "COSTGAUGE_METRICS_TOP_USER": "7", "PATH": "/bin",
            ])
        #expect(configuration.logLevel == .error && configuration.storage.path == "/data")
        #expect(configuration.web.eventsBytesMax == 1 << 20)
        #expect(configuration.web.listen == ListenAddress(host: "::1", port: 1))
        #expect(configuration.ledger.top.first?.count == 7 && configuration.warnings == [])
    }

    @Test func `a bad override names its variable`() {
        do {
            _ = try read(
                "",
                environment: ["COSTGAUGE_LOG_LEVEL": "loud", "COSTGAUGE_WEB_LISTEN": "0.0.0.0:1"])
            Issue.record("bad overrides were accepted")
        } catch {
            let lines = error.description.split(separator: "\n")
            #expect(
                lines.contains(
                    "COSTGAUGE_LOG_LEVEL: log.level: \"loud\" is not one of debug, info, warn, error"
                ))
            #expect(
                lines.contains { $0.hasPrefix("COSTGAUGE_WEB_LISTEN: web.listen: 0.0.0.0:1 can") })
        }
    }

    @Test func `a variable that names no key is a warning, one of Kubernetes is none`() throws {
        let configuration = try read(
            "",
            environment: [
                "COSTGAUGE_LOG_LEVLE": "info", "COSTGAUGE_PORT_10838_TCP": "tcp://x",
                "COSTGAUGE_SERVICE_HOST": "10.0.0.1",
            ])
        #expect(
            configuration.warnings == [
                "the environment variable COSTGAUGE_LOG_LEVLE names no key of the configuration"
            ])
    }

    @Test func `values arrive`() throws {
        let configuration = try read(
            """
            storage: {path: d, sync: normal, retention: {events: 0s}}
            web: {listen: "localhost:1", metrics_listen: ":9", body_bytes_max: {events: 1KiB}}
            attribution: {defaults: {tenant: ""}}
            intake: {queue_events: 1000, dedup_window: 60s, dedup_ids: 1000}
            metrics: {labels: [tags.team], max_series: 100, created: true, top: {user: 0, agent: 3}}
            log: {level: debug, format: json}
            """)
        #expect(configuration.storage.sync == .normal && configuration.storage.eventsNanos == 0)
        #expect(configuration.web.listen == ListenAddress(host: "127.0.0.1", port: 1))
        #expect(configuration.web.metricsListen == ListenAddress(host: "0.0.0.0", port: 9))
        #expect(configuration.defaultTenant == "" && configuration.writesCreated)
        #expect(configuration.ledger.labels == [.tag("team")])
        #expect(
            configuration.ledger.top == [
                LedgerSettings.TopDimension(dimension: .agent, count: 3)
            ])
        #expect(configuration.logFormat == .json && configuration.ledger.dedupCountMax == 1000)
    }
}
