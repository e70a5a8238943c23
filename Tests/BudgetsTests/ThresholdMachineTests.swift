import TestSupport
import Testing
import Usage

@testable import Budgets

/// Drives the machine with dollars and minutes.
private struct Machine {
    var thresholds = BudgetDefinition.defaultThresholds
    var states: [ThresholdState]
    var notifiedAt: [Int64?]
    var cooldownMinutes: Int64 = 60

    init(_ ratios: [Int64] = [500, 750, 900, 1000]) {
        thresholds = ratios.map { BudgetDefinition.Threshold(ratioNanos: $0 * 1_000_000) }
        states = thresholds.map { _ in ThresholdState() }
        notifiedAt = thresholds.map { _ in nil }
    }

    mutating func evaluate(
        _ dollars: Int64, of limit: Int64 = 100, at minute: Int64 = 0, isNotifiable: Bool = true
    ) -> [ThresholdChange] {
        ThresholdMachine.evaluate(
            ThresholdMachine.Input(
                thresholds: thresholds, spent: NanoUSD(nanos: dollars * 1_000_000_000),
                limit: NanoUSD(nanos: limit * 1_000_000_000),
                cooldownNanos: cooldownMinutes * 60_000_000_000, now: minute * 60_000_000_000,
                isNotifiable: isNotifiable, reason: .limitRaised), &states, &notifiedAt)
    }

    /// A new period: states are new, the cooldown stays.
    mutating func newPeriod() -> [ThresholdChange] {
        defer { states = thresholds.map { _ in ThresholdState() } }
        return ThresholdMachine.close(&states, reason: .periodEnded)
    }
}

@Suite struct ThresholdMachineTests {
    @Test func `P7 each threshold fires once, when it is reached exactly`() {
        var machine = Machine()
        #expect(machine.evaluate(49) == [])
        #expect(machine.evaluate(50) == [.fired(threshold: 0, crossed: [0], arm: 0)])
        #expect(machine.evaluate(60) == [])
        #expect(machine.evaluate(75) == [.fired(threshold: 1, crossed: [1], arm: 0)])
        #expect(machine.evaluate(92) == [.fired(threshold: 2, crossed: [2], arm: 0)])
        #expect(machine.evaluate(100) == [.fired(threshold: 3, crossed: [3], arm: 0)])
        #expect(machine.evaluate(1000) == [])
    }

    @Test func `P7 a jump gives one notification that lists all`() {
        var machine = Machine()
        #expect(machine.evaluate(95) == [.fired(threshold: 2, crossed: [0, 1, 2], arm: 0)])
        #expect(machine.evaluate(100) == [.fired(threshold: 3, crossed: [3], arm: 0)])
    }

