import TestSupport
import Testing
import Usage

@testable import Budgets

@Suite struct BudgetReadingsTests {
    @Test func `readings tell in numbers what statuses tell`() throws {
        let harness = try BudgetHarness([
            BudgetHarness.budget(each: [.tenant, .feature], name: "pairs"),
            BudgetHarness.budget(50, each: [], burns: true, name: "all"),
            BudgetHarness.budget(each: [.conversation], name: "talks"),
        ])
        var random = SeededRandom(seed: 6)
        try harness.commit(
            (0..<200).map { _ in
                harness.event(
                    Double(random.below(1000)) / 50, tenant: "t\(random.below(20))",
                    feature: random.below(3) == 0 ? "" : "f\(random.below(3))",
                    conversation: "c\(random.below(5))")
            })
        for countMax in [0, 1, 10, 1000] {
            let statuses = harness.engine.statuses(countMax: countMax) { $0.name != "talks" }
            let readings = harness.engine.readings(countMax: countMax)
            #expect(readings.rows.count == statuses.count)
            for (row, status) in zip(readings.rows, statuses) {
                let budget = readings.budgets[row.budget]
                #expect(budget == status.budget)
                #expect(
                    status.scope.enumerated().map { readings.names.text(row.values[$0.offset]) }
                        == status.scope.map(\.value))
                #expect(row.limit == status.limit && row.spent == status.spent)
                #expect(row.reserved == status.reserved && row.isBurning == status.isBurning)
                #expect(row.utilizationNanos == status.utilizationNanos)
                #expect(row.periodEnd == status.period.end)
                #expect(status.crossed.indices.map { row.crossed >> $0 & 1 == 1 } == status.crossed)
            }
        }
        let crossed = harness.engine.readings(countMax: 1000).rows.map(\.crossed)
        #expect(crossed.contains(0) && crossed.contains(0b1111) && crossed.contains(0b1))
    }
}
