import Foundation
import Synchronization
import TestSupport
import Testing

/// Random events with hostile names and an independent sum of what they cost.
private struct EventSource {
    var random: SeededRandom
    var next = 0
    /// Nano-dollars by tenant and feature.
    var sums: [[String]: Int64] = [:]
    static let names = [
        "acme", "quote\"d", "back\\slash", "new\nline", "tab\t", "é😀", "{braces}", "a,b=c", " ",
        "\u{7f}",
    ]

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// One event as JSON; its cost has up to nine digits and is added to the sums.
    mutating func event() -> String {
        let tenant = random.pick(Self.names)
        let feature = random.pick(Self.names)
        let nanos = Int64(random.below(3_000_000_000))
        sums[[tenant, feature], default: 0] += nanos
        next += 1
        let digits = String(1_000_000_000 + nanos % 1_000_000_000).dropFirst()
        let cost = "\(nanos / 1_000_000_000).\(digits)"
        func quoted(_ text: String) -> String {
            let data = try? JSONSerialization.data(withJSONObject: [text])
            return String(decoding: (data ?? Data()).dropFirst().dropLast(), as: UTF8.self)
        }
        return "{\"id\":\"e\(next)\",\"tenant\":\(quoted(tenant)),\"feature\":\(quoted(feature)),"
            + "\"provider\":\"p\",\"model\":\"m\",\"input_tokens\":\(random.below(1000)),"
            + "\"cost_usd\":\(random.chance(50) ? cost : "\"\(cost)\"")}"
    }

    var total: Int64 { sums.values.reduce(0, +) }
}

private func nanos(_ decimal: String) -> Int64 {
    let parts = decimal.split(separator: ".", omittingEmptySubsequences: false)
    let fraction = parts.count > 1 ? String(parts[1]) : ""
    let padded = fraction.padding(toLength: 9, withPad: "0", startingAt: 0)
    return (Int64(parts[0]) ?? 0) * 1_000_000_000 + (Int64(padded) ?? 0)
}

private func costs(_ metrics: Metrics) -> Int64 {
    metrics.family("costgauge_cost_usd_total").values.reduce(0) { $0 + nanos($1) }
}

