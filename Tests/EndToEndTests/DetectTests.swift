import Foundation
import TestSupport
import Testing

@Suite struct DetectTests {
    private func detect(_ table: String, _ flags: String...) throws -> (
        status: Int32, output: String, errors: String
    ) {
        let place = TemporaryDirectory()
        let file = try place.file("table.csv", table)
        return try ChildProcess.run(Costgauge.executable, ["detect", file] + flags)
    }

    /// Two weeks of hours at a steady dollar, one of them dearer.
    private func steady(dearHour: Int, cost: Double = 50) -> String {
        "timestamp,cost,events\n"
            + (0..<336).map { hour in
                "\(1_767_225_600 + hour * 3600),\(hour == dearHour ? cost : 1 + Double(hour % 3) / 10),20\n"
            }.joined()
    }

    /// Seeds that were put aside when the detector was tuned; the same figures as the reference's.
    @Test(.enabled(if: Peers.python != nil || Peers.areRequired))
    func `synthetic spend: precision 0.942, recall 0.810, F1 0.871 on unseen hours`() throws {
        let python = try #require(Peers.python)
        let script = Costgauge.repository + "/Tests/EndToEndTests/Spend/detect_score.py"
        let result = try ChildProcess.run(
            python, [script, Costgauge.executable, "3600", "110000", "120000"])
        #expect(
            result.output
                == "series 60 precision 0.942 recall 0.810 F1 0.871 false alarms a month 0.05\n",
            "\(result.errors)")
    }

    @Test func `spend gets a verdict a row, with a reason`() throws {
        let result = try detect(steady(dearHour: 300))
        let lines = result.output.split(separator: "\n")
        #expect(result.status == 0)
        #expect(lines.count == 337)
        #expect(
            lines[0] == "timestamp,cost,events,anomaly,severity,direction,expected,why")
        let dear = try #require(lines.first { $0.contains(",50.0,20,") })
        #expect(dear.contains(",1,critical,1,1."))
        #expect(dear.contains(",\"spent $50.00 over about the last 1 h, "))
        #expect(dear.hasSuffix("beyond its recent record)\""))
        #expect(lines.filter { $0.contains(",1,critical,") }.count == 1)
        let only = try detect(steady(dearHour: 300), "--anomalies-only").output
        #expect(only.split(separator: "\n") == [lines[0], dear])
    }

    @Test func `flags move the gates`() throws {
        func count(_ flags: String...) throws -> Int {
            let place = TemporaryDirectory()
            let file = try place.file("table.csv", steady(dearHour: 100))
            let result = try ChildProcess.run(
                Costgauge.executable, ["detect", file, "--anomalies-only"] + flags)
            #expect(result.status == 0, "\(result.errors)")
            return result.output.split(separator: "\n").count - 1
        }
        #expect(try count() == 0)
        #expect(try count("--warmup=3d") == 1)
        #expect(try count("--warmup=3d", "--min-usd=1000") == 0)
        #expect(try count("--warmup=3d", "--min-events=10000") == 0)
        #expect(try count("--rule=ratio:2:3d") == 1)
        #expect(try count("--rule=sigma:3:3d") == 1)
        #expect(try count("--rule=ratio:9:3d") == 0)
    }

    @Test func `any other number gets a score`() throws {
        let table =
            "timestamp,value\n"
            + (0..<900).map { index in
                let day = 1 + index / 288
                let minute = index % 288 * 5
                let time = String(format: "%02d:%02d:00", minute / 60, minute % 60)
                return "2026-01-0\(day) \(time),\(index == 850 ? 900 : 100 + index * 7 % 13)\n"
            }.joined()
        let lines = try detect(table).output.split(separator: "\n")
        #expect(lines[0] == "timestamp,value,score,anomaly,expected")
        let fields = try #require(lines.first { $0.contains(",900,") }).split(separator: ",")
        #expect(fields[2] == "1.0" && fields[3] == "1")
        #expect(lines.suffix(100).filter { $0.split(separator: ",")[3] == "1" }.count == 1)
    }

    @Test(
        arguments: [
            ("", "line 1: is empty; the first line names the columns"),
            ("a,b\n", "line 1: must name the columns: timestamp,value or timestamp,cost,events"),
            ("timestamp,cost\n", "line 1: must name the columns"),
            ("timestamp,value\n1,x\n", "line 2: value \"x\" is not a number"),
            ("timestamp,value\n1,nan\n", "line 2: value \"nan\" is not a number"),
            ("timestamp,value\n1\n", "line 2: has 1 columns; the first line has 2"),
            ("timestamp,value\nsoon,1\n", "line 2: timestamp \"soon\" is no time"),
            (
                "timestamp,cost,events\n1,-1,2\n",
                "line 2: cost \"-1\" is not a number from 0 on"
            ),
            ("timestamp,cost,events\n1.5,1,2\n", "line 2: a bucket begins at a whole second"),
            (
                "timestamp,cost,events\n3600,1,2\n0,1,2\n",
                "line 3: is not after the row before it; sort by time"
            ),
            (
                "timestamp,cost,events\n0,1,2\n3600,1,2\n8000,1,2\n",
                "line 4: is 4400 s after the row before it, which is no multiple of the bucket's 3600 s"
            ),
        ])
    func `a fault names its line and what to write`(_ table: String, _ message: String) throws {
        let result = try detect(table)
        #expect(result.status == 2)
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.output.isEmpty)
    }

    @Test func `bytes at random are refused, never a crash`() throws {
        var random = SeededRandom(seed: 8)
        for _ in 0..<20 {
            var table = Array("timestamp,cost,events\n0,1,2\n3600,1,2\n".utf8)
            for _ in 0..<4 {
                table[Int.random(in: 0..<table.count, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            let place = TemporaryDirectory()
            let path = place.path + "/table.csv"
            try Data(table).write(to: URL(fileURLWithPath: path))
            let result = try ChildProcess.run(Costgauge.executable, ["detect", path])
            #expect([0, 2].contains(result.status), "\(result.errors)")
        }
    }

    @Test(
        arguments: [
            (["detect"], "name the file: costgauge detect FILE.csv"),
            (["detect", "/nowhere.csv"], "/nowhere.csv: cannot read it: No such file"),
            (["detect", "x", "--rule=mad:3"], "--rule: \"mad:3\" is no rule; write ratio:2:7d"),
            (["detect", "x", "--rule=ratio:2:29d"], "with a baseline of 1d to 28d"),
            (["detect", "x", "--min-usd=some"], "--min-usd: \"some\" is not a number from 0 on"),
            (["detect", "x", "--window=5"], "--window: \"5\" is not a duration such as 5m"),
        ])
    func `a mistake on the command line is one line`(_ arguments: [String], _ message: String)
        throws
    {
        let result = try ChildProcess.run(Costgauge.executable, arguments)
        #expect(result.status == 2)
        #expect(result.errors.contains(message), "\(result.errors)")
    }

    /// Twelve days of steady calls, and a loop of one user in the last night.
    private func history(until now: Int) -> String {
        var lines = ""
        for hour in stride(from: -288, to: 0, by: 1) {
            for call in 0..<12 {
                let time = now + hour * 3600 + call * 300
                let loops = (-12 ... -10).contains(hour) ? 40 : 1
                for copy in 0..<loops {
                    lines +=
                        "{\"timestamp\":\(time + copy),\"user\":\"u-\(call % 3)\","
                        + "\"feature\":\"search\",\"cost_usd\":0.\(20 + (hour + 300 + call) % 7)}\n"
                }
            }
        }
        return lines
    }

    @Test func `a backtest says what stored history would have told`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        let now = Int(Date().timeIntervalSince1970) / 3600 * 3600
        let answer = try server.client().request(
            "POST", "/v1/events", headers: ["Content-Type": "application/x-ndjson"],
            body: Array(history(until: now).utf8))
        #expect(answer.status == 200, "\(answer.text)")
        server.stop()
        func backtest(_ flags: String...) throws -> String {
            let result = try ChildProcess.run(
                Costgauge.executable,
                ["detect", "--backtest", "--storage.path=\(place.path)"] + flags)
            #expect(result.status == 0, "\(result.errors)")
            return result.output
        }
        let told = try backtest("--since=3d")
        #expect(told.contains(" anomalies would have been told in "), "\(told)")
        #expect(told.contains("user_spike"), "\(told)")
        #expect(told.contains("100% of it is feature search"))
        #expect(try backtest("--since=6h").hasPrefix("0 anomalies would have been told"))
        #expect(
            try backtest("--since=3d", "--min-usd=100000")
                .hasPrefix("0 anomalies would have been told"))
        #expect(try backtest("--since=3d", "--warmup=20d").contains("still warming up: "))
        let file = try ChildProcess.run(Costgauge.executable, ["detect", "--backtest", "x.csv"])
        #expect(file.status == 2 && file.errors.contains("takes no file"))
    }
}
