import Aggregation
import Ledger
import TestSupport
import Testing
import Usage

@testable import Budgets

private let hour: Int64 = 3600

@Suite struct RollingSumTests {
    @Test func `an amount counts for the whole window and at most a sixtieth more`() {
        var sum = RollingSum()
        // Buckets of 24 minutes: this one is from 9:36 to 10:00 of some day.
        let moment = 1_795_168_800 - 60
        sum.add(5, at: Int64(moment), length: 24 * hour)
        let end = Int64(moment) + 60 + 24 * hour
        #expect(sum.sum(now: Int64(moment), length: 24 * hour) == 5)
        #expect(sum.sum(now: end - 1, length: 24 * hour) == 5)
        #expect(sum.sum(now: end, length: 24 * hour) == 0)
        #expect(!sum.isStale(now: end - 1, length: 24 * hour))
        #expect(sum.isStale(now: end, length: 24 * hour))
        #expect(sum.relief(of: 5, now: end - 10, length: 24 * hour) == end)
        sum.forget(now: end, length: 24 * hour)
        #expect(sum == RollingSum())
    }

    @Test func `however many amounts, there are at most 61 buckets`() {
        var sum = RollingSum()
        var random = SeededRandom(seed: 3)
        var now: Int64 = 1_795_168_800
        var amounts: [(at: Int64, nanos: Int64)] = []
        for _ in 0..<2000 {
            now += Int64(random.below(40))
            let at = now - Int64(random.below(Int(hour)))
            let nanos = Int64(random.below(100))
            amounts.append((at, nanos))
            sum.add(nanos, at: at, length: hour)
            sum.forget(now: now, length: hour)
            #expect(sum.buckets.count <= 61)
            // Nothing leaves early, and all has left a bucket later.
            let exact = amounts.filter { $0.at > now - hour }.reduce(0) { $0 + $1.nanos }
            let most = amounts.filter { $0.at > now - hour - 60 }.reduce(0) { $0 + $1.nanos }
            let found = sum.sum(now: now, length: hour)
            #expect(found >= exact && found <= most)
        }
        #expect(RollingSum(blob: sum.blob) == sum)
    }

    @Test func `short windows have buckets of a second, odd lengths are covered`() {
        #expect(RollingSum.width(60) == 1 && RollingSum.width(61) == 2)
        #expect(RollingSum.width(86_400) == 1440)
        #expect(RollingSum.counts(1000, now: 1059, length: 60))
        #expect(!RollingSum.counts(1000, now: 1061, length: 60))
    }
}

@Suite struct RollingBudgetTests {
    private static func budget(
        _ length: Int64 = hour, limit: Int64 = 100, each: [Dimension] = [.tenant]
    ) -> BudgetDefinition {
        var budget = BudgetHarness.budget(limit, each: each)
        budget.period.rollingSeconds = length
        return budget
    }

