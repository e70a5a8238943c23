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
            _ = try Configuration.read(
                Array(text), file: "\(rule).bad.yaml", environment: [:],
                secretFiles: SecretFiles { _ in .unreadable(cause: "No such file or directory") })
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

    /// Every key that a file of `deploy` names; `[]` stands for the entries of a list.
    private func keys(of file: String) throws -> (Configuration, Set<String>) {
        let path = Costgauge.repository + "/deploy/" + file
        let text = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let known = Configuration.knownKeys()
        var named: Set<String> = []
        func walk(_ node: YAMLNode, _ path: String) {
            switch node.content {
            case .mapping(let entries):
                // Below keys that users choose, such as dimensions, there is nothing to know.
                let isOurs = path.isEmpty || known.contains { $0.hasPrefix(path + ".") }
                for entry in entries where isOurs {
                    let key = path.isEmpty ? entry.key : path + "." + entry.key
                    named.insert(key)
                    walk(entry.value, key)
                }
            case .sequence(let items): for item in items { walk(item, path + "[]") }
            default: break
            }
        }
        walk(try YAMLDocument.read(text), "")
        return (try Configuration.read(text, file: path, environment: [:]), named)
    }

    @Test func `the reference names every key with its default, and no other`() throws {
        let (configuration, named) = try keys(of: "costgauge.reference.yaml")
        #expect(configuration == Configuration())
        #expect(named == Configuration.knownKeys().filter { !$0.contains("[]") })
    }

    @Test func `the example names every key of the lists`() throws {
        let (configuration, named) = try keys(of: "costgauge.example.yaml")
        #expect(configuration.budgets.count == 3 && configuration.alerts.receivers.count == 8)
        // Secrets can also come from a file; here they are written out.
        let inLists = Configuration.knownKeys().filter {
            $0.contains("[]") && !$0.hasSuffix("_file")
        }
        #expect(named.filter { $0.contains("[]") } == inLists)
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

    @Test func `an admin for one tenant is a warning`() throws {
        let token = "name: a, token: 12345678, role: admin"
        #expect(try read("auth: {tokens: [{\(token)}]}\n").warnings == [])
        let warnings = try read("auth: {tokens: [{\(token), tenant: t}]}\n").warnings
        #expect(warnings.count == 1 && warnings[0].hasPrefix("auth.tokens: a is an admin for one"))
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

@Suite struct BudgetConfigurationTests {
    @Test func `without budgets every tenant gets the built-in ones`() throws {
        let budgets = try read("").budgets
        #expect(budgets.map(\.name) == ["default-models", "default-compute", "default-total"])
        #expect(budgets.map(\.limit.decimal) == ["100.00", "50.00", "150.00"])
        #expect(budgets.allSatisfy { $0.thresholds.map(\.text) == ["0.8", "1"] })
        #expect(try read("budgets: []").budgets == [])
    }

    @Test func `the environment defines budgets`() throws {
        let environment = [
            "COSTGAUGE_BUDGET_GLOBAL_DAILY_USD": "50",
            "COSTGAUGE_BUDGET_TENANT_MONTHLY_USD": "12.50",
        ]
        let alone = try read("", environment: environment)
        #expect(alone.budgets.map(\.name) == ["env-global-daily", "env-tenant-monthly"])
        #expect(alone.budgets.map(\.each) == [[], [.tenant]] && alone.warnings == [])
        #expect(alone.budgets.map(\.limit.decimal) == ["50.00", "12.50"])
        let file = try read("budgets: [{name: a, limit_usd: 1}]", environment: environment)
        #expect(file.budgets.map(\.name) == ["a", "env-global-daily", "env-tenant-monthly"])
        #expect(throws: ConfigurationFaults.self) {
            try read("", environment: ["COSTGAUGE_BUDGET_GLOBAL_DAILY_USD": "fifty"])
        }
    }

    @Test func `definitions arrive`() throws {
        let budget = try #require(
            try read(
                """
                budgets:
                  - name: a
                    match: {tenant: ["x", "y*"], tags.team: "!core"}
                    each: [tenant, tags.team]
                    overrides: [{when: {tenant: y1}, limit_usd: 4.25}]
                    period: week
                    timezone: Europe/Berlin
                    week_start: sunday
                    reset_hour: 6
                    limit_usd: 2
                    thresholds: [1, {at: 0.25, severity: critical}]
                    cooldown: 5m
                    burn: false
                """
            ).budgets.first)
        #expect(budget.each == [.tenant, .tag("team")] && budget.period.kind == .week)
        #expect(budget.period.zone.name == "Europe/Berlin" && budget.period.resetHour == 6)
        #expect(budget.period.weekStart == .sunday && !budget.burns)
        #expect(budget.thresholds.map(\.text) == ["0.25", "1"])
        #expect(budget.thresholds.map(\.severity) == [.critical, .critical])
        #expect(budget.cooldownNanos == 300_000_000_000)
        #expect(budget.overrides.first?.limit.decimal == "4.25")
        #expect(budget.match.map { $0.pattern.matches("y7") } == [true, true])
        #expect(budget.match.map { $0.pattern.matches("core") } == [false, false])
    }

    @Test func `secrets come from variables and files and are never printed`() throws {
        let configuration = try Configuration.read(
            Array(
                """
                alerts:
                  receivers:
                    - {name: a, type: slack, url: "https://x/${SLACK}"}
                    - {name: b, type: webhook, url_file: /run/url, secret_file: /run/key, send_resolved: true}
                    - {name: c, type: pagerduty, routing_key: topsecret, min_severity: warning}
                """.utf8), file: "f", environment: ["SLACK": "topsecret"],
            secretFiles: SecretFiles { path in
                .text(Array((path == "/run/url" ? "https://h/topsecret\n" : signingKey).utf8))
            })
        let receivers = configuration.alerts.receivers
        #expect(receivers[0].kind == .slack(url: Secret("https://x/topsecret")))
        #expect(
            receivers[1].kind
                == .webhook(url: Secret("https://h/topsecret"), secrets: [Secret(signingKey)]))
        #expect(receivers.map(\.profile.sendsResolved) == [false, true, true])
        #expect(receivers.map(\.profile.minSeverity) == [.info, .info, .warning])
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("topsecret") && !"\(configuration)".contains("topsecret"))
        #expect(!dumped.contains(signingKey))
    }

    private let signingKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
}
