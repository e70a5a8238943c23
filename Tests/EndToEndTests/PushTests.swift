import Foundation
import TestSupport
import Testing

/// What is pushed, decoded by the official package, beside what is scraped.
@Suite(.enabled(if: Peers.areInstalled, "make test installs the peers"))
struct PushTests {
    private struct Pushed {
        let points: [String: Double]
        let starts: [String: Int]
        let resource: [String: String]
        let temporality: [Int]
    }

    private func decode(_ body: [UInt8], in place: TemporaryDirectory) throws -> Pushed {
        let file = place.path + "/push.bin"
        try Data(body).write(to: URL(fileURLWithPath: file))
        let script = Costgauge.repository + "/Tests/EndToEndTests/Python/decode_metrics.py"
        let result = try ChildProcess.run(try #require(Peers.python), [script, file])
        try #require(result.status == 0, "\(result.errors)")
        let json =
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            ?? [:]
        let points = json["points"] as? [String: NSNumber] ?? [:]
        let starts = json["starts"] as? [String: NSNumber] ?? [:]
        return Pushed(
            points: points.mapValues(\.doubleValue), starts: starts.mapValues(\.intValue),
            resource: json["resource"] as? [String: String] ?? [:],
            temporality: json["temporality"] as? [Int] ?? [])
    }

    private static let events = """
        [{"tenant":"acme","feature":"chat","provider":"openai","model":"gpt-4o-mini","input_tokens":1200,
          "cached_input_tokens":1000,"output_tokens":80,"user":"u1"},
         {"tenant":"a\\"b\\\\c\\nd","feature":"é","provider":"p","model":"m","cost_usd":"0.000000001",
          "status":"timeout","stage":"connection"},
         {"tenant":"acme","model":"gpt-9","input_tokens":7}]
        """

    /// The last push, taken after the server has stopped, so that it has everything.
    private func run(
        _ place: TemporaryDirectory, _ receiver: RecordingReceiver, posting: Bool,
        environment: [String: String]
    ) throws -> (pushed: Pushed, scraped: Metrics) {
        let server = try Costgauge(storage: place.path + "/data", environment: environment)
        if posting { #expect(try server.client().post(Self.events).status == 200) }
        let scraped = try server.metrics()
        #expect(server.stop() == 0)
        let last = try #require(receiver.all.last)
        #expect(last.path == "/v1/metrics")
        #expect(last.headers["content-type"] == "application/x-protobuf")
        #expect(last.headers["content-encoding"] == "gzip")
        return (try decode(last.body, in: place), scraped)
    }

    @Test func `what is pushed is what is scraped, value by value`() throws {
        let place = TemporaryDirectory()
        let receiver = try RecordingReceiver { _, _ in .status(200) }
        let environment = [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(receiver.port)/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b",
            "OTEL_SERVICE_NAME": "gauge", "OTEL_RESOURCE_ATTRIBUTES": "team=a%2Cb,service.name=x",
        ]
        let first = try run(place, receiver, posting: true, environment: environment)
        #expect(receiver.all.last?.headers["x-key"] == "a b")
        #expect(first.pushed.resource["service.name"] == "gauge")
        #expect(first.pushed.resource["team"] == "a,b")
        #expect(first.pushed.temporality == [2])
        let ledger = first.scraped.ledger
        #expect(ledger.count > 20)
        for (name, value) in ledger {
            #expect(first.pushed.points[name] == Double(value), "\(name)")
        }
        // Everything else is there too, though some of it has moved on since.
        let names = Set(first.scraped.samples.keys)
        let missing = names.subtracting(first.pushed.points.keys)
        #expect(missing.filter { !$0.contains("http_requests") } == [])

        // A restart changes neither values nor the times at which their series began.
        let second = try run(place, receiver, posting: false, environment: environment)
        for (name, value) in ledger {
            #expect(second.pushed.points[name] == Double(value), "\(name)")
            #expect(second.pushed.starts[name] == first.pushed.starts[name], "\(name)")
        }
    }

    @Test func `deltas of one process are told once`() throws {
        let place = TemporaryDirectory()
        let receiver = try RecordingReceiver { _, _ in .status(200) }
        let environment = [
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:\(receiver.port)/v1/metrics",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Delta",
        ]
        let first = try run(place, receiver, posting: true, environment: environment)
        #expect(first.pushed.temporality == [1])
        let cost = first.scraped.family("costgauge_cost_usd_total")
        #expect(cost.count == 2)
        for (name, value) in cost { #expect(first.pushed.points[name] == Double(value)) }
        let second = try run(place, receiver, posting: false, environment: environment)
        #expect(second.pushed.points.keys.filter { $0.hasPrefix("costgauge_cost_usd_total") } == [])
    }

    @Test func `another protocol is a fault, not a silent switch`() throws {
        let place = TemporaryDirectory()
        #expect(throws: Costgauge.DidNotStart.self) {
            try Costgauge(
                storage: place.path,
                environment: [
                    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                ])
        }
    }
}
