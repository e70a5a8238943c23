import Foundation
import TestSupport
import Testing

/// `costgauge report` over a data directory shows what the server in it shows.
@Suite final class ReportBudgetsTests {
    private let place = TemporaryDirectory()
    private var path: String { place.path + "/data" }

    private static let budgets = """
        budgets:
          - {name: hour, each: [tenant], rolling: 1h, limit_usd: 10}
          - {name: month, each: [tenant], period: month, limit_usd: 10, overrides: [
              {when: {tenant: big}, limit_usd: 100}]}
          - {name: idle, each: [tenant], period: day, limit_usd: 7}

        """

    private func start(_ configuration: String = budgets) throws -> Costgauge {
        let file = try place.file("c.yaml", configuration)
        return try Costgauge(storage: path, arguments: ["--config.file=\(file)"])
    }

    private func rows(_ source: String) throws -> (status: Int32, rows: Set<String>) {
        let run = try ChildProcess.run(Costgauge.executable, ["report", "--json", source])
        let json = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        let budgets = try #require(json?["budgets"] as? [[String: Any]], "\(run.errors)")
        let rows = budgets.map { budget in
            ["name", "scope", "spent_usd", "limit_usd"].map { budget[$0] as? String ?? "" }
                .joined(separator: " ")
        }
        #expect(Set(rows).count == rows.count)
        return (run.status, Set(rows))
    }

    private func spend(_ server: Costgauge, _ tenant: String, _ amount: String) throws {
        let body = #"{"tenant":"\#(tenant)","cost_usd":"\#(amount)"}"#
        #expect(try server.client().post(body).status == 200)
    }

    @Test func `budgets are as of now, live, stopped and after a crash, rolling ones too`() throws {
        var server = try start()
        try spend(server, "acme", "4")
        let stored = "--storage.path=\(path)"
        let four = try rows(stored)
        #expect(
            four.rows == [
                "hour acme 4.00 10.00", "month acme 4.00 10.00", "idle acme 4.00 7.00",
            ])
        #expect(four.status == 0)
        try spend(server, "acme", "8")
        try spend(server, "acme", "5")
        try spend(server, "big", "1")
        let wanted: Set<String> = [
            "hour acme 17.00 10.00", "month acme 17.00 10.00", "idle acme 17.00 7.00",
            "hour big 1.00 10.00", "month big 1.00 100.00", "idle big 1.00 7.00",
        ]
        for source in [stored, "--url=http://127.0.0.1:\(server.port)"] {
            let all = try rows(source)
            #expect(all.rows == wanted && all.status == 3, "\(source)")
        }
        server.kill()
        #expect(try rows(stored).rows == wanted)
        server = try start()
        server.stop()
        #expect(try rows(stored).rows == wanted)
    }

    @Test func `a reload that changes budgets changes the report`() throws {
        let server = try start()
        try spend(server, "acme", "4")
        _ = try place.file(
            "c.yaml", "budgets: [{name: month, each: [tenant], period: month, limit_usd: 3}]\n")
        #expect(try server.client().request("POST", "/-/reload").status == 200)
        let put = try server.client().request(
            "PUT", "/v1/budgets/api", body: Array(#"{"limit_usd": 50, "period": "month"}"#.utf8))
        #expect(put.status == 201, "\(put.text)")
        let isThere = try eventually {
            try rows("--storage.path=\(path)").rows == [
                "month acme 4.00 3.00", "api  4.00 50.00",
            ]
        }
        #expect(isThere)
    }
}
