import TestSupport
import Testing
import Usage
import Wire

@testable import Aggregation
@testable import Ledger

@Suite struct UsageSeriesTests {
    private let names = Names(hash: SeededHash(seed: 1))

    private func event(
        _ tenant: String, _ feature: String, _ model: String, cost: Int64? = 1, input: UInt32 = 2,
        status: Status = .ok
    ) -> CostEvent {
        var event = CostEvent()
        event.tenant = names.intern(tenant)
        event.feature = names.intern(feature)
        event.provider = names.intern("p")
        event.model = names.intern(model)
        event.tokens.input = input
        event.status = status
        event.amount = cost.map { NanoUSD(nanos: $0) }
        return event
    }

    private func labels(_ state: LedgerState, _ row: Int) -> [String] {
        (0..<4).map { names.text(state.usage.table.keys[row][$0]) }
    }

    private func sum(_ state: LedgerState, _ slot: Int) -> Int64 {
        (0..<state.usage.table.count).reduce(0) { $0 + state.usage.table.value(slot, of: $1) }
    }

    private func state(maxSeries: Int) -> LedgerState {
        var settings = LedgerSettings()
        settings.maxSeries = maxSeries
        return LedgerState(settings: settings, names: names)
    }

    private func apply(_ events: [CostEvent], to state: inout LedgerState) {
        var rows = EventRows()
        rows.events = events
        state.apply(rows)
    }

    @Test
    func `P10 past the cap features fold first, then models, tenants last, and sums stay exact`() {
        var state = state(maxSeries: 400)
        var events: [CostEvent] = []
        for tenant in 0..<30 {
            for feature in 0..<10 {
                for model in 0..<3 {
                    events.append(
                        event("t\(tenant)", "f\(feature)", "m\(model)", cost: 10, input: 3))
                }
            }
        }
        apply(events, to: &state)
        #expect(sum(state, UsageSeries.Slot.cost) == 9000)
        #expect(sum(state, UsageSeries.Slot.tokens(.input)) == 2700)
        #expect(sum(state, UsageSeries.Slot.requests(.ok)) == 900)
        #expect(state.usage.foldedCount > 0)
        let rows = (0..<state.usage.table.count).map { labels(state, $0) }
        #expect(rows.contains { !$0.contains("__other__") })
        #expect(rows.contains { $0[1] == "__other__" && $0[3] != "__other__" })
        #expect(rows.contains { $0[0] != "__other__" && $0[3] == "__other__" })
        #expect(rows.contains(["__other__", "__other__", "__other__", "__other__"]))
        let samples = (0..<state.usage.table.count).reduce(0) { total, row in
            total + state.usage.table.value(UsageSeries.Slot.shown, of: row).nonzeroBitCount
        }
        #expect(samples <= 400)
    }

    @Test func `P10 the page never shows more counter samples than the cap`() {
        var random = SeededRandom(seed: 8)
        var state = state(maxSeries: 1000)
        for round in 0..<40 {
            apply(
                (0..<200).map { _ in
                    var event = event(
                        "t\(random.below(5000))", "f\(random.below(50))", "m\(random.below(500))",
                        cost: random.chance(90) ? 1 : nil, status: random.pick(Status.allCases))
                    event.tokens.output = UInt32(random.below(2))
                    event.tokens.audioInput = UInt32(random.below(3))
                    event.stage = random.pick(Stage.allCases)
                    return event
                }, to: &state)
            var samples = 0
            for row in 0..<state.usage.table.count {
                samples += state.usage.table.value(UsageSeries.Slot.shown, of: row).nonzeroBitCount
            }
            samples += state.requestCost.table.count * CostBuckets.samples
            samples += state.unpriced.table.count + state.failedCost.table.count
            #expect(samples <= 900, "round \(round)")
        }
        #expect(sum(state, UsageSeries.Slot.requests(.ok)) > 0)
        let requests = Status.allCases.reduce(0) { $0 + sum(state, UsageSeries.Slot.requests($1)) }
        #expect(requests == 8000)
    }

    @Test(arguments: [100, 250, 500])
    func `P10 the cap holds for small values too`(_ maxSeries: Int) {
        var random = SeededRandom(seed: 9)
        var state = state(maxSeries: maxSeries)
        apply(
            (0..<5000).map { _ in
                event(
                    "t\(random.below(500))", "f\(random.below(50))", "m\(random.below(50))",
                    cost: random.chance(80) ? 1 : nil, status: random.pick(Status.allCases))
            }, to: &state)
        var samples = state.requestCost.table.count * CostBuckets.samples
        samples += state.unpriced.table.count + state.failedCost.table.count
        for row in 0..<state.usage.table.count {
            samples += state.usage.table.value(UsageSeries.Slot.shown, of: row).nonzeroBitCount
        }
        #expect(samples <= maxSeries * 9 / 10)
    }

    @Test func `P4 an event without a price shows no cost sample`() {
        var state = state(maxSeries: 1000)
        apply([event("a", "f", "m", cost: nil)], to: &state)
        let shown = state.usage.table.value(UsageSeries.Slot.shown, of: 0)
        #expect(shown & 1 == 0)
        #expect(state.unpriced.table.value(0, of: 0) == 1)
        apply([event("a", "f", "m", cost: 0)], to: &state)
        #expect(state.usage.table.value(UsageSeries.Slot.shown, of: 0) & 1 == 1)
    }

    @Test func `labels can be any dimension, tags included`() {
        var settings = LedgerSettings()
        settings.labels = [.tag("team"), .status, .stage, .user]
        var state = LedgerState(settings: settings, names: names)
        var tagged = event("a", "f", "m", status: .timeout)
        tagged.tags = names.intern(#"{"team":"growth","x":"y"}"#)
        tagged.user = names.intern("u")
        tagged.stage = .execution
        apply([tagged, tagged], to: &state)
        #expect(state.usage.table.count == 1)
        #expect(labels(state, 0) == ["growth", "timeout", "execution", "u"])
        #expect(state.failedCost.table.value(0, of: 0) == 2)
    }

    @Test func `costs fall into the bucket whose bound they do not pass`() {
        var state = state(maxSeries: 1000)
        let costs: [Int64] = [0, 100_000, 100_001, 10_000_000_000, 10_000_000_001]
        apply(costs.map { event("a", "f", "m", cost: $0) }, to: &state)
        let table = state.requestCost.table
        #expect(table.value(0, of: 0) == 2 && table.value(1, of: 0) == 1)
        #expect(table.value(CostBuckets.bounds.count - 1, of: 0) == 1)
        #expect(table.value(CostBuckets.bounds.count, of: 0) == 1)
        #expect(table.value(CostBuckets.sum, of: 0) == costs.reduce(0, +))
    }
}
