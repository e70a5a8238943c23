import Foundation
import TestSupport
import Testing

/// The real clients from PyPI, in front of a provider that the test plays itself.
@Suite(.enabled(if: Peers.areInstalled, "make test installs the peers"))
struct GenAITests {
    private func run(_ mode: String, _ server: Costgauge, port: UInt16? = nil) throws {
        let script = Costgauge.repository + "/Tests/EndToEndTests/Python/genai_workload.py"
        let result = try ChildProcess.run(
            try #require(Peers.python), [script, mode, "\(port ?? server.port)", mode])
        #expect(result.status == 0, "\(mode): \(result.errors.suffix(2000))")
    }

    @Test func `the same calls cost the same, whichever client tells of them`() throws {
        let place = TemporaryDirectory()
        let file = try place.file("c.yaml", "otlp_receiver: {listen: \"127.0.0.1:0\"}\n")
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        let port = try #require(server.otlpPort)
        try run("genai", server)
        try run("traceloop", server, port: port)
        try run("both", server, port: port)
        try run("litellm", server)
        let metrics = try server.metrics()
        for tenant in [
            "genai", "traceloop", "both", "litellm-json_array", "litellm-ndjson", "litellm-single",
        ] {
            func labels(_ model: String) -> String {
                "{tenant=\"\(tenant)\",feature=\"checkout-bot\",provider=\"openai\",model=\"\(model)\""
            }
            // Three calls of 56 fresh, 64 cached and 45 tokens of output.
            #expect(
                metrics["costgauge_cost_usd_total" + labels("gpt-4o-mini") + "}"] == "0.0001206",
                "\(tenant)")
            #expect(
                metrics["costgauge_cost_usd_total" + labels("text-embedding-3-small") + "}"]
                    == "0.00000016", "\(tenant)")
            let requests = "costgauge_requests_total" + labels("gpt-4o-mini")
            #expect(metrics[requests + ",status=\"ok\"}"] == "3", "\(tenant)")
            #expect(metrics[requests + ",status=\"rate_limited\"}"] == "1", "\(tenant)")
        }
        #expect(try TestHTTPClient(port: port).request("GET", "/metrics").status == 404)
        #expect(try TestHTTPClient(port: port).request("GET", "/-/healthy").status == 200)
    }
}