    @Test func `P7 a raised limit ends alerts and re-arms, and the key counts`() {
        var machine = Machine()
        _ = machine.evaluate(95)
        #expect(
            machine.evaluate(95, of: 200, at: 120) == [
                .resolved(threshold: 2, arm: 0, reason: .limitRaised)
            ])
        #expect(machine.states.map(\.isCrossed) == [false, false, false, false])
        #expect(
            machine.evaluate(180, of: 200, at: 130) == [
                .fired(threshold: 2, crossed: [0, 1, 2], arm: 1)
            ])
    }

    @Test func `a lowered limit is evaluated at once`() {
        var machine = Machine()
        #expect(machine.evaluate(40) == [])
        #expect(machine.evaluate(40, of: 50) == [.fired(threshold: 1, crossed: [0, 1], arm: 0)])
    }

    @Test func `P7 the cooldown delays and never drops`() {
        var machine = Machine([500])
        #expect(machine.evaluate(50, at: 0).count == 1)
        #expect(machine.newPeriod() == [.resolved(threshold: 0, arm: 0, reason: .periodEnded)])
        #expect(machine.evaluate(50, at: 10) == [])
        #expect(machine.evaluate(60, at: 59) == [])
        #expect(machine.evaluate(60, at: 60) == [.fired(threshold: 0, crossed: [0], arm: 0)])
        #expect(machine.evaluate(60, at: 61) == [])
    }

    @Test func `P7 a waiting notification passes to the thresholds that are still true`() {
        var machine = Machine([500, 750, 900])
        #expect(machine.evaluate(95, at: 0).count == 1)
        _ = machine.newPeriod()
        // Crossed again within the cooldown: it waits, naming all three.
        #expect(machine.evaluate(95, at: 10) == [])
        // Then the limit is raised: 900 is no longer true, 500 and 750 are.
        #expect(machine.evaluate(95, of: 120, at: 20) == [])
        #expect(
            machine.evaluate(95, of: 120, at: 60) == [
                .fired(threshold: 1, crossed: [0, 1], arm: 0)
            ])
        #expect(machine.evaluate(95, of: 120, at: 90) == [])
    }

    @Test func `P7 what is no longer true when the cooldown ends is not sent`() {
        var machine = Machine([500])
        _ = machine.evaluate(50, at: 0)
        _ = machine.newPeriod()
        #expect(machine.evaluate(50, at: 10) == [])
        // The limit is raised while it waits: nothing was told, so nothing is resolved.
        #expect(machine.evaluate(50, of: 200, at: 20) == [])
        #expect(machine.evaluate(50, of: 200, at: 61) == [])
        // Crossed again later: told, as the second crossing of this period.
        #expect(
            machine.evaluate(150, of: 200, at: 70) == [.fired(threshold: 0, crossed: [0], arm: 1)])
        // And a period that ends takes what waits along.
        _ = machine.newPeriod()
        #expect(machine.evaluate(50, at: 80) == [])
        #expect(machine.newPeriod() == [])
        #expect(machine.evaluate(0, at: 200) == [])
    }

    @Test func `a higher threshold takes the waiting ones below it along`() {
        var machine = Machine()
        _ = machine.evaluate(50, at: 0)
        _ = machine.newPeriod()
        #expect(machine.evaluate(50, at: 10) == [])
        // 75 % has not notified yet, so it is free to; the waiting 50 % is in its list.
        #expect(machine.evaluate(80, at: 20) == [.fired(threshold: 1, crossed: [0, 1], arm: 0)])
        #expect(machine.evaluate(80, at: 90) == [])
    }

    @Test func `a period long over records and stays silent`() {
        var machine = Machine()
        #expect(
            machine.evaluate(95, isNotifiable: false) == [
                .recorded(threshold: 2, crossed: [0, 1, 2])
            ])
        #expect(machine.evaluate(95, isNotifiable: false) == [])
        #expect(machine.states.allSatisfy { !$0.isFiring })
    }

    @Test func `thresholds above the limit count too`() {
        var machine = Machine([1000, 1500])
        #expect(machine.evaluate(149) == [.fired(threshold: 0, crossed: [0], arm: 0)])
        #expect(machine.evaluate(150) == [.fired(threshold: 1, crossed: [1], arm: 0)])
    }

    @Test func `amounts at the end of the range do not overflow`() {
        let threshold = BudgetDefinition.Threshold(ratioNanos: 10_000_000_000)
        #expect(!threshold.isReached(spent: NanoUSD(nanos: .max), limit: NanoUSD(nanos: .max)))
        #expect(
            BudgetDefinition.Threshold(ratioNanos: 1).isReached(
                spent: NanoUSD(nanos: .max), limit: NanoUSD(nanos: .max)))
    }

    // Random spends, limits and clocks: what is told never repeats and never lies.
    @Test(arguments: 0..<20)
    func `P7 no key is told twice, and what is told is true`(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var machine = Machine()
        var period = 0
        var told: Set<String> = []
        var open: Set<String> = []
        var spent: Int64 = 0
        var limit: Int64 = 100
        var minute: Int64 = 0
        for _ in 0..<2000 {
            minute += Int64(random.below(20))
            switch random.below(30) {
            case 0:
                for change in machine.newPeriod() {
                    guard case .resolved(let threshold, let arm, _) = change else { continue }
                    #expect(open.remove("\(period)/\(threshold)/\(arm)") != nil)
                }
                #expect(open.isEmpty)
                period += 1
                spent = 0
            case 1: limit = 50 + Int64(random.below(200))
            default: spent += Int64(random.below(8))
            }
            for change in machine.evaluate(spent, of: limit, at: minute) {
                switch change {
                case .fired(let threshold, let crossed, let arm):
                    #expect(told.insert("\(period)/\(threshold)/\(arm)").inserted)
                    open.insert("\(period)/\(threshold)/\(arm)")
                    #expect(crossed.last == threshold && crossed == crossed.sorted())
                    for index in crossed {
                        #expect(
                            spent * 1000 >= limit * machine.thresholds[index].ratioNanos / 1_000_000
                        )
                    }
                case .resolved(let threshold, let arm, _):
                    #expect(open.remove("\(period)/\(threshold)/\(arm)") != nil)
                case .recorded: Issue.record("recorded in a running period")
                }
            }
        }
        #expect(told.count > 20)
    }
}

