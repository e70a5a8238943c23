import Foundation
import TestSupport
import Testing

/// Counters of OpenTelemetry over the lives of the process.
@Suite struct CounterTests {
    private let place = TemporaryDirectory()
    private let now = UInt64(Date().timeIntervalSince1970) * 1_000_000_000

    private func start() throws -> Costgauge {
        let file = try place.file("c.yaml", "otlp_receiver: {logs: true}\n")
        return try Costgauge(storage: place.path + "/data", arguments: ["--config.file=\(file)"])
    }

    /// One point of Claude Code's dollars. `start` and `time` are seconds from now.
    private func dollars(
        _ value: String, isDelta: Bool, start: Int, time: Int, session: String
    ) -> [UInt8] {
        func nanos(_ seconds: Int) -> String { "\(Int(now) + seconds * 1_000_000_000)" }
        return Array(
            """
            {"resourceMetrics":[{"resource":{"attributes":[
              {"key":"service.name","value":{"stringValue":"claude-code"}},
              {"key":"tenant","value":{"stringValue":"\(session)"}}]},
            "scopeMetrics":[{"metrics":[{"name":"claude_code.cost.usage","sum":{
              "aggregationTemporality":\(isDelta ? 1 : 2),"isMonotonic":true,"dataPoints":[
              {"startTimeUnixNano":"\(nanos(start))","timeUnixNano":"\(nanos(time))",
               "asDouble":\(value),"attributes":[
               {"key":"model","value":{"stringValue":"claude-sonnet-4-5"}},
               {"key":"session.id","value":{"stringValue":"\(session)"}}]}]}}]}]}]}
            """.utf8)
    }

    @discardableResult
    private func send(
        _ body: [UInt8], to server: Costgauge, _ signal: String = "metrics"
    ) throws -> Int {
        try server.client().request(
            "POST", "/v1/\(signal)", headers: ["Content-Type": "application/json"], body: body
        ).status
    }

    private func cost(_ session: String, _ server: Costgauge) throws -> [String] {
        try server.metrics().family("costgauge_cost_usd_total").filter {
            $0.key.contains("tenant=\"\(session)\"")
        }.map(\.value)
    }

    @Test(arguments: [true, false])
    func `P2 counters go on over a restart: nothing is counted twice, nothing is left out`(
        kills: Bool
    ) throws {
        var server = try start()
        let delta = dollars("0.25", isDelta: true, start: -20, time: -10, session: "delta")
        func total(_ value: String, _ time: Int) -> [UInt8] {
            dollars(value, isDelta: false, start: -1000, time: time, session: "total")
        }
        for body in [delta, delta, total("1", -50), total("1.5", -40)] {
            #expect(try send(body, to: server) == 200)
        }
        #expect(try cost("delta", server) == ["0.25"] && cost("total", server) == ["0.5"])
        if kills { server.kill() } else { #expect(server.stop() == 0) }
        server = try start()
        // Sent again because the answer was lost, and what was spent in the meantime.
        for body in [delta, total("1.5", -40), total("3.5", -30)] {
            #expect(try send(body, to: server) == 200)
        }
        #expect(try cost("delta", server) == ["0.25"] && cost("total", server) == ["2.5"])
    }

    @Test func `the first value of a counter with a past is remembered, too`() throws {
        var server = try start()
        func total(_ value: String, _ time: Int) -> [UInt8] {
            dollars(value, isDelta: false, start: -1000, time: time, session: "s")
        }
        #expect(try send(total("5", -50), to: server) == 200)
        #expect(try cost("s", server) == [])
        // It has no event to be kept with.
        #expect(server.stop() == 0)
        server = try start()
        #expect(try send(total("6", -40), to: server) == 200)
        #expect(try cost("s", server) == ["1"])
    }

    @Test func `a counter that began while costgauge was away is counted whole`() throws {
        var server = try start()
        func total(_ session: String, start: Int, time: Int) -> [UInt8] {
            dollars("4", isDelta: false, start: start, time: time, session: session)
        }
        #expect(try send(total("known", start: -1000, time: -10), to: server) == 200)
        #expect(server.stop() == 0)
        // By its own clock, which is ahead of ours here.
        server = try start()
        #expect(try send(total("young", start: 100, time: 110), to: server) == 200)
        #expect(try send(total("old", start: -900, time: 110), to: server) == 200)
        #expect(try cost("young", server) == ["4"] && cost("old", server) == [])
    }

    @Test func `P1 what the store refused of a counter is counted when it is sent again`() throws {
        let server = try start()
        func total(_ value: String, _ time: Int) -> [UInt8] {
            dollars(value, isDelta: false, start: -1000, time: time, session: "total")
        }
        #expect(try send(total("1", -50), to: server) == 200)
        let delta = dollars("0.25", isDelta: true, start: -20, time: -10, session: "delta")
        let process = "\(server.child.process.processIdentifier)"
        let prlimit = try #require(ChildProcess.find("prlimit"))
        #expect(try ChildProcess.run(prlimit, ["--pid", process, "--fsize=4096:"]).status == 0)
        #expect(try send(delta, to: server) == 503 && send(total("3", -40), to: server) == 503)
        #expect(
            try ChildProcess.run(prlimit, ["--pid", process, "--fsize=unlimited:"]).status == 0)
        #expect(try send(delta, to: server) == 200 && send(total("3", -40), to: server) == 200)
        #expect(try cost("delta", server) == ["0.25"] && cost("total", server) == ["2"])
    }

    @Test func `P2 a log record without an id counts once however often it is sent`() throws {
        var server = try start()
        func record(_ nanos: UInt64) -> [UInt8] {
            Array(
                """
                {"resourceLogs":[{"resource":{"attributes":[
                  {"key":"tenant","value":{"stringValue":"log"}}]},
                "scopeLogs":[{"scope":{"name":"com.anthropic.claude_code.events"},"logRecords":[
                  {"timeUnixNano":"\(nanos)","body":{"stringValue":"claude_code.api_request"},
                   "attributes":[{"key":"event.name","value":{"stringValue":"api_request"}},
                     {"key":"model","value":{"stringValue":"claude-sonnet-4-5"}},
                     {"key":"input_tokens","value":{"intValue":"1000"}},
                     {"key":"cost_usd","value":{"doubleValue":0.05}}]}]}]}]}
                """.utf8)
        }
        for _ in 0..<2 { #expect(try send(record(now), to: server, "logs") == 200) }
        #expect(try cost("log", server) == ["0.05"])
        server.kill()
        server = try start()
        #expect(try send(record(now), to: server, "logs") == 200)
        #expect(try cost("log", server) == ["0.05"])
        #expect(try send(record(now + 1), to: server, "logs") == 200)
        #expect(try cost("log", server) == ["0.1"])
    }
}
