import Foundation
import TestSupport
import Testing

@Suite struct PeersTests {
    @Test(.enabled(if: Peers.areRequired))
    func `everything that make test installs is there`() {
        #expect(Peers.missing == [])
    }
}

@Suite(.enabled(if: Peers.areInstalled, "make test installs the peers"))
struct PrometheusTests {
    private func fill(_ server: Costgauge) throws {
        let answer = try server.client().post(
            """
            [{"tenant":"acme","feature":"chat","provider":"openai","model":"gpt-4o-mini","input_tokens":1200,
              "cached_input_tokens":1000,"output_tokens":80,"user":"u1","agent":"g1"},
             {"tenant":"a\\"b\\\\c\\nd","feature":"é","provider":"p","model":"m","cost_usd":"0.000000001","status":"timeout",
              "stage":"connection"},
             {"tenant":"acme","model":"gpt-9","input_tokens":7}]
            """)
        #expect(answer.text.hasPrefix("{\"accepted\":3"), "\(answer.text)")
    }

    @Test func `a real Prometheus answers with the exact sums`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        try fill(server)
        let prometheus = try Prometheus(scraping: server.port)
        let isScraped = try eventually { try prometheus.target().health == "up" }
        let error = try prometheus.target().error
        #expect(isScraped, "\(error)")
        let isThere = try eventually {
            try prometheus.query("sum by (tenant) (costgauge_cost_usd_total)").count == 2
        }
        #expect(isThere)
        #expect(
            try prometheus.query("sum by (tenant) (costgauge_cost_usd_total)") == [
                ["tenant": "acme"]: "0.000153", ["tenant": "a\"b\\c\nd"]: "1e-09",
            ])
        #expect(
            try prometheus.query("sum by (kind) (costgauge_tokens_total{tenant=\"acme\"})") == [
                ["kind": "input"]: "207", ["kind": "cached_input"]: "1000",
                ["kind": "output"]: "80",
            ])
        // Seven decimal places come back as they went in.
        let event = #"{"tenant":"exact","cost_usd":"1234567.123456789"}"#
        #expect(try server.client().post(event).status == 422)
        #expect(
            try server.client().post(#"{"tenant":"exact","cost_usd":"123456.123456789"}"#).status
                == 200)
        let isExact = try eventually {
            try prometheus.query("costgauge_cost_usd_total{tenant=\"exact\"}").values.first
                == "123456.123456789"
        }
        #expect(isExact)
        let unpriced = try prometheus.query("costgauge_unpriced_events_total{model=\"gpt-9\"}")
        #expect(unpriced.values.first == "1")
    }

    @Test func `promtool finds nothing to complain about`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        try fill(server)
        let page = try server.client().request("GET", "/metrics").text
        let result = try ChildProcess.run(
            try #require(Peers.promtool), ["check", "metrics"], input: page)
        #expect(result.status == 0, "\(result.output) \(result.errors)")
        #expect(result.errors == "" && result.output == "")
    }

    @Test(arguments: ["false", "true"])
    func `the strict OpenMetrics parser accepts the page`(_ created: String) throws {
        let place = TemporaryDirectory()
        let file = try place.file("c.yaml", "metrics: {created: \(created)}\n")
        let server = try Costgauge(storage: place.path + "/d", arguments: ["--config.file=\(file)"])
        try fill(server)
        let page = try server.client().request(
            "GET", "/metrics", headers: ["Accept": "application/openmetrics-text; version=1.0.0"]
        ).text
        let script = """
            import sys
            from prometheus_client.openmetrics.parser import text_string_to_metric_families
            samples = {}
            for family in text_string_to_metric_families(sys.stdin.read()):
                for sample in family.samples:
                    key = (sample.name, tuple(sorted(sample.labels.items())))
                    assert key not in samples, key
                    samples[key] = sample.value
            print(len(samples), samples[('costgauge_cost_usd_total', (('feature', 'chat'),
                ('model', 'gpt-4o-mini'), ('provider', 'openai'), ('tenant', 'acme')))])
            """
        let result = try ChildProcess.run(try #require(Peers.python), ["-c", script], input: page)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.hasSuffix(" 0.000153\n"), "\(result.output)")
    }
}