@Suite struct LifeTests {
    @Test func `P3 P11 ten thousand hostile events give the exact totals, also after kill -9`()
        throws
    {
        let place = TemporaryDirectory()
        var server = try Costgauge(storage: place.path)
        var source = EventSource(seed: 20_261_120)
        let batches = (0..<50).map { _ in (0..<200).map { _ in source.event() } }
        let client = try server.client()
        for (index, batch) in batches.enumerated() {
            let body =
                index % 2 == 0 ? batch.joined(separator: "\n") : "[\(batch.joined(separator: ","))]"
            let answer = try client.post(body)
            #expect(
                answer.text.hasPrefix("{\"accepted\":200,\"duplicates\":0"),
                "\(answer.text.prefix(300))")
        }
        let before = try server.metrics()
        #expect(costs(before) == source.total)
        for (labels, sum) in source.sums {
            let escaped = labels.map {
                $0.replacingOccurrences(of: "\\", with: "\\\\")
                    .replacingOccurrences(of: "\"", with: "\\\"").replacingOccurrences(
                        of: "\n", with: "\\n")
            }
            let name =
                "costgauge_cost_usd_total{tenant=\"\(escaped[0])\",feature=\"\(escaped[1])\",provider=\"p\",model=\"m\"}"
            #expect(before[name].map(nanos) == sum, "\(labels)")
        }
        let repeated = try client.post(batches[7].joined(separator: "\n"))
        #expect(repeated.text == "{\"accepted\":0,\"duplicates\":200,\"rejected\":[]}\n")
        #expect(try server.metrics().ledger == before.ledger)
        server.kill()
        server = try Costgauge(storage: place.path)
        #expect(try server.metrics().ledger == before.ledger)
        let after = try server.client().post(batches[49].joined(separator: "\n"))
        #expect(after.text == "{\"accepted\":0,\"duplicates\":200,\"rejected\":[]}\n")
        #expect(server.stop() == 0)
        server = try Costgauge(storage: place.path)
        #expect(try server.metrics().ledger == before.ledger)
    }

    @Test
    func
        `P1 P2 twelve kill -9 under four senders lose nothing acknowledged and count nothing twice`()
        throws
    {
        let place = TemporaryDirectory()
        var source = EventSource(seed: 7)
        let bodies = (0..<480).map { _ in
            (0..<40).map { _ in source.event() }.joined(separator: "\n")
        }
        let acknowledged = Mutex<Set<Int>>([])
        var random = SeededRandom(seed: 3)
        for _ in 0..<12 {
            let server = try Costgauge(storage: place.path)
            let port = server.port
            let senders = (0..<4).map { lane in
                Thread {
                    guard let client = try? TestHTTPClient(port: port) else { return }
                    for index in bodies.indices where index % 4 == lane {
                        if acknowledged.withLock({ $0.contains(index) }) { continue }
                        guard let answer = try? client.post(bodies[index]), answer.status == 200
                        else { return }
                        acknowledged.withLock { _ = $0.insert(index) }
                    }
                }
            }
            for sender in senders { sender.start() }
            usleep(UInt32(20_000 + random.below(120_000)))
            server.kill()
            _ = eventually { senders.allSatisfy(\.isFinished) }
        }
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        for (index, body) in bodies.enumerated() {
            let answer = try client.post(body)
            #expect(answer.status == 200)
            if acknowledged.withLock({ $0.contains(index) }) {
                #expect(
                    answer.text.hasPrefix("{\"accepted\":0,\"duplicates\":40"), "batch \(index)")
            }
        }
        #expect(costs(try server.metrics()) == source.total)
        let requests = try server.metrics().family("costgauge_requests_total").values.compactMap {
            Int($0)
        }
        #expect(requests.reduce(0, +) == bodies.count * 40)
    }

    @Test func `SIGTERM commits what was accepted and exits 0`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        let port = server.port
        let acknowledged = Mutex(0)
        let sender = Thread {
            guard let client = try? TestHTTPClient(port: port) else { return }
            while let answer = try? client.post(#"{"tenant":"a","cost_usd":0.001}"#),
                answer.status == 200
            {
                acknowledged.withLock { $0 += 1 }
            }
        }
        sender.start()
        _ = eventually { acknowledged.withLock { $0 > 20 } }
        #expect(server.stop() == 0)
        _ = eventually { sender.isFinished }
        #expect(server.child.standardError.contains("msg=\"stopped\""))
        let again = try Costgauge(storage: place.path)
        let counted = try again.metrics().family("costgauge_requests_total").values.compactMap {
            Int($0)
        }.first
        // The last one may have been committed while its answer was lost.
        let known = acknowledged.withLock { $0 }
        #expect(counted == known || counted == known + 1)
    }

    @Test func `a disk that takes no more gives 503, loses nothing and recovers`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        let client = try server.client()
        let event = { (id: Int) in #"{"id":"d\#(id)","tenant":"a","cost_usd":1}"# }
        #expect(try client.post(event(1)).status == 200)
        let process = "\(server.child.process.processIdentifier)"
        let prlimit = try #require(ChildProcess.find("prlimit"))
        #expect(try ChildProcess.run(prlimit, ["--pid", process, "--fsize=4096:"]).status == 0)
        let refused = try client.post(event(2))
        #expect(refused.status == 503 && refused.headers["retry-after"] == "5")
        #expect(
            refused.text.contains("\"code\":\"store_unwritable\"")
                && refused.text.contains("\"accepted\":0"))
        #expect(try client.request("GET", "/-/healthy").status == 200)
        #expect(try client.request("GET", "/-/ready").status == 503)
        #expect(try server.metrics()["costgauge_store_writable"] == "0")
        #expect(try server.metrics()["costgauge_requests_total{tenant=\"a\",status=\"ok\"}"] == "1")
        #expect(
            try ChildProcess.run(prlimit, ["--pid", process, "--fsize=unlimited:"]).status == 0)
        #expect(try client.post(event(2)).text.hasPrefix("{\"accepted\":1"))
        #expect(try client.post(event(1)).text.hasPrefix("{\"accepted\":0,\"duplicates\":1"))
        #expect(try client.request("GET", "/-/ready").status == 200)
        server.kill()
        let again = try Costgauge(storage: place.path)
        #expect(try again.metrics()["costgauge_requests_total{tenant=\"a\",status=\"ok\"}"] == "2")
    }

    @Test func `a reload takes effect, a bad one keeps what runs and says so`() throws {
        let place = TemporaryDirectory()
        let file = try place.file("c.yaml", "attribution: {defaults: {tenant: first}}\n")
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        let client = try server.client()
        #expect(try client.post(#"{"cost_usd":1}"#).status == 200)
        _ = try place.file(
            "c.yaml",
            """
            attribution: {defaults: {tenant: second}}
            metrics: {max_series: 200}
            intake: {queue_events: 5000}
            """)
        let reloaded = try client.request("POST", "/-/reload", body: [])
        #expect(reloaded.status == 200)
        #expect(
            reloaded.text == """
                the configuration was read again
                intake.queue_events has changed and takes effect at the next start
                metrics.max_series has changed and takes effect at the next start

                """)
        #expect(server.child.standardError.contains("takes effect at the next start"))
        #expect(try client.post(#"{"cost_usd":1}"#).status == 200)
        _ = try place.file("c.yaml", "attribution: {default: {tenant: third}}\n")
        let refused = try client.request("POST", "/-/reload", body: [])
        #expect(refused.status == 500)
        #expect(
            refused.text.contains(
                "c.yaml:1:15: attribution.default: unknown key; did you mean defaults?"))
        #expect(try server.metrics()["costgauge_config_last_reload_successful"] == "0")
        #expect(try client.post(#"{"cost_usd":1}"#).status == 200)
        _ = try place.file("c.yaml", "attribution: {defaults: {tenant: fourth}}\n")
        server.child.signal(SIGHUP)
        let isBack = try eventually {
            try server.metrics()["costgauge_config_last_reload_successful"] == "1"
        }
        #expect(isBack)
        let asStarted = try client.request("POST", "/-/reload", body: [])
        #expect(asStarted.text == "the configuration was read again\n")
        #expect(try client.post(#"{"cost_usd":1}"#).status == 200)
        let tenants = try server.metrics().family("costgauge_requests_total")
        #expect(tenants["costgauge_requests_total{tenant=\"second\",status=\"ok\"}"] == "2")
        #expect(tenants["costgauge_requests_total{tenant=\"fourth\",status=\"ok\"}"] == "1")
    }

    @Test func `the demo runs and leaves nothing behind`() throws {
        let place = TemporaryDirectory()
        let demo = try ChildProcess(
            Costgauge.executable,
            ["demo", "--weeks=1", "--exit-after=2s", "--web.listen-address=127.0.0.1:0"],
            environment: ["TMPDIR": place.path])
        let isLive = eventually { demo.standardOutput.contains("The company is live") }
        #expect(isLive)
        let port = demo.standardOutput.firstMatch(of: /127\.0\.0\.1:(\d+)\/metrics/).flatMap {
            UInt16($0.1)
        }
        let metrics = Metrics(
            try TestHTTPClient(port: try #require(port)).request("GET", "/metrics").text)
        #expect(costs(metrics) > 100_000_000_000)
        #expect(
            metrics[
                "costgauge_unpriced_events_total{provider=\"inhouse\",model=\"acorn-preview-2\"}"]
                != nil)
        #expect(demo.wait() == 0)
        #expect(demo.standardError == "")
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == [])
    }
}
