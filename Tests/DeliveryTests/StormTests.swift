import Alerts
import TestSupport
import Testing
import Usage

@testable import Delivery

@Suite struct ManyAlertsTests {
    /// Requests within any second, by what the services bear.
    @Test(arguments: [
        (DeliveryHarness.slack("r"), 1), (DeliveryHarness.pagerDuty("r"), 2),
        (DeliveryHarness.teams("r"), 4), (DeliveryHarness.email("r"), 1),
        (DeliveryHarness.webhook("r"), 50), (DeliveryHarness.alertmanager("r"), 50),
    ])
    func `10 000 alerts at once: no receiver gets more than its rate`(
        _ receiver: Receiver, _ perSecond: Int
    ) throws {
        var queue = DeliveryQueue()
        queue.configure([receiver])
        var waiting = (1...10_000).map { number in
            Delivery(
                sequence: Int64(number), id: "d\(number)", alert: "a", status: .firing,
                receiver: "r", dedupKey: "k\(number)", created: 0)
        }[...]
        var now: UInt64 = 0
        var sent: [UInt64] = []
        var keys: Set<String> = []
        while keys.count < 10_000 {
            while let next = waiting.first, queue.room(for: "r") > 0 {
                queue.add(next, since: 0, due: 0)
                waiting.removeFirst()
            }
            switch queue.next(now: now) {
            case .send(let delivery):
                sent.append(now)
                keys.insert(delivery.dedupKey)
                let stored = queue.ended(
                    delivery, .delivered(status: 200), now: now, unixNow: 0, random: { _ in 0 })
                #expect(stored?.state == .delivered)
            case .wait(let until):
                let next = try #require(until)
                #expect(next > now)
                now = next
            }
        }
        for (index, moment) in sent.enumerated().dropFirst(perSecond) {
            #expect(moment - sent[index - perSecond] >= 1_000_000_000)
        }
        #expect(sent.count == 10_000 && queue.count(of: "r") == 0)
    }

    @Test func `10 000 alerts at once: nothing is lost`() throws {
        let harness = try DeliveryHarness([DeliveryHarness.webhook("hook")])
        try harness.raise(count: 10_000)
        harness.settle()
        #expect(harness.worker.readings.receivers.map(\.waiting) == [9999])
        harness.run(turns: 10_010, nanos: 20_000_000)
        let keys = harness.transport.sent.map { $0.dedupKey }
        #expect(keys.count == 10_000 && Set(keys).count == 10_000)
        #expect(try harness.count(.delivered) == 10_000)
        #expect(harness.worker.readings.receivers.map(\.waiting) == [0])
    }
}

@Suite struct DeliveryChaosTests {
    /// Every fault at once, 1000 alerts, every kind of receiver, kills and clock steps.
    @Test(arguments: [1, 2] as [UInt64])
    func `P9 nothing is lost, and at most one more copy for each kill`(_ seed: UInt64) throws {
        let receivers = [
            DeliveryHarness.webhook("hook", resolved: true), DeliveryHarness.slack("chat"),
            DeliveryHarness.pagerDuty("ops"), DeliveryHarness.alertmanager("am"),
            DeliveryHarness.email("mail"), DeliveryHarness.teams("teams"),
        ]
        let alerts = 1000
        let chaos = ChaosScript(seed: seed)
        let harness = try DeliveryHarness(receivers, seed: seed) { request, _ in
            chaos.answer(request)
        }
        var random = SeededRandom(seed: seed + 100)
        var raised = 0
        var kills = 0
        /// What was under way when each kill came: no more than that may be repeated.
        var atRisk: [String: Int] = [:]
        while raised < alerts || kills < 20 {
            if raised < alerts {
                try harness.raise("k\(raised)")
                if random.chance(10) { try harness.resolve("k\(random.below(raised + 1))") }
                raised += 1
            }
            if random.chance(20) { harness.time.advance(seconds: Int64(random.below(8))) }
            if random.chance(2) {
                harness.time.step(seconds: Int64(random.below(7200)) - 3600)
            }
            // A kill may come between any two steps of the worker.
            for _ in 0..<random.below(4) { _ = harness.worker.turn() }
            if random.chance(30) { harness.transport.release(chaos.answerHeld()) }
            if random.chance(2) {
                for receiver in receivers {
                    atRisk[receiver.name, default: 0] += receiver.inFlightMax
                }
                try harness.kill()
                kills += 1
            }
        }
        chaos.calm()
        for _ in 0..<400 {
            harness.transport.release(.failure(.timedOut))
            harness.run(turns: 60, nanos: 500_000_000)
            if harness.worker.isIdle, try harness.count(.pending) == 0 { break }
        }
        let keys = Set((0..<alerts).map { "k\($0) firing" })
        for receiver in receivers {
            // Not those about receivers that failed.
            let accepted = chaos.accepted(by: receiver.name).filter { $0.hasPrefix("k") }
            let told = Set(accepted.filter { $0.hasSuffix(" firing") })
            #expect(told == keys, "\(receiver.name): \(keys.subtracting(told).count) are missing")
            // An Alertmanager is told again every minute.
            if case .alertmanager = receiver.kind { continue }
            let most = Dictionary(grouping: accepted) { $0 }.values.map(\.count).max() ?? 0
            #expect(most <= 1 + kills)
            let copies = accepted.count - Set(accepted).count
            #expect(copies <= atRisk[receiver.name, default: 0], "\(receiver.name)")
        }
        #expect(try harness.count(.delivered) == harness.count())
        #expect(harness.worker.isIdle)
    }
}