    @Test
    func `a rolling budget crosses once, re-arms well below and after its cooldown, and ends`()
        throws
    {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(76)])
        #expect(harness.events() == ["crossed tenant=a rolling-1h 0.75 [0.5,0.75] arm 1795168800"])
        harness.advance(seconds: 1800)
        try harness.commit([harness.event(5)])
        try harness.tick()
        #expect(harness.events() == [] && harness.spent("tenant=a") == "81.00")
        // The first 76 leave: at 5 of 100 both end, the cooldown is over as well.
        harness.advance(seconds: 1800 + 54)
        try harness.tick()
        #expect(harness.events() == [] && harness.spent("tenant=a") == "81.00")
        harness.advance(seconds: 6)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "5.00")
        #expect(
            harness.events() == ["resolved tenant=a rolling-1h 0.75 window_moved arm 1795168800"])
        harness.advance(seconds: 10)
        try harness.commit([harness.event(50)])
        #expect(harness.events() == ["crossed tenant=a rolling-1h 0.5 [0.5] arm 1795172470"])
    }

    @Test func `just under a threshold it stays crossed; at 95 percent of it ends`() throws {
        var budget = Self.budget()
        budget.thresholds = [.init(ratioNanos: 1_000_000_000)]
        budget.cooldownNanos = 0
        let harness = try BudgetHarness([budget])
        try harness.tick()
        try harness.commit([harness.event(5)])
        harness.advance(seconds: 60)
        try harness.commit([harness.event(1)])
        harness.advance(seconds: 60)
        try harness.commit([harness.event(94)])
        #expect(harness.events().count == 1)
        harness.advance(seconds: 3600 - 60)
        try harness.tick()
        // 95 left, which is not under 95 %.
        #expect(harness.spent("tenant=a") == "95.00" && harness.events() == [])
        try harness.commit([harness.event(5)])
        #expect(harness.events() == [])
        harness.advance(seconds: 60)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "99.00" && harness.events() == [])
        harness.advance(seconds: 60)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "5.00")
        #expect(harness.events() == ["resolved tenant=a rolling-1h 1 window_moved arm 1795168920"])
    }

    @Test func `a start and a reload end nothing that is only just under its threshold`() throws {
        var budget = Self.budget()
        budget.thresholds = [.init(ratioNanos: 1_000_000_000)]
        budget.cooldownNanos = 0
        let harness = try BudgetHarness([budget])
        try harness.tick()
        try harness.commit([harness.event(5)])
        harness.advance(seconds: 120)
        try harness.commit([harness.event(95)])
        #expect(harness.events().count == 1)
        harness.advance(seconds: 3600 - 60)
        try harness.tick()
        try harness.checkpoint()
        #expect(harness.spent("tenant=a") == "95.00")
        try harness.restart([budget])
        try harness.tick()
        try harness.redefine([budget])
        try harness.tick()
        #expect(harness.events() == [] && harness.open == ["tenant=a 1"])
        // A raised limit does, and says so; here the spend would have ended it, too.
        var raised = budget
        raised.limit = NanoUSD(nanos: 200_000_000_000)
        try harness.redefine([raised])
        #expect(
            harness.events() == ["resolved tenant=a rolling-1h 1 limit_raised arm 1795168920"])
    }

    @Test func `spend that left the window while costgauge was down is found at the start`() throws
    {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(76)])
        try harness.checkpoint()
        _ = harness.events()
        harness.advance(seconds: 7200)
        try harness.restart([Self.budget()])
        try harness.tick()
        #expect(
            harness.events() == ["resolved tenant=a rolling-1h 0.75 at_start arm 1795168800"])
    }

    @Test func `the cooldown holds a crossing open although spend has left`() throws {
        var budget = Self.budget(60)
        budget.cooldownNanos = 600 * BudgetHarness.second
        let harness = try BudgetHarness([budget])
        try harness.tick()
        try harness.commit([harness.event(100)])
        #expect(harness.events().count == 1)
        harness.advance(seconds: 300)
        try harness.tick()
        try harness.commit([harness.event(100)])
        #expect(harness.events() == [])
        harness.advance(seconds: 301)
        try harness.tick()
        #expect(harness.events() == ["resolved tenant=a rolling-1m 1 window_moved arm 1795168800"])
    }

    @Test func `late events count while the window reaches them, others do not`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([
            harness.event(1, at: harness.now - 3599 * BudgetHarness.second),
            harness.event(10, at: harness.now - 3700 * BudgetHarness.second),
            harness.event(20, at: harness.now + 500 * BudgetHarness.second),
        ])
        #expect(harness.spent("tenant=a") == "21.00")
    }

    @Test func `a restart and a replay give the same window`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(10)])
        harness.advance(seconds: 600)
        try harness.commit([harness.event(20)])
        try harness.checkpoint()
        harness.advance(seconds: 600)
        let late = harness.event(40)
        try harness.commit([late])
        let events = harness.events()
        try harness.restart([Self.budget()], replaying: [late])
        try harness.tick()
        #expect(harness.spent("tenant=a") == "70.00" && harness.events() == [])
        #expect(events.count == 1)
        harness.advance(seconds: 2400 + 60)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "60.00")
        harness.advance(seconds: 600)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "40.00")
        #expect(harness.events() == [])
        harness.advance(seconds: 600)
        try harness.tick()
        #expect(harness.events().count == 1)
    }

    @Test func `a denial says when enough has left the window`() throws {
        var budget = Self.budget()
        budget.enforcement = Enforcement()
        let harness = try BudgetHarness([budget])
        try harness.tick()
        try harness.commit([harness.event(30)])
        harness.advance(seconds: 600)
        try harness.commit([harness.event(70)])
        func check(_ dollars: Int64) -> AdmissionDecision {
            let (event, _) = harness.event(Double(dollars))
            return harness.engine.check(
                AdmissionRequest(
                    event: event, rows: EventRows(),
                    estimate: NanoUSD(nanos: dollars * 1_000_000_000)), now: harness.now)
        }
        #expect(check(10).verdict == .deny && check(10).retryAfterSeconds == 3060)
        #expect(check(31).retryAfterSeconds == 3660)
        // Without a tick in between: admission reads the clock itself.
        harness.advance(seconds: 3060)
        #expect(check(10).verdict == .throttle)
        #expect(check(10).budget?.spent.decimal == "70.00")
        #expect(check(31).verdict == .deny)
    }

    @Test func `a reset of a rolling scope holds across a restart`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(60)])
        try harness.checkpoint()
        let event = harness.event(20)
        try harness.commit([event])
        _ = harness.events()
        try harness.change { engine, database, now in
            _ = try engine.reset(budget: "b", scope: "tenant=a", in: database, now: now)
        }
        #expect(harness.spent("tenant=a") == "0.00")
        #expect(harness.events().count == 2)
        try harness.restart([Self.budget()], replaying: [event])
        try harness.tick()
        #expect(harness.spent("tenant=a") == "0.00")
        try harness.commit([harness.event(7)])
        #expect(harness.spent("tenant=a") == "7.00")
        harness.advance(seconds: 3660)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "0.00")
    }

    @Test func `a start reads the present before its first tick`() throws {
        let harness = try BudgetHarness([Self.budget()])
        try harness.tick()
        try harness.commit([harness.event(10)])
        try harness.checkpoint()
        harness.advance(seconds: 600)
        let last = harness.event(60)
        try harness.commit([last])
        func read() -> [String] {
            let status = harness.engine.statuses(countMax: 9)[0]
            let reading = harness.engine.readings(countMax: 9).rows[0]
            let named = harness.engine.status(of: "b", scope: ["a"])
            #expect(reading.utilizationNanos == status.utilizationNanos)
            return [status.spent.decimal, reading.spent.decimal, named?.spent.decimal ?? ""]
        }
        #expect(read() == ["70.00", "70.00", "70.00"])
        // After a crash, and after a stop of an hour, of which the store holds more than counts.
        try harness.restart([Self.budget()], replaying: [last])
        #expect(read() == ["70.00", "70.00", "70.00"])
        try harness.checkpoint()
        harness.advance(seconds: 3100)
        try harness.restart([Self.budget()])
        #expect(read() == ["60.00", "60.00", "60.00"])
    }

    @Test func `a rolling budget that a reload brings reads its past at once`() throws {
        let harness = try BudgetHarness([])
        let quarter = harness.now / 900 / 1_000_000_000
        try harness.database.execute(
            """
            insert into rollups values (\(quarter), \(harness.names.intern("a")), 0,
                0, 0, 0, 0, 0, 0, 256, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 92000000000, 0)
            """)
        try harness.redefine([Self.budget()])
        #expect(harness.spent("tenant=a") == "92.00")
        #expect(harness.events().count == 1)
        try harness.tick()
        #expect(harness.spent("tenant=a") == "92.00" && harness.events() == [])
    }
}
