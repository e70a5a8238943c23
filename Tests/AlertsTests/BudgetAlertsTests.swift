import Budgets
import TestSupport
import Testing
import TimeZones
import Usage
import Wire

@testable import Alerts

private func moment(_ text: String) -> Int64 {
    (RFC3339.read(Array(text.utf8).span) ?? 0) / 1_000_000_000
}

private func event(
    _ kind: BudgetEvent.Kind, spent: Int64, limit: Int64 = 100, period: PeriodRule.Kind = .month,
    zone: String = "UTC", at now: String, scope: [(Usage.Dimension, String)] = [(.tenant, "acme")],
    name: String = "tenant-monthly"
) throws -> BudgetEvent {
    let rule = PeriodRule(kind: period, zone: try Zone(named: zone))
    return BudgetEvent(
        kind: kind,
        budget: BudgetDefinition(
            name: name, each: scope.map(\.0), period: rule,
            limit: NanoUSD(nanos: limit * 1_000_000_000)),
        scope: scope.map { (dimension: $0.0, value: $0.1) },
        scopeText: scope.map { "\($0.0)=\($0.1)" }.joined(separator: ","),
        period: rule.period(containing: moment(now)),
        spent: NanoUSD(nanos: spent * 1_000_000_000 / 100),
        limit: NanoUSD(nanos: limit * 1_000_000_000))
}

private func threshold(_ mille: Int64) -> BudgetDefinition.Threshold {
    .init(ratioNanos: mille * 1_000_000)
}

@Suite struct BudgetAlertsTests {
    static func crossing(isOver: Bool = false) -> BudgetEvent {
        let kind: BudgetEvent.Kind =
            isOver
            ? .resolved(threshold: threshold(900), arm: 0, reason: .limitRaised)
            : .crossed(threshold: threshold(900), crossed: [threshold(900)], arm: 0)
        let period = PeriodRule(kind: .month)
        return BudgetEvent(
            kind: kind, budget: BudgetDefinition(name: "b", limit: NanoUSD(nanos: 10)), scope: [],
            scopeText: "all", period: period.period(containing: 1_795_168_800),
            spent: NanoUSD(nanos: 9), limit: NanoUSD(nanos: 10))
    }

    @Test func `a crossing says how much, how fast and until when`() throws {
        let now = "2026-11-20T10:00:00Z"
        let alert = try #require(
            BudgetAlerts.alert(
                try event(
                    .crossed(
                        threshold: threshold(900), crossed: [threshold(750), threshold(900)], arm: 0
                    ),
                    spent: 9210, at: now), id: "alr_1", now: moment(now) * 1_000_000_000))
        #expect(alert.title == "acme has used 92% of tenant-monthly")
        #expect(
            alert.summary == "$92.10 of $100.00 this month; at this pace $142 by 30 Nov, "
                + "over the limit on 22 Nov")
        #expect(
            alert.dedupKey == "budget_threshold/tenant-monthly/tenant=acme/2026-11/0.9")
        #expect(alert.severity == .warning && alert.kind == .budgetThreshold)
        #expect(alert.budget?.crossed == ["0.75", "0.9"] && alert.budget?.threshold == "0.9")
        #expect(alert.budget?.utilizationMille == 921)
    }

    @Test func `a re-armed threshold has a key of its own`() throws {
        let now = "2026-11-20T10:00:00Z"
        let crossed = try event(
            .crossed(threshold: threshold(1000), crossed: [threshold(1000)], arm: 1), spent: 10_000,
            at: now)
        #expect(
            BudgetAlerts.dedupKey(crossed)
                == "budget_threshold/tenant-monthly/tenant=acme/2026-11/1/2")
        let ended = try event(
            .resolved(threshold: threshold(1000), arm: 1, reason: .limitRaised), spent: 10_000,
            at: now)
        #expect(BudgetAlerts.dedupKey(ended) == BudgetAlerts.dedupKey(crossed))
        #expect(BudgetAlerts.alert(ended, id: "x", now: 0) == nil)
    }

    @Test func `texts speak the budget's own clock`() throws {
        // 23:30 in New York is the next day in UTC.
        let now = "2026-11-21T04:30:00Z"
        let alert = try #require(
            BudgetAlerts.alert(
                try event(
                    .crossed(threshold: threshold(500), crossed: [threshold(500)], arm: 0),
                    spent: 9900, period: .day, zone: "America/New_York", at: now, scope: [],
                    name: "all"), id: "x", now: moment(now) * 1_000_000_000))
        #expect(alert.title == "99% of all is used")
        #expect(
            alert.summary
                == "$99.00 of $100.00 today; at this pace $101 by 00:00, over the limit at 23:44")
        #expect(alert.dedupKey == "budget_threshold/all//2026-11-20/0.5")
    }

    @Test(arguments: [
        (PeriodRule.Kind.hour, "in the hour from 23:00 on 2 Oct"), (.day, "on 2 Oct"),
        (.week, "from 28 Sep to 4 Oct"), (.month, "from 1 Oct to 31 Oct"),
    ])
    func `a late event tells of its own period by its dates`(
        period: PeriodRule.Kind, words: String
    ) throws {
        let late = try event(
            .crossed(threshold: threshold(500), crossed: [threshold(500)], arm: 0), spent: 5000,
            period: period, zone: "America/New_York", at: "2026-10-03T03:10:00Z")
        let now = moment("2026-11-20T10:00:00Z") * 1_000_000_000
        let alert = try #require(BudgetAlerts.alert(late, id: "x", now: now))
        #expect(alert.summary == "$50.00 of $100.00 \(words)")
    }

    @Test func `early in a period nothing is forecast`() throws {
        let now = "2026-11-01T03:00:00Z"
        let alert = try #require(
            BudgetAlerts.alert(
                try event(
                    .crossed(threshold: threshold(500), crossed: [threshold(500)], arm: 0),
                    spent: 5000, at: now), id: "x", now: moment(now) * 1_000_000_000))
        #expect(alert.summary == "$50.00 of $100.00 this month" && alert.budget?.forecast == nil)
    }

    @Test func `a burn tells how long the rest lasts`() throws {
        let now = "2026-11-20T10:00:00Z"
        let alert = try #require(
            BudgetAlerts.alert(
                try event(.burning(secondsLeft: 1800, arm: 0), spent: 4000, at: now), id: "x",
                now: moment(now) * 1_000_000_000))
        #expect(alert.title == "acme is burning through tenant-monthly")
        #expect(
            alert.summary == "$40.00 of $100.00 this month; at the present pace the remaining "
                + "$60.00 last about 30 minutes, and the period ends 30 Nov")
        #expect(alert.severity == .critical)
        #expect(alert.dedupKey == "budget_burn/tenant-monthly/tenant=acme/2026-11")
    }

    @Test(arguments: [
        (0, "$0.00"), (1, "$0.000000001"), (4_230_000, "$0.0042"), (9_999_999, "$0.01"),
        (10_000_000, "$0.01"), (92_104_000_000, "$92.10"), (1_204_505_000_000, "$1,204.51"),
        (-5_000_000_000, "-$5.00"), (9_223_372_036_854_775_807, "$9,223,372,036.85"),
    ])
    func `amounts read as people write them`(_ nanos: Int64, _ text: String) {
        #expect(MoneyText.dollars(NanoUSD(nanos: nanos)) == text)
    }
}
