import Foundation
import TestSupport
import Testing

/// Prices as an operator lives with them: unknown, added, corrected, broken.
@Suite struct PricesTests {
    private let place = TemporaryDirectory()

    private var file: String { place.path + "/prices.yaml" }

    private func write(_ rows: String) throws {
        try rows.write(toFile: file, atomically: true, encoding: .utf8)
    }

    private func row(_ model: String, _ dollars: String) -> String {
        "- {provider: mine, model: \(model), input_usd_per_mtok: \(dollars)}\n"
    }

    private func start(_ more: String = "") throws -> Costgauge {
        let configuration = place.path + "/costgauge.yaml"
        try "pricing: {files: [\"\(file)\"]\(more)}\nbudgets: []\n"
            .write(toFile: configuration, atomically: true, encoding: .utf8)
        return try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(configuration)"])
    }

    private func event(_ id: String, _ model: String) -> String {
        #"{"id":"\#(id)","provider":"mine","model":"\#(model)","input_tokens":1000000}"#
    }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private func sum(_ metrics: Metrics, _ name: String) -> Double {
        metrics.family(name + "{").values.compactMap(Double.init).reduce(0, +)
    }

    @Test func `P4 an unknown price is told once, and booked once there is one`() throws {
        try write(row("known", "2"))
        var server = try start()
        let client = try server.client()
        #expect(try client.post(event("a", "known")).status == 200)
        #expect(try client.post(event("b", "new")).status == 200)
        #expect(try client.post(event("c", "new")).status == 200)
        var metrics = try server.metrics()
        #expect(sum(metrics, "costgauge_unpriced_events_total") == 2)
        #expect(sum(metrics, "costgauge_cost_usd_total") == 2)
        let alerts = try object(client.request("GET", "/v1/alerts?kind=unpriced_model").text)
        #expect((alerts["alerts"] as? [Any])?.count == 1)

        // Two prices change: one for a model that had none, one downward.
        try write(row("known", "0.5") + row("new", "3"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        let dry = try object(client.request("POST", "/v1/prices/reprice?dry_run=true").text)
        #expect(dry["adjusted"] as? Int == 3 && dry["still_unpriced"] as? Int == 0)
        let models = try #require(dry["models"] as? [[String: Any]])
        #expect(models.map { $0["difference_usd"] as? String } == ["6.00", "-1.50"])
        #expect(try server.metrics().ledger == metrics.ledger)

        #expect(try client.request("POST", "/v1/prices/reprice").status == 200)
        metrics = try server.metrics()
        #expect(sum(metrics, "costgauge_cost_usd_total") == 8)
        #expect(sum(metrics, "costgauge_cost_credit_usd_total") == 1.5)
        #expect(sum(metrics, "costgauge_requests_total") == 3)
        let again = try object(client.request("POST", "/v1/prices/reprice").text)
        #expect(again["adjusted"] as? Int == 0)
        #expect(try server.metrics().ledger == metrics.ledger)

        server.kill()
        server = try start()
        #expect(try server.metrics().ledger == metrics.ledger)
        let after = try object(server.client().request("POST", "/v1/prices/reprice").text)
        #expect(after["adjusted"] as? Int == 0)
    }

    @Test func `P16 price files that cannot be read leave the last good prices in force`() throws {
        try write(row("known", "2"))
        let server = try start()
        let client = try server.client()
        try write(row("known", "-1"))
        #expect(try client.request("POST", "/-/reload").status == 500)
        #expect(
            try server.metrics()["costgauge_pricing_catalogue_last_reload_successful"] == "0")
        #expect(try client.post(event("a", "known")).status == 200)
        #expect(try sum(server.metrics(), "costgauge_cost_usd_total") == 2)
        try write(row("known", "4"))
        #expect(try client.request("POST", "/-/reload").status == 200)
        #expect(
            try server.metrics()["costgauge_pricing_catalogue_last_reload_successful"] == "1")
        let prices = try object(client.request("GET", "/v1/prices?provider=mine").text)
        let rows = try #require(prices["prices"] as? [[String: Any]])
        #expect(rows.count == 1 && rows[0]["model"] as? String == "known")
        let usd = rows[0]["usd"] as? [String: String]
        #expect(usd?["input_cost_per_token"] == "0.000004")

        try write("- {provider: mine}\n")
        server.stop()
        #expect(throws: Costgauge.DidNotStart.self) { try start() }
    }

    @Test func `development costs nothing, an estimate is marked`() throws {
        try write(row("known", "2"))
        let development = try start(", profile: development")
        let sent = #"{"provider":"mine","model":"known","input_tokens":5,"cost_usd":3}"#
        #expect(try development.client().post(sent).status == 200)
        #expect(try sum(development.metrics(), "costgauge_cost_usd_total") == 0)
        #expect(try sum(development.metrics(), "costgauge_tokens_total") == 5)
        development.stop()
        let estimate = try start(", unknown: estimate")
        let openai = #"{"provider":"openai","model":"gpt-99","input_tokens":1000}"#
        #expect(try estimate.client().post(openai).status == 200)
        #expect(try sum(estimate.metrics(), "costgauge_cost_usd_total") > 0)
        estimate.stop()
    }
}
