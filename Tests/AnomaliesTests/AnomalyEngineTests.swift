import SQLite
import Testing
import Usage

@testable import Anomalies

@Suite struct AnomalyEngineTests {
    /// Two users of two features, the same spend in every window.
    private func usual(_ harness: AnomalyHarness, _ index: Int) -> [CostEvent] {
        var events: [CostEvent] = []
        for call in 0..<10 {
            let large = 0.5 + Double((index + call) % 5) / 50
            let small = 0.2 + Double((index * 7 + call) % 5) / 90
            events.append(
                harness.event(
                    large, user: "u-1", feature: "search", model: "gpt-4o", tokens: 5000))
            events.append(
                harness.event(
                    small, user: "u-17", feature: "support.chat", model: "gpt-4o-mini",
                    tokens: 20_000))
        }
        return events
    }

    private func warm(_ settings: AnomalySettings = AnomalySettings()) throws -> AnomalyHarness {
        let harness = try AnomalyHarness(settings)
        try harness.windows(7 * 288 + 12) { usual(harness, $0) }
        #expect(harness.events() == [])
        #expect(harness.engine.readings.warmupSeconds == 0)
        return harness
    }

    /// A retry loop of one user: twenty times what it usually spends.
    private func loop(_ harness: AnomalyHarness, _ index: Int, times: Double = 20) -> [CostEvent] {
        usual(harness, index)
            + (0..<200).map { _ in
                harness.event(
                    2.2 * (times - 1) / 200, user: "u-17", feature: "support.chat",
                    model: "gpt-4o-mini", tokens: UInt32(1000 * (times - 1)))
            }
    }

