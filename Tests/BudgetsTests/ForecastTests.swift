import SQLite
import TestSupport
import Testing
import TimeZones
import Usage

@testable import Budgets

/// Days are read from sums by one dimension or from roll-ups, as the budget needs; nobody can tell
/// from where.
@Suite struct ForecastTests {
    private struct RollUp {
        let quarter: Int64
        let tenant: String
        let user: String
        let feature: String
        let nanos: Int64
    }

    /// Five weeks of roll-ups.
    private func fill(_ harness: BudgetHarness, _ random: inout SeededRandom) throws -> [RollUp] {
        var rollUps: [RollUp] = []
        for quarter in harness.seconds / 900 - 35 * 96..<harness.seconds / 900
        where random.chance(30) {
            for tenant in ["a", "b"] {
                let user = "u\(random.below(4))"
                let feature = random.chance(80) ? "f\(random.below(2))" : ""
                let nanos = Int64(1_000_000_000 + random.below(1_000_000_000))
                rollUps.append(
                    RollUp(
                        quarter: quarter, tenant: tenant, user: user, feature: feature, nanos: nanos
                    ))
                try harness.database.execute(
                    """
                    insert into rollups values (
                        \(quarter), \(harness.names.intern(tenant)), \(harness.names.intern(user)),
                        \(harness.names.intern(feature)), 0, 0, 0, 0, 0, 0,
                        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, \(nanos), \(nanos))
                    """)
            }
        }
        try harness.keepSums()
        return rollUps
    }

    @Test func `days and spend are those of the roll-ups, whatever a budget looks at`() throws {
        let harness = try BudgetHarness([])
        var random = SeededRandom(seed: 91)
        let rollUps = try fill(harness, &random)
        let berlin = try Zone(named: "Europe/Berlin")
        let kolkata = try Zone(named: "Asia/Kolkata")
        let ofA = BudgetDefinition.Match(dimension: .tenant, pattern: Pattern(["a"]))
        let budgets: [(BudgetDefinition, (RollUp) -> String?)] = [
            (BudgetHarness.budget(each: [], name: "all"), { _ in "all" }),
            (BudgetHarness.budget(each: [.tenant], name: "tenant"), { "tenant=\($0.tenant)" }),
            (
                BudgetHarness.budget(each: [.tenant], zone: berlin, name: "tenant-berlin"),
                { "tenant=\($0.tenant)" }
            ),
            (
                BudgetHarness.budget(each: [.tenant], zone: kolkata, name: "tenant-kolkata"),
                { "tenant=\($0.tenant)" }
            ),
            (BudgetHarness.budget(each: [.user], name: "user"), { "user=\($0.user)" }),
            (
                BudgetHarness.budget(each: [.user], kind: .day, name: "user-day"),
                { "user=\($0.user)" }
            ),
            (
                BudgetHarness.budget(each: [.user], zone: berlin, name: "user-berlin"),
                { "user=\($0.user)" }
            ),
            (
                BudgetHarness.budget(each: [.tenant, .feature], name: "two"),
                { $0.feature.isEmpty ? nil : "tenant=\($0.tenant),feature=\($0.feature)" }
            ),
            (
                BudgetHarness.budget(each: [.user], name: "of-a", match: [ofA]),
                { $0.tenant == "a" ? "user=\($0.user)" : nil }
            ),
        ]
        try harness.restart(budgets.map(\.0))
        for countMax in [3, 1000] {
            let forecasts = try harness.engine.forecasts(
                countMax: countMax, now: harness.now, in: harness.database)
            #expect(forecasts.count == min(countMax, 27))
            for forecast in forecasts {
                let status = forecast.status
                let (budget, scope) = try #require(
                    budgets.first { $0.0.name == status.budget.name })
                let zone = budget.period.zone
                let today = floorDay(zone.local(harness.seconds))
                var (days, spent) = ([Int64: Int64](), Int64(0))
                for rollUp in rollUps where scope(rollUp) == status.scopeText {
                    let day = floorDay(zone.local(rollUp.quarter * 900))
                    if day >= today - 28 { days[day, default: 0] += rollUp.nanos }
                    if status.period.contains(rollUp.quarter * 900) { spent += rollUp.nanos }
                }
                #expect(status.spent.nanos == spent && spent > 0)
                #expect(forecast.days.map(\.day) == Array(today - 28...today))
                let amounts = forecast.days.map(\.amount.nanos)
                #expect(amounts == (today - 28...today).map { days[$0] ?? 0 }, "\(budget.name)")
            }
        }
    }

    private func floorDay(_ seconds: Int64) -> Int64 { seconds / 86_400 }

    @Test func `where days come from: sums while no span is cut, roll-ups else`() throws {
        func source(_ each: [Dimension], offset: Int64, match: [Dimension] = []) -> PastSpend {
            PastSpend(
                BudgetHarness.budget(
                    each: each,
                    match: match.map {
                        BudgetDefinition.Match(dimension: $0, pattern: Pattern(["a"]))
                    })
            ) { offset % $0 == 0 }
        }
        #expect(source([], offset: 3600) == .sums(nil))
        #expect(source([.tenant], offset: 7200) == .sums(.tenant))
        #expect(source([.tenant], offset: 1800) == .rollUps([.tenant]))
        #expect(source([.user], offset: 0) == .sums(.user))
        #expect(source([.user], offset: 3600) == .rollUps([.user]))
        #expect(source([.user], offset: 0, match: [.tenant]) == .rollUps([.user, .tenant]))
        #expect(source([.model], offset: 0, match: [.model]) == .sums(.model))
        #expect(source([.tag("team")], offset: 0) == .rollUps([.tag("team")]))
        #expect(source([.status], offset: 0) == .rollUps([.status]))
    }
}
