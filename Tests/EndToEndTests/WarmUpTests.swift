import Foundation
import TestSupport
import Testing

@Suite struct WarmUpTests {
    @Test func `history that is loaded shortens the warm-up of anomalies`() throws {
        let place = TemporaryDirectory()
        let now = Int(Date().timeIntervalSince1970)
        var lines = ""
        // Ten days, every half hour.
        for index in 0..<480 {
            let time = now - 864_000 + index * 1800
            let dollars = 1 + Double(index % 7) / 10
            lines +=
                "{\"id\":\"e\(index)\",\"timestamp\":\(time),\"tenant\":\"acme\",\"cost_usd\":\(dollars)}\n"
        }
        let file = try place.file("history.ndjson", lines)
        let load = try ChildProcess.run(
            Costgauge.executable, ["ingest", "--storage.path=\(place.path)/data", file])
        #expect(load.status == 0, "\(load.errors)")
        let server = try Costgauge(storage: place.path + "/data")
        let gauge = "costgauge_anomaly_warmup_remaining_seconds"
        // It is learnt once the first checkpoint has put it into the roll-ups.
        let isLearnt = try eventually(seconds: 180) { try server.metrics()[gauge] == "0" }
        let found = try server.metrics().family("costgauge_anomaly")
        #expect(isLearnt, "\(found) \(load.output) \(load.errors)")
        #expect(server.stop() == 0)
    }
}
