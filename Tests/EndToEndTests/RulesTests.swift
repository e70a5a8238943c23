import Foundation
import TestSupport
import Testing

enum RuleFiles {
    static var folder: String { Costgauge.repository + "/alerts/" }

    static var all: [String] {
        let files = try? FileManager.default.contentsOfDirectory(atPath: folder)
        return (files ?? []).filter { $0.hasSuffix(".rules.yml") }.sorted()
    }

    static func text(_ file: String) throws -> String {
        try String(contentsOfFile: folder + file, encoding: .utf8)
    }

    static func alerts(in file: String) throws -> [String] {
        try text(file).matches(of: /- alert: (\w+)/).map { String($0.1) }
    }
}

@Suite struct RulesTests {
    @Test(.enabled(if: Peers.areInstalled, "make test installs the peers"))
    func `promtool accepts the rules, and each alert fires and stays quiet as it should`() throws {
        let promtool = try #require(Peers.promtool)
        let files = RuleFiles.all.map { RuleFiles.folder + $0 }
        #expect(files.count == 3)
        let check = try ChildProcess.run(promtool, ["check", "rules"] + files)
        #expect(check.status == 0, "\(check.output) \(check.errors)")
        for file in try RuleFiles.all.filter({ try !RuleFiles.alerts(in: $0).isEmpty }) {
            let name = file.replacingOccurrences(of: ".rules.yml", with: ".test.yml")
            let tests = RuleFiles.folder + "tests/" + name
            let run = try ChildProcess.run(promtool, ["test", "rules", tests])
            #expect(run.status == 0, "\(run.output) \(run.errors)")
            let text = try String(contentsOfFile: tests, encoding: .utf8)
            for alert in try RuleFiles.alerts(in: file) {
                #expect(text.contains("- name: \(alert) fires\n"), "\(alert)")
                #expect(text.contains("\(alert) is quiet"), "\(alert)")
            }
            // A test that expects nothing of an alert that should fire would pass too.
            for block in text.components(separatedBy: "  - name: ").dropFirst() {
                let isFiring = block.prefix { $0 != "\n" }.hasSuffix(" fires")
                #expect(isFiring != block.contains("exp_alerts: []"), "\(block)")
            }
        }
    }

    @Test(.enabled(if: Peers.vmalert != nil, "make test installs the peers"))
    func `vmalert accepts the same rules`() throws {
        let vmalert = try #require(Peers.vmalert)
        let run = try ChildProcess.run(
            vmalert, ["-dryRun", "-rule=\(RuleFiles.folder)*.rules.yml"])
        #expect(run.status == 0, "\(run.errors)")
        let place = TemporaryDirectory()
        let broken = try place.file(
            "x.yml", "groups: [{name: a, rules: [{alert: B, expr: \"sum(\"}]}]")
        let refused = try ChildProcess.run(vmalert, ["-dryRun", "-rule=\(broken)"])
        #expect(refused.status != 0)
    }

    @Test func `each alert has a severity, texts and a runbook`() throws {
        let page = try String(contentsOfFile: RuleFiles.folder + "README.md", encoding: .utf8)
        let runbooks = Set(page.matches(of: /(?m)^## (\w+)$/).map { String($0.1) })
        var alerts: Set<String> = []
        for file in RuleFiles.all {
            for block in try RuleFiles.text(file).components(separatedBy: "- alert: ").dropFirst() {
                let name = String(block.prefix { $0 != "\n" })
                alerts.insert(name)
                #expect(
                    block.contains(
                        "runbook_url: \"alerts/README.md#\(name.lowercased())\""), "\(name)")
                for key in [
                    "severity: ", "summary: ", "description: ", "expr: ",
                ] { #expect(block.contains(key), "\(name) \(key)") }
            }
        }
        #expect(alerts.count >= 23)
        #expect(runbooks == alerts)
    }
}
