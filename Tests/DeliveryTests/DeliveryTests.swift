import Alerts
import Foundation
import HTTPClient
import Synchronization
import TestSupport
import Testing
import Usage

@testable import Delivery

@Suite struct DeliveryTests {
    private let hook = DeliveryHarness.webhook("hook")

    @Test func `an alert reaches every receiver once`() throws {
        let harness = try DeliveryHarness([
            hook, DeliveryHarness.slack("chat"), DeliveryHarness.pagerDuty("ops"),
        ])
        try harness.raise("k")
        harness.run(seconds: 5)
        #expect(
            Set(harness.transport.sent.map(\.url)) == [
                "http://hook/hook", "http://chat/slack", "http://ops/v2/enqueue",
            ])
        #expect(harness.transport.sent.count == 3)
        #expect(
            try harness.states() == ["hook k delivered", "chat k delivered", "ops k delivered"])
        #expect(harness.worker.readings.receivers.map(\.delivered) == [1, 1, 1])
        #expect(harness.worker.isIdle)
    }

    @Test func `P9 retries keep to the schedule and the id`() throws {
        let harness = try DeliveryHarness([hook]) { _, _ in ScriptedTransport.status(500) }
        try harness.raise("k")
        harness.settle()
        var attempts: [Int64] = []
        var last = 0
        for second in Int64(0)..<7200 {
            let count = harness.transport.sent.count
            if count > last { attempts.append(second) }
            last = count
            harness.time.advance(seconds: 1)
            harness.settle()
        }
        // Broken after three failures, then one probe every ten seconds.
        #expect(attempts.count > 600 && attempts.count < 740)
        #expect(Set(harness.transport.sent.compactMap { $0.header("webhook-id") }).count == 1)
        let stamps = harness.transport.sent.compactMap { $0.header("webhook-timestamp") }
        #expect(Set(stamps).count > 600)
        #expect(try harness.delivery("k")?.error == "answered 500")
    }

    @Test func `a permanent refusal is a dead letter at once, and can be replayed`() throws {
        let harness = try DeliveryHarness([hook, DeliveryHarness.webhook("other")]) { request, _ in
            request.url.contains("hook/hook") && !request.url.contains("other")
                ? ScriptedTransport.status(410) : ScriptedTransport.ok
        }
        try harness.raise("k", id: "alr_1")
        harness.run(seconds: 3)
        #expect(try harness.delivery("k").map { _ in true } == true)
        let dead = try DeliveryTable.list(
            state: .dead, receiver: "hook", alert: "alr_1", before: nil, limit: 9,
            in: harness.database)
        #expect(dead.map(\.error) == ["answered 410"] && dead.map(\.attempts) == [1])
        #expect(harness.worker.readings.receivers.first?.deadLetters == 1)
        // The other receiver is told.
        let told = harness.transport.sent.filter { $0.dedupKey.hasPrefix("delivery_failed/hook/") }
        #expect(told.map(\.url) == ["http://other/hook"])
        harness.transport.answer { _, _ in ScriptedTransport.ok }
        #expect(
            try DeliveryTable.replay(dead[0].id, in: harness.database, now: harness.time.unixNanos))
        #expect(
            try !DeliveryTable.replay(dead[0].id, in: harness.database, now: harness.time.unixNanos)
        )
        harness.inbox.put { $0.hasNew = true }
        harness.run(seconds: 3)
        #expect(try harness.states().allSatisfy { $0.hasSuffix("delivered") })
        #expect(harness.worker.readings.receivers.first?.deadLetters == 0)
    }

    @Test(arguments: [408, 425, 429, 500, 502, 503, 504, 301])
    func `these answers are tried again`(_ status: Int) throws {
        let harness = try DeliveryHarness([hook]) { _, number in
            number == 0 ? ScriptedTransport.status(status) : ScriptedTransport.ok
        }
        try harness.raise("k")
        harness.run(seconds: 10)
        #expect(try harness.states() == ["hook k delivered"])
        #expect(harness.transport.sent.count == 2)
    }

    @Test func `Retry-After holds the receiver, in seconds and as a date`() throws {
        for (text, seconds) in [("30", 30), ("Fri, 20 Nov 2026 10:00:31 GMT", 31)]
            as [(String, Int)]
        {
            let harness = try DeliveryHarness([hook]) { _, number in
                number == 0
                    ? ScriptedTransport.status(429, retryAfter: text) : ScriptedTransport.ok
            }
            try harness.raise("a")
            harness.settle()
            try harness.raise("b")
            harness.run(seconds: Int64(seconds) - 1)
            #expect(harness.transport.sent.count == 1)
            harness.run(seconds: 2)
            #expect(harness.transport.sent.count == 3)
            #expect(try harness.states().allSatisfy { $0.hasSuffix("delivered") })
        }
    }

    @Test func `Slack's success is the word ok`() throws {
        let harness = try DeliveryHarness([DeliveryHarness.slack("chat")]) { _, number in
            .success(
                HTTPClientResponse(
                    status: 200, body: Array((number == 0 ? "<html>login</html>" : "ok").utf8)))
        }
        try harness.raise("k")
        harness.settle()
        #expect(try harness.delivery("k")?.error == "did not answer ok: <html>login</html>")
        harness.run(seconds: 5)
        #expect(try harness.states() == ["chat k delivered"])
    }

    @Test func `one key goes in order, others pass by`() throws {
        let harness = try DeliveryHarness([DeliveryHarness.webhook("hook", resolved: true)]) {
            request, _ in
            request.dedupKey == "slow" ? nil : ScriptedTransport.ok
        }
        try harness.raise("slow")
        try harness.resolve("slow")
        try harness.raise("quick")
        harness.run(seconds: 2)
        #expect(harness.transport.sent.map(\.dedupKey) == ["slow", "quick"])
        harness.transport.answer { _, _ in ScriptedTransport.ok }
        harness.transport.release(ScriptedTransport.ok)
        harness.run(seconds: 2)
        let types = harness.transport.sent.compactMap { $0.json["type"]?.string }
        #expect(
            types == [
                "budget_threshold.firing", "budget_threshold.firing", "budget_threshold.resolved",
            ])
    }

    @Test func `P9 a receiver that was down gets its queue when it is back, at its rate`() throws {
        let harness = try DeliveryHarness([DeliveryHarness.pagerDuty("ops")]) { _, _ in
            .failure(.cannotConnect)
        }
        for index in 0..<100 { try harness.raise("k\(index)") }
        harness.run(seconds: 3600)
        let attempts = harness.transport.sent.count
        #expect(attempts > 300 && attempts < 380)
        harness.transport.answer { _, _ in ScriptedTransport.ok }
        var perSecond: [Int] = []
        var before = attempts
        for _ in 0..<60 {
            harness.time.advance(seconds: 1)
            harness.settle()
            perSecond.append(harness.transport.sent.count - before)
            before = harness.transport.sent.count
        }
        // A second apart, two requests per second; by hand-turned seconds at most one of them.
        #expect(perSecond.allSatisfy { $0 <= 2 })
        harness.run(seconds: 60)
        #expect(try harness.states().allSatisfy { $0.hasSuffix("delivered") })
    }

    @Test func `the others are told of a receiver that fails, and when it is back`() throws {
        let harness = try DeliveryHarness([
            hook, DeliveryHarness.webhook("other", resolved: true),
        ]) { request, _ in
            request.url == "http://hook/hook" ? .failure(.timedOut) : ScriptedTransport.ok
        }
        try harness.raise("k")
        harness.run(seconds: 590)
        func told() -> [String] {
            harness.transport.sent.filter { $0.dedupKey.hasPrefix("delivery_failed/") }
                .compactMap { $0.json["type"]?.string }
        }
        #expect(told() == [])
        harness.run(seconds: 20)
        #expect(told() == ["delivery_failed.firing"])
        try harness.kill()
        harness.run(seconds: 1200)
        #expect(told() == ["delivery_failed.firing"])
        harness.transport.answer { _, _ in ScriptedTransport.ok }
        harness.run(seconds: 30)
        #expect(told() == ["delivery_failed.firing", "delivery_failed.resolved"])
    }

    @Test func `a day of failures makes a dead letter, a lost day alone does not`() throws {
        let harness = try DeliveryHarness([hook]) { _, _ in .failure(.brokenOff) }
        try harness.raise("k")
        harness.settle()
        // The machine sleeps for two days.
        harness.time.advance(seconds: 2 * 86_400)
        harness.settle()
        #expect(try harness.states() == ["hook k pending"])
        harness.run(seconds: 200)
        #expect(try harness.states().first == "hook k dead")
    }

    @Test func `what no one is configured for is given up after an hour`() throws {
        let harness = try DeliveryHarness([hook]) { _, _ in .failure(.timedOut) }
        try harness.raise("k")
        harness.settle()
        harness.configure([DeliveryHarness.webhook("new")])
        harness.run(seconds: 3590, step: 10)
        #expect(try harness.delivery("k")?.state == .pending)
        harness.run(seconds: 120, step: 10)
        #expect(try harness.delivery("k")?.state == .dead)
        #expect(try harness.delivery("k")?.error == "the receiver is no longer configured")
    }

    @Test func `a receiver taken out and put in again gets what waits for it, once`() throws {
        let harness = try DeliveryHarness([hook]) { request, _ in
            request.dedupKey == "slow" ? nil : .failure(.timedOut)
        }
        try harness.raise("slow")
        harness.settle()
        try harness.raise("k")
        harness.run(turns: 2, nanos: 20_000_000)
        #expect(harness.transport.sent.map(\.dedupKey) == ["slow", "k"])
        harness.configure([DeliveryHarness.webhook("other")])
        harness.settle()
        try harness.raise("while it was out")
        harness.transport.answer { _, _ in ScriptedTransport.ok }
        // What was under way when it was taken out is stored all the same.
        harness.transport.release(ScriptedTransport.ok)
        harness.run(seconds: 60)
        #expect(
            try harness.states() == [
                "hook slow delivered", "hook k pending", "other while it was out delivered",
            ])
        harness.configure([hook])
        harness.run(seconds: 10)
        #expect(try harness.delivery("k")?.state == .delivered)
        #expect(harness.transport.sent.count { $0.dedupKey == "k" } == 2)
        #expect(harness.transport.sent.count { $0.dedupKey == "slow" } == 1)
    }

    @Test func `a reload that takes a receiver out and in at once sends nothing twice`() throws {
        let harness = try DeliveryHarness([hook]) { _, _ in nil }
        try harness.raise("k")
        harness.settle()
        harness.configure([])
        harness.settle()
        harness.configure([hook])
        harness.run(seconds: 5)
        #expect(harness.transport.sent.count == 1)
        harness.transport.release(.failure(.timedOut))
        harness.transport.answer { _, _ in ScriptedTransport.ok }
        harness.run(seconds: 5)
        #expect(harness.transport.sent.count == 2)
        #expect(try harness.states() == ["hook k delivered"])
    }

    @Test func `the backlog of one receiver does not hold up another`() throws {
        let harness = try DeliveryHarness([hook, DeliveryHarness.webhook("dead")]) { request, _ in
            request.url.contains("dead") ? .failure(.cannotConnect) : ScriptedTransport.ok
        }
        try harness.raise(count: 3 * DeliveryQueue.itemsMax)
        harness.run(turns: 3 * DeliveryQueue.itemsMax + 10, nanos: 20_000_000)
        #expect(try harness.count(.delivered) == 3 * DeliveryQueue.itemsMax)
        let waiting = harness.worker.readings.receivers.map(\.waiting)
        #expect(waiting == [3 * DeliveryQueue.itemsMax, 0])
    }

    @Test func `states wait for a store that cannot write, and nothing is sent twice`() throws {
        let harness = try DeliveryHarness([hook])
        try harness.raise("k")
        harness.fill(true)
        harness.run(seconds: 5)
        #expect(harness.transport.sent.count == 1 && !harness.worker.isIdle)
        #expect(try harness.states() == ["hook k pending"])
        harness.fill(false)
        harness.run(seconds: 3)
        #expect(harness.transport.sent.count == 1 && harness.worker.isIdle)
        #expect(try harness.states() == ["hook k delivered"])
    }

    @Test func `a graceful stop waits for what is under way and starts nothing`() throws {
        let harness = try DeliveryHarness([hook]) { _, _ in nil }
        try harness.raise("a")
        harness.settle()
        try harness.raise("b")
        harness.inbox.put { $0.isStopping = true }
        harness.settle()
        #expect(!harness.worker.isIdle && harness.transport.sent.count == 1)
        harness.transport.release(ScriptedTransport.ok)
        harness.settle()
        #expect(harness.worker.isIdle && harness.worker.isStopping)
        #expect(try harness.states() == ["hook a delivered", "hook b pending"])
    }

    @Test func `a stop waits ten seconds for an answer, then stores what it knows and ends`() throws
    {
        let harness = try DeliveryHarness([hook]) { _, _ in nil }
        try harness.raise("a")
        let deliverer = harness.deliverer()
        deliverer.start()
        #expect(eventually { harness.transport.sent.count == 1 })
        let hasStopped = Mutex(false)
        Thread {
            deliverer.stop()
            hasStopped.withLock { $0 = true }
        }.start()
        let began = harness.time.monotonicNanos
        let isOver = eventually {
            if hasStopped.withLock({ $0 }) { return true }
            harness.time.advance(nanos: 100_000_000)
            return false
        }
        #expect(isOver && harness.time.monotonicNanos - began >= Deliverer.stopNanos)
        let delivery = try #require(try harness.delivery("a"))
        #expect(delivery.state == .pending && delivery.attempts == 1)
        #expect(delivery.error == "costgauge stopped before it answered; it may have arrived")
    }

    @Test func `a stop that waits in vain stores what it knows`() throws {
        let harness = try DeliveryHarness([hook]) { _, _ in nil }
        try harness.raise("a")
        harness.settle()
        harness.inbox.put { $0.isStopping = true }
        harness.settle()
        #expect(!harness.worker.isIdle)
        harness.worker.giveUpWaiting()
        harness.settle()
        #expect(harness.worker.isIdle)
        let delivery = try #require(try harness.delivery("a"))
        #expect(delivery.state == .pending && delivery.attempts == 1)
        #expect(delivery.error == "costgauge stopped before it answered; it may have arrived")
        // A late answer changes nothing.
        harness.transport.release(ScriptedTransport.ok)
        harness.settle()
        #expect(try harness.delivery("a") == delivery)
    }
}