    @Test func `a loop of twenty times the usual is told within seven minutes, once`() throws {
        let harness = try warm()
        let began = harness.seconds
        try harness.commit(loop(harness, 0, times: 20))
        try harness.advance(seconds: 389)
        #expect(harness.events() == [])
        try harness.advance(seconds: 1)
        #expect(harness.seconds - began < 420)
        #expect(harness.events() == ["fired feature_spike support.chat critical"])
        let anomalies = try harness.anomalies()
        #expect(
            Set(anomalies.map(\.kind.description))
                == ["feature_spike", "user_spike", "model_spike"])
        let told = try #require(anomalies.first { $0.silence == nil })
        #expect(told.title.hasPrefix("support.chat spends ") && (18...22).contains(told.ratio))
        #expect(told.summary.hasPrefix("support.chat spent $4"))
        #expect(told.summary.contains("in 5 min, "))
        #expect(told.summary.hasSuffix("; 100% of it is user u-17 on gpt-4o-mini"))
        for other in anomalies where other.id != told.id {
            #expect(other.silence == .explained && other.cause == told.id)
        }
        // It goes on, and then it ends: one notification of each.
        try harness.windows(12) { loop(harness, $0, times: 20) }
        let grown = harness.events()
        #expect(grown.allSatisfy { $0.hasPrefix("escalated feature_spike support.chat") })
        try harness.windows(48) { usual(harness, $0) }
        #expect(
            harness.events().map { String($0.prefix(30)) } == ["ended (spend is back to what i"])
        #expect(try harness.anomalies(.active) == [])
    }

    @Test func `nothing is told while a series warms up, and the gauge says how long`() throws {
        let harness = try AnomalyHarness()
        #expect(harness.engine.readings.warmupSeconds == 7 * 86_400)
        try harness.windows(288) { usual(harness, $0) }
        #expect(abs(harness.engine.readings.warmupSeconds - 6 * 86_400) <= 600)
        try harness.windows(12) { loop(harness, $0) }
        #expect(harness.events() == [])
    }

    @Test func `detectors go on after a crash as if nothing had been`() throws {
        let (through, crashed) = (try AnomalyHarness(), try AnomalyHarness())
        for index in 0..<600 {
            for harness in [through, crashed] {
                try harness.commit(usual(harness, index))
                if index % 50 == 7 { try harness.checkpoint() }
                try harness.advance(seconds: 300)
            }
            if index % 97 == 0 { try crashed.restart() }
        }
        let one = through.engine.watch.series
        let two = crashed.engine.watch.series
        func state(_ series: Series) -> [UInt8] {
            var bytes: [UInt8] = []
            series.spend.append(to: &bytes)
            series.habits.append(to: &bytes)
            series.surge.append(to: &bytes)
            return bytes
        }
        #expect(one.count == 7)
        #expect(Set(one.map(state)) == Set(two.map(state)))
        #expect(MemoryLayout<Series>.stride < 1024)
    }

    @Test func `windows frozen since the states were stored are learnt again from their snapshots`()
        throws
    {
        let (through, crashed) = (try AnomalyHarness(), try AnomalyHarness())
        crashed.time.standsStill = true
        for index in 0..<300 {
            for harness in [through, crashed] {
                try harness.commit(usual(harness, index))
                try harness.advance(seconds: 300)
            }
        }
        try crashed.checkpoint()
        let stored = try crashed.database.integer(
            "select cast(value as integer) from anomaly_meta where key = 'states_until'")
        #expect((stored ?? .max) < AnomalyHarness.monday + 86_400)
        try crashed.restart()
        func state(_ series: Series) -> [UInt8] {
            var bytes: [UInt8] = []
            series.spend.append(to: &bytes)
            series.habits.append(to: &bytes)
            return bytes
        }
        #expect(
            Set(through.engine.watch.series.map(state))
                == Set(crashed.engine.watch.series.map(state)))
    }

    @Test func `P13 the baseline is what it was before the window under test`() throws {
        let harness = try warm()
        let before = harness.engine.watch.series.map(\.spend)
        let place = try #require(
            harness.engine.watch.series.firstIndex {
                harness.names.text($0.key.name) == "support.chat"
            })
        try harness.commit(loop(harness, 0))
        try harness.advance(seconds: 390)
        let told = try #require(try harness.anomalies().last { $0.silence == nil })
        var copy = before[place]
        let reading = copy.step(
            start: told.startsAt, cost: 44, events: 210, harness.engine.model)
        #expect(abs(Double(told.expected.nanos) / 1e9 - reading.expected) < 1e-6)
    }

    @Test func `an acknowledged pattern is not told again unless it grows`() throws {
        let harness = try warm()
        try harness.windows(2) { loop(harness, $0) }
        #expect(harness.events().first == "fired feature_spike support.chat critical")
        let first = try #require(try harness.anomalies().last { $0.silence == nil })
        let at = harness.now
        #expect(
            try AnomalyTable.acknowledge(
                first.id, .init(at: at, by: "ada", note: "known batch"), in: harness.database))
        try harness.windows(400) { usual(harness, $0) }
        _ = harness.events()
        // As large as before, a day later.
        try harness.windows(2) { loop(harness, $0) }
        try harness.windows(400) { usual(harness, $0) }
        #expect(harness.events().filter { $0.contains("support.chat") } == [])
        let second = try #require(
            try harness.anomalies().first { $0.value == "support.chat" })
        #expect(second.silence == .acknowledged)
        // Five times as large.
        try harness.windows(2) { loop(harness, $0, times: 100) }
        #expect(harness.events().contains { $0.hasPrefix("fired feature_spike support.chat") })
    }

    @Test func `a snoozed pattern is silent until then`() throws {
        let harness = try warm()
        try harness.windows(2) { loop(harness, $0) }
        _ = harness.events()
        let first = try #require(try harness.anomalies().last { $0.silence == nil })
        let until = harness.now + 2 * 86_400 * 1_000_000_000
        #expect(try AnomalyTable.snooze(first.id, until: until, in: harness.database))
        try harness.windows(400) { usual(harness, $0) }
        _ = harness.events()
        try harness.windows(2) { loop(harness, $0, times: 100) }
        #expect(harness.events().filter { $0.contains("feature_spike") } == [])
        #expect(
            try harness.anomalies().contains {
                $0.value == "support.chat" && $0.silence == .snoozed
            })
    }

    @Test func `spend that stops is a drop, one until it is back`() throws {
        let harness = try warm()
        try harness.windows(600) { _ in [] }
        let drops = harness.events()
        #expect(drops.filter { $0.hasPrefix("fired drop support.chat") }.count == 1)
        #expect(drops.filter { !$0.hasPrefix("fired drop") } == [])
        let drop = try #require(try harness.anomalies().first { $0.value == "support.chat" })
        #expect(drop.grade == .low)
        #expect(drop.title.hasPrefix("spend of support.chat has dropped to "))
        try harness.windows(150) { usual(harness, $0) }
        #expect(
            harness.events().filter { $0.contains("drop support.chat") }
                == ["ended (spend is back) drop support.chat low"])
    }

    @Test func `a dearer model is a price shift, not a spike of tokens`() throws {
        let harness = try warm()
        try harness.windows(60) { index in
            usual(harness, index).map { event in
                var event = event
                if event.model == harness.names.find("gpt-4o") {
                    event.cost = event.cost * 3 / 2
                }
                return event
            }
        }
        let told = harness.events()
        #expect(told.contains("fired price_shift gpt-4o medium"), "\(told)")
        let shift = try #require(try harness.anomalies().first { $0.kind == .priceShift })
        #expect(shift.title.hasPrefix("tokens of gpt-4o cost "))
        #expect(shift.title.hasSuffix("% more than usual"))
        #expect(!told.contains { $0.contains("gpt-4o-mini") })
    }

    @Test func `somebody new who spends a lot is told once`() throws {
        let harness = try warm()
        try harness.windows(40) { index in
            usual(harness, index)
                + (0..<10).map { _ in
                    harness.event(
                        0.2, user: "newcomer", feature: "search", model: "gpt-4o", tokens: 2000)
                }
        }
        let told = harness.events()
        #expect(told.filter { $0.contains("new_spender") } == ["fired new_spender newcomer medium"])
        let new = try #require(try harness.anomalies().first { $0.kind == .newSpender })
        #expect(new.summary.hasPrefix("newcomer was not there before and spent $3"))
    }

    @Test func `while everybody is new nobody is`() throws {
        let harness = try AnomalyHarness()
        try harness.windows(40) { _ in
            (0..<20).map { _ in harness.event(0.2, user: "first", feature: "search") }
        }
        #expect(harness.events() == [])
    }

    @Test func `simple rules speak beside the detector`() throws {
        var settings = AnomalySettings()
        settings.rules = [SpendRule(kind: .ratio, over: 2)]
        let harness = try warm(settings)
        // Twice a day's money, spread over the day: slow, and no horizon's record.
        try harness.windows(288) { index in
            usual(harness, index).map { event in
                var event = event
                if event.user == harness.names.find("u-1") { event.cost *= 3 }
                return event
            }
        }
        let told = try harness.anomalies().filter { $0.summary.contains("mean of 7 days") }
        #expect(told.contains { $0.value == "u-1" || $0.value == "search" })
    }
}
