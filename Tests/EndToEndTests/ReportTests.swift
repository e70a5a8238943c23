import Foundation
import TestSupport
import Testing

@Suite struct ReportTests {
    private static let configuration = """
        budgets:
          - name: monthly
            match: {tenant: "*"}
            each: [tenant]
            limit_usd: 10
            thresholds: [0.5, 1]
        """

    private func start(_ place: TemporaryDirectory) throws -> Costgauge {
        let file = try place.file("c.yaml", Self.configuration)
        return try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
    }

    private func report(_ arguments: String...) throws -> (
        status: Int32, output: String, errors: String
    ) {
        try ChildProcess.run(Costgauge.executable, ["report"] + arguments)
    }

    @Test func `a budget that is used up makes the report end with 3, from server and directory`()
        throws
    {
        let place = TemporaryDirectory()
        let server = try start(place)
        let (url, path) = (
            "--url=http://127.0.0.1:\(server.port)", "--storage.path=\(place.path)/data"
        )
        func spend(_ amount: String) throws {
            let answer = try server.client().post(
                "{\"tenant\":\"acme\",\"feature\":\"a,\\\"b\",\"cost_usd\":\"\(amount)\"}")
            #expect(answer.status == 200)
        }
        try spend("6")
        let half = try report(url)
        #expect(half.status == 0, "\(half.errors)")
        #expect(half.output.contains("████████████░░░░░░░░   60%  $6.00  $10.00"), "\(half.output)")
        #expect(!half.output.contains("\u{1b}"))
        try spend("4")
        for source in [url, path] {
            let full = try report(source)
            #expect(full.status == 3, "\(full.output) \(full.errors)")
            #expect(full.output.contains("████████████████████  100%  $10.00  $10.00"))
            #expect(full.output.hasPrefix("Spend $10.00 in 2 calls\n"))
            let json = try report(source, "--json")
            #expect(json.status == 3)
            let parsed =
                try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
            let budget = (parsed?["budgets"] as? [[String: Any]])?.first
            #expect(budget?["breached"] as? Bool == true)
            #expect(budget?["scope"] as? String == "acme")
            #expect(budget?["spent_usd"] as? String == "10.00")
            let csv = try report(source, "--csv", "--group-by=feature")
            #expect(
                csv.output == "feature,cost_usd,calls,unpriced_calls,input_tokens,output_tokens\r\n"
                    + "\"a,\"\"b\",10.00,2,0,0,0\r\n")
        }
    }

    @Test func `what moved most is told against the week before`() throws {
        let place = TemporaryDirectory()
        let server = try start(place)
        let now = Int(Date().timeIntervalSince1970)
        for (days, tenant, amount) in [(9, "acme", "1"), (1, "acme", "1.50"), (9, "calm", "2")] {
            let answer = try server.client().post(
                "{\"timestamp\":\(now - days * 86_400),\"tenant\":\"\(tenant)\",\"cost_usd\":\"\(amount)\"}"
            )
            #expect(answer.status == 200)
        }
        for source in [
            "--url=http://127.0.0.1:\(server.port)", "--storage.path=\(place.path)/data",
        ] {
            let output = try report(source).output
            #expect(output.contains("calm        tenant   $2.00  $0.00  -$2.00"), "\(output)")
            #expect(output.contains("acme        tenant   $1.00  $1.50  +$0.50"), "\(output)")
        }
        let all = try report("--url=http://127.0.0.1:\(server.port)", "--csv").output
        #expect(all.hasPrefix("by,value,cost_usd,"))
        #expect(all.contains("tenant,acme,2.50,2,0,0,0\r\n"))
    }

    @Test func `names in the CSV are text for a spreadsheet, and figures are figures`() throws {
        let place = TemporaryDirectory()
        let server = try start(place)
        let names = ["=1+2", "+1", "-1", "@x", "\t=1", "\r=1", "1=1", "=\"a\",b"]
        for name in names {
            let text = try String(decoding: JSONEncoder().encode(name), as: UTF8.self)
            let answer = try server.client().post(
                "{\"tenant\":\(text),\"feature\":\(text),\"cost_usd\":\"1\"}")
            #expect(answer.status == 200)
        }
        let path = "--storage.path=\(place.path)/data"
        let own = try report(path, "--csv", "--group-by=tenant").output
        let cells = own.components(separatedBy: "\r\n").map { line in
            line.components(separatedBy: ",1.00,")[0]
        }
        let wanted = ["'=1+2", "'+1", "'-1", "'@x", "\"'\t=1\"", "\"'\r=1\"", "1=1"]
        for cell in wanted + ["\"'=\"\"a\"\",b\""] {
            #expect(cells.contains(cell), "\(cell) is not in \(own)")
        }
        let all = try report(path, "--csv").output
        #expect(all.contains("\r\ntenant,'=1+2,1.00,"), "\(all)")
    }

    @Test func `a server that is not there, or two ways at once, end with 2`() throws {
        let gone = try report("--url=http://127.0.0.1:1")
        #expect(gone.status == 2 && gone.errors.contains("127.0.0.1:1 cannot be asked"))
        #expect(try report("--json", "--csv").status == 2)
        let empty = try report("--tenant=")
        #expect(empty.status == 2)
        #expect(empty.errors.contains("--tenant is empty; give it a value or leave it out"))
        #expect(try report("--url=http://127.0.0.1:1", "--storage.path=x").status == 2)
    }
}
