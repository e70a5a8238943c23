import Alerts
import HTTPClient
import JSON
import TestSupport
import Testing
import Usage

@testable import Delivery

@Suite struct ResendTests {
    @Test func `an Alertmanager is told every minute, and of an end for some minutes more`() throws
    {
        let harness = try DeliveryHarness([DeliveryHarness.alertmanager("am")])
        try harness.raise("a")
        try harness.raise("b")
        harness.run(seconds: 5)
        #expect(harness.transport.sent.count == 2)
        func keys(_ requests: ArraySlice<HTTPClientRequest>) -> [[String]] {
            requests.map { request in
                (request.json.array ?? []).compactMap { $0["labels"]?["dedup_key"]?.string }
                    .sorted()
            }
        }
        harness.run(seconds: 180)
        #expect(keys(harness.transport.sent[2...]) == [["a", "b"], ["a", "b"], ["a", "b"]])
        let ends = harness.transport.sent[2...].compactMap {
            $0.json.array?.first?["endsAt"]?.string
        }
        #expect(Set(ends).count == 3)
        try harness.resolve("a")
        harness.run(seconds: 2)
        let over = try #require(harness.transport.sent.last?.json.array?.first)
        #expect(over["labels"]?["dedup_key"]?.string == "a")
        let before = harness.transport.sent.count
        harness.run(seconds: 3600)
        let rounds = keys(harness.transport.sent[before...])
        #expect(rounds.count == 60)
        #expect(rounds.filter { $0 == ["a", "b"] }.count == 15)
        #expect(rounds.filter { $0 == ["b"] }.count == 45)
        let sameEnd = harness.transport.sent[before...].compactMap { request in
            request.json.array?.first { $0["labels"]?["dedup_key"]?.string == "a" }?["endsAt"]?
                .string
        }
        #expect(Set(sameEnd) == [over["endsAt"]?.string])
    }

    @Test func `a restart brings the firing ones again, many in batches`() throws {
        let harness = try DeliveryHarness([DeliveryHarness.alertmanager("am")])
        try harness.raise(count: 1234)
        harness.run(turns: 1300, nanos: 20_000_000)
        try harness.kill()
        let before = harness.transport.sent.count
        harness.run(seconds: 90)
        let sizes = harness.transport.sent[before...].map { $0.json.array?.count ?? 0 }
        #expect(sizes == [500, 500, 234])
    }

    @Test func `one that is down while nothing new fires is told to the others`() throws {
        let harness = try DeliveryHarness([
            DeliveryHarness.alertmanager("am"), DeliveryHarness.webhook("hook", resolved: true),
        ])
        try harness.raise("k")
        harness.run(seconds: 5)
        harness.transport.answer { request, _ in
            request.url.contains("am/api") ? .failure(.cannotConnect) : ScriptedTransport.ok
        }
        harness.run(seconds: 1200)
        func told() -> [String] {
            harness.transport.sent.filter { $0.dedupKey.hasPrefix("delivery_failed/am/") }
                .compactMap { $0.json["type"]?.string }
        }
        #expect(told() == ["delivery_failed.firing"])
        harness.transport.answer { _, _ in ScriptedTransport.ok }
        harness.run(seconds: 90)
        #expect(told() == ["delivery_failed.firing", "delivery_failed.resolved"])
    }
}

@Suite struct HeartbeatTests {
    private let settings = HeartbeatSettings(url: Secret("http://watch/ping"))

    @Test func `the switch is called every minute while all is well`() throws {
        let harness = try DeliveryHarness([])
        harness.beat(settings)
        harness.run(seconds: 301)
        #expect(
            harness.transport.sent.map(\.url) == Array(repeating: "http://watch/ping", count: 6))
        #expect(harness.transport.sent.allSatisfy { $0.json["type"]?.string == "heartbeat" })
        harness.isHealthy = false
        harness.run(seconds: 300)
        #expect(harness.transport.sent.count == 6)
        harness.isHealthy = true
        harness.run(seconds: 60)
        #expect(harness.transport.sent.count == 7)
        #expect(harness.worker.readings.heartbeat?.sent == 7)
        harness.beat(nil)
        harness.run(seconds: 300)
        #expect(harness.transport.sent.count == 7 && harness.worker.readings.heartbeat == nil)
    }

    @Test func `one that does not arrive is counted and holds nothing up`() throws {
        let harness = try DeliveryHarness([DeliveryHarness.webhook("hook")]) { request, _ in
            request.url.contains("watch") ? nil : ScriptedTransport.ok
        }
        harness.beat(settings)
        try harness.raise("k")
        harness.run(seconds: 200)
        // No second call while the first is under way.
        #expect(harness.transport.sent.count { $0.url.contains("watch") } == 1)
        #expect(try harness.states() == ["hook k delivered"] && harness.worker.isIdle)
        harness.transport.release(.failure(.timedOut))
        harness.run(seconds: 61)
        #expect(harness.worker.readings.heartbeat?.failed == 1)
        #expect(harness.transport.sent.count { $0.url.contains("watch") } == 2)
    }
}

@Suite struct AcknowledgeTests {
    @Test func `acknowledging here acknowledges in PagerDuty, after its trigger`() throws {
        let harness = try DeliveryHarness([
            DeliveryHarness.pagerDuty("ops"), DeliveryHarness.webhook("hook"),
        ])
        try harness.raise("k")
        try harness.acknowledge("k", by: "ann")
        harness.run(seconds: 5)
        try harness.resolve("k")
        harness.run(seconds: 5)
        let events = harness.transport.sent.filter { $0.url.contains("ops") }
        #expect(
            events.compactMap { $0.json["event_action"]?.string }
                == ["trigger", "acknowledge", "resolve"])
        #expect(Set(events.compactMap { $0.json["dedup_key"]?.string }) == ["k"])
        #expect(harness.transport.sent.count { $0.url.contains("hook") } == 1)
    }
}
