import Foundation
import TestSupport
import Testing

/// What the dashboards ask, with Grafana's variables filled in as it does.
struct Dashboard {
    struct Question {
        let panel: String
        let promQL: String
    }

    let file: String
    let json: [String: Any]

    static func all() throws -> [Dashboard] {
        let folder = Costgauge.repository + "/dashboards"
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            .filter { $0.hasSuffix(".json") }
            .map { name in
                let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
                let json = try JSONSerialization.jsonObject(with: data) as? [String: Any]
                return Dashboard(file: name, json: json ?? [:])
            }
    }

    var panels: [[String: Any]] { json["panels"] as? [[String: Any]] ?? [] }

    var variables: [[String: Any]] {
        (json["templating"] as? [String: Any])?["list"] as? [[String: Any]] ?? []
    }

    /// A query of every target, and of every variable: those that ask for the values of a label
    /// become a count by it.
    var questions: [Question] {
        var questions = panels.flatMap { panel in
            (panel["targets"] as? [[String: Any]] ?? []).map { target in
                Question(
                    panel: "\(file): \(panel["title"] as? String ?? "")",
                    promQL: target["expr"] as? String ?? "")
            }
        }
        for variable in variables {
            guard let query = variable["definition"] as? String,
                let parts = query.wholeMatch(of: /label_values\((.*), ([a-z_]+)\)/)
            else { continue }
            questions.append(
                Question(
                    panel: "\(file): $\(variable["name"] as? String ?? "")",
                    promQL: "count by (\(parts.2)) (\(parts.1))"))
        }
        return questions.map { question in
            var promQL = question.promQL
            for (name, value) in [
                ("$__rate_interval", "30s"), ("$__range", "5m"), ("$__interval", "15s"),
            ] { promQL = promQL.replacingOccurrences(of: name, with: value) }
            for variable in variables {
                guard let name = variable["name"] as? String else { continue }
                promQL = promQL.replacingOccurrences(of: "\"$\(name)\"", with: "\".*\"")
            }
            return Question(panel: question.panel, promQL: promQL)
        }
    }
}

@Suite struct DashboardTests {
    @Test func `dashboards are complete, each panel says what it shows`() throws {
        let dashboards = try Dashboard.all()
        #expect(dashboards.count == 3)
        var uids: Set<String> = []
        for dashboard in dashboards {
            #expect(dashboard.json["schemaVersion"] as? Int ?? 0 >= 39)
            uids.insert(dashboard.json["uid"] as? String ?? "")
            let first = dashboard.variables.first
            #expect(first?["name"] as? String == "datasource")
            #expect(first?["type"] as? String == "datasource")
            var ids: Set<Int> = []
            var cells: Set<[Int]> = []
            for panel in dashboard.panels {
                let title = "\(dashboard.file): \(panel["title"] as? String ?? "")"
                #expect(ids.insert(panel["id"] as? Int ?? 0).inserted, "\(title)")
                let place = panel["gridPos"] as? [String: Int] ?? [:]
                let (x, y, w, h) = (
                    place["x"] ?? 0, place["y"] ?? 0, place["w"] ?? 0, place["h"] ?? 0
                )
                #expect(x + w <= 24 && h > 0, "\(title)")
                for column in x..<x + w {
                    for row in y..<y + h {
                        #expect(cells.insert([column, row]).inserted, "\(title) overlaps")
                    }
                }
                guard panel["type"] as? String != "row" else { continue }
                #expect((panel["description"] as? String ?? "").count > 5, "\(title)")
                let defaults =
                    (panel["fieldConfig"] as? [String: Any])?["defaults"] as? [String: Any]
                #expect(defaults?["unit"] is String, "\(title)")
                for target in panel["targets"] as? [[String: Any]] ?? [] {
                    let source = target["datasource"] as? [String: String]
                    #expect(source?["uid"] == "${datasource}", "\(title)")
                }
            }
        }
        #expect(uids.count == dashboards.count)
    }

    @Test func `dashboards and rules ask for metrics that exist`() throws {
        let reference = try String(
            contentsOfFile: Costgauge.repository + "/dashboards/README.md", encoding: .utf8)
        let known = Set(reference.matches(of: /`((costgauge|process)_[a-z_]+)/).map { "\($0.1)" })
        var asked = try Dashboard.all().flatMap(\.questions).map(\.promQL)
        for file in RuleFiles.all {
            // Recorded series hold colons, and no reference names them.
            asked += try RuleFiles.text(file).matches(of: /expr:(?s:.*?)(\n *[a-z]+:|$)/)
                .map { String($0.0) }
        }
        #expect(asked.count > 100)
        for query in asked {
            for match in query.matches(of: /\b(costgauge|process)_[a-z_]+/) {
                var name = String(match.0)
                for suffix in ["_bucket", "_count", "_sum"]
                where name.hasSuffix(suffix) && !known.contains(name) {
                    name.removeLast(suffix.count)
                }
                #expect(known.contains(name), "\(name) in \(query)")
            }
        }
    }

    @Test(.enabled(if: Peers.areInstalled, "make test installs the peers"))
    func `every panel shows data of the demo in a real Prometheus`() throws {
        let demo = try Demo(speed: 7200)
        let prometheus = try Prometheus(
            scraping: demo.port, rules: RuleFiles.all.map { RuleFiles.folder + $0 })
        var open = try Dashboard.all().flatMap(\.questions)
        #expect(open.count > 60)
        var problems: [String] = []
        _ = try eventually(seconds: 120) {
            problems = []
            open = try open.filter { question in
                let problem = try Self.problem(question, prometheus)
                if let problem { problems.append("\(question.panel): \(problem)") }
                return problem != nil
            }
            return open.isEmpty
        }
        #expect(problems == [])
        try Self.checkRules(prometheus)
    }

    /// Nil when the query gives at least one number.
    private static func problem(
        _ question: Dashboard.Question, _ prometheus: Prometheus
    ) throws -> String? {
        let escaped =
            question.promQL.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let answer = try prometheus.get("/api/v1/query?query=\(escaped)")
        guard answer["status"] as? String == "success" else {
            return "\(answer["error"] ?? "no answer") in \(question.promQL)"
        }
        let results = (answer["data"] as? [String: Any])?["result"] as? [[String: Any]] ?? []
        let values = results.compactMap { ($0["value"] as? [Any])?.last as? String }
        return values.contains { $0 != "NaN" } ? nil : "no data for \(question.promQL)"
    }

    /// All rules are evaluated, and the demo's model without a price sets off its alert.
    private static func checkRules(_ prometheus: Prometheus) throws {
        func rules() throws -> [[String: Any]] {
            let data = try prometheus.get("/api/v1/rules")["data"] as? [String: Any]
            let groups = data?["groups"] as? [[String: Any]] ?? []
            return groups.flatMap { $0["rules"] as? [[String: Any]] ?? [] }
        }
        let areWell = try eventually {
            let rules = try rules()
            return rules.count > 25 && rules.allSatisfy { $0["health"] as? String == "ok" }
        }
        #expect(areWell)
        let isTold = try eventually {
            try rules().contains {
                $0["name"] as? String == "CostgaugeUnpricedModel"
                    && $0["state"] as? String == "firing"
            }
        }
        #expect(isTold)
    }
}
