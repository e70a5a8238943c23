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