@Suite struct BurnRateTests {
    private let period = Period(start: 0, end: 30 * 86_400)

    private func left(
        spent: Int64, limit: Int64 = 100, now: Int64, isSpread: Bool = true,
        _ windows: [Int64: Int64]
    ) -> Int64? {
        BurnRate.secondsLeft(
            BurnRate.Input(
                spent: NanoUSD(nanos: spent * 1_000_000_000),
                limit: NanoUSD(nanos: limit * 1_000_000_000),
                period: period, now: now),
            window: { minutes in
                BurnRate.Window(
                    spent: NanoUSD(nanos: (windows[minutes] ?? 0) * 1_000_000_000),
                    seconds: minutes * 60)
            }, isSpread: { _ in isSpread })
    }

    @Test func `a loop shows in both windows at once`() {
        // $2 a minute for the last 5: $70 left last 35 minutes, in a month.
        #expect(left(spent: 30, now: 10 * 86_400, [1: 2, 5: 10, 60: 10]) == 2100)
        // The loop has stopped: the short window is empty.
        #expect(left(spent: 30, now: 10 * 86_400, [1: 0, 5: 2, 60: 2]) == nil)
        // A single large call a moment ago.
        #expect(left(spent: 30, now: 10 * 86_400, isSpread: false, [1: 3, 5: 3, 60: 3]) == nil)
        #expect(left(spent: 30, now: 10 * 86_400, [1: 0, 5: 0, 60: 3]) == nil)
    }

    @Test func `small change is no alarm, nor is a pace that lasts`() {
        #expect(left(spent: 0, limit: 10_000, now: 86_400, [1: 10, 5: 50, 60: 50]) == nil)
        // The budget would last for half of the rest of its period.
        #expect(left(spent: 50, now: 29 * 86_400 + 80_000, [1: 1, 5: 1, 60: 12]) == nil)
        #expect(left(spent: 100, now: 86_400, [1: 10, 5: 50, 60: 50]) == nil)
        #expect(left(spent: 10, now: 31 * 86_400, [1: 10, 5: 50, 60: 50]) == nil)
    }

    @Test func `an alert opens once, ends after quiet, and waits for its cooldown`() {
        var state = BurnState()
        let minute: Int64 = 60_000_000_000
        func at(_ minutes: Int64, _ left: Int64?) -> BurnState.Change? {
            state.evaluate(secondsLeft: left, cooldownNanos: 60 * minute, now: minutes * minute)
        }
        #expect(at(0, nil) == nil)
        #expect(at(1, 500) == .fired(secondsLeft: 500, arm: 0))
        #expect(at(2, 400) == nil)
        #expect(at(6, nil) == nil)
        #expect(at(7, nil) == .resolved(arm: 0))
        #expect(at(8, 300) == nil)
        #expect(at(61, 300) == .fired(secondsLeft: 300, arm: 1))
        #expect(at(63, nil) == nil)
        #expect(state.close() == .resolved(arm: 1))
        #expect(state.close() == nil)
    }
}
