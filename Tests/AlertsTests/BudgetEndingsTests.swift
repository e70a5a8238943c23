import Budgets
import TestSupport
import Testing
import Usage

@testable import Alerts

/// Why an alert is over, in words that are true.
@Suite struct BudgetEndingsTests {
    private static let now: Int64 = 1_795_168_800_000_000_000

    private static func budget(rolling: Bool = false) -> BudgetDefinition {
        var period = PeriodRule(kind: .month)
        if rolling { period.rollingSeconds = 6 * 3600 }
        var budget = BudgetDefinition(
            name: "b", period: period, limit: NanoUSD(nanos: 100_000_000_000))
        budget.burns = true
        budget.forecasts = true
        budget.enforcement = Enforcement()
        return budget
    }

    private static func event(
        _ kind: BudgetEvent.Kind, spent: Int64 = 40, limit: Int64 = 100, rolling: Bool = false
    ) -> BudgetEvent {
        let budget = budget(rolling: rolling)
        let seconds = now / 1_000_000_000
        return BudgetEvent(
            kind: kind, budget: budget, scope: [], scopeText: "all",
            period: rolling
                ? Period(start: seconds - 6 * 3600, end: seconds)
                : budget.period.period(containing: seconds),
            spent: NanoUSD(nanos: spent * 1_000_000_000),
            limit: NanoUSD(nanos: limit * 1_000_000_000))
    }

    private static func resolved(_ reason: ResolveReason) -> BudgetEvent.Kind {
        .resolved(threshold: .init(ratioNanos: 900_000_000), arm: 0, reason: reason)
    }

    /// What an alert told while $95 of a limit were spent.
    private static func told(
        _ limit: Int64 = 100, rolling: Bool = false, threshold: String? = "0.9"
    ) -> AlertBudget {
        var told = BudgetAlerts.budgetPart(
            event(resolved(.reset), spent: 95, limit: limit, rolling: rolling), now: now)
        told.threshold = threshold
        return told
    }

    private static let endings: [(BudgetEvent, AlertBudget?, String)] = [
        (event(resolved(.periodEnded)), nil, "the period has ended"),
        (
            event(resolved(.limitRaised), spent: 95, limit: 200), told(),
            "the limit was raised to $200.00, of which $95.00 is used"
        ),
        (event(resolved(.spendReduced)), told(), "spend was corrected to $40.00"),
        (
            event(resolved(.windowMoved), spent: 0, rolling: true), told(rolling: true),
            "spend fell to $0.00 of $100.00 in the last 6h"
        ),
        (
            event(resolved(.atStart), spent: 4, rolling: true), told(rolling: true),
            "spend fell to $4.00 of $100.00 in the last 6h"
        ),
        (
            event(resolved(.atStart), spent: 95, limit: 300, rolling: true), told(rolling: true),
            "the limit was raised to $300.00, of which $95.00 is used"
        ),
        (
            event(resolved(.atStart), spent: 95, limit: 120), told(),
            "the limit was raised to $120.00, of which $95.00 is used"
        ),
        (event(resolved(.atStart)), told(), "$40.00 of $100.00 is used now"),
        (event(resolved(.atStart)), nil, "$40.00 of $100.00 is used now"),
        (
            event(resolved(.thresholdRemoved), spent: 106), told(),
            "threshold 0.9 is no longer configured"
        ),
        (
            event(resolved(.budgetChanged)), told(),
            "the budget counts other spend now: $40.00 of $100.00 this month"
        ),
        (event(resolved(.idle)), nil, "nothing happened in it for long"),
        (event(resolved(.reset)), nil, "the budget was reset"),
        (event(resolved(.budgetRemoved)), nil, "the budget is no longer configured"),
        (
            event(.burnEnded(arm: 0, reason: nil)), nil,
            "the pace is back to what the budget allows"
        ),
        (event(.burnEnded(arm: 0, reason: .periodEnded)), nil, "the period has ended"),
        (
            event(.burnEnded(arm: 0, reason: .turnedOff)), nil,
            "alerts about its pace are turned off"
        ),
        (
            event(.burnEnded(arm: 0, reason: .budgetRemoved)), nil,
            "the budget is no longer configured"
        ),
        (event(.forecastEnded(reason: nil)), nil, "the projection is back within the limit"),
        (
            event(.forecastEnded(reason: .turnedOff)), nil,
            "alerts about its projection are turned off"
        ),
        (event(.deniedEnded(reason: nil)), nil, "no call was denied for five minutes"),
        (event(.deniedEnded(reason: .turnedOff)), nil, "the budget denies no calls any more"),
        (
            event(.deniedEnded(reason: .budgetRemoved)), nil, "the budget is no longer configured"
        ),
    ]

    @Test func `an end says why, and how much of which limit is used`() {
        for (event, told, words) in Self.endings {
            #expect(BudgetAlerts.resolution(event, told: told, now: Self.now) == words)
        }
        #expect(
            BudgetAlerts.resolution(
                Self.event(.forecastEnded(reason: nil)), told: nil,
                now: Self.now + 30 * 86_400 * 1_000_000_000) == "the period has ended")
    }

    @Test func `an alert that nothing stands for after a start says what became of it`() {
        func check(
            _ key: String, _ kind: AlertKind, _ words: String, rolling: Bool = false,
            threshold: String? = nil, at now: Int64 = Self.now,
            _ change: (inout BudgetDefinition) -> Void = { _ in }
        ) {
            var budget = Self.budget(rolling: rolling)
            change(&budget)
            let found = BudgetAlerts.resolution(
                ofKey: key, kind, told: Self.told(rolling: rolling, threshold: threshold),
                budget: budget, now: now)
            #expect(found == words)
        }
        let key = "budget_threshold/b/all/2026-11/0.9"
        check(key, .budgetThreshold, "the budget was changed", threshold: "0.9")
        check(key, .budgetThreshold, "threshold 0.7 is no longer configured", threshold: "0.7")
        let later = Self.now + 30 * 86_400 * 1_000_000_000
        check(key, .budgetThreshold, "the period has ended", threshold: "0.7", at: later)
        // The window of a rolling budget has no end that would end its alert.
        let rolling = "budget_threshold/b/all/rolling-6h/0.9/1795168800"
        check(
            rolling, .budgetThreshold, "threshold 0.7 is no longer configured", rolling: true,
            threshold: "0.7", at: later)
        check(
            rolling, .budgetThreshold, "the budget was changed", rolling: true, threshold: "0.9",
            at: later)
        let burn = "budget_burn/b/all/2026-11"
        check(burn, .budgetBurn, "the budget was changed")
        check(burn, .budgetBurn, "alerts about its pace are turned off") { $0.burns = false }
        let forecast = "budget_forecast/b/all/2026-11"
        check(forecast, .budgetForecast, "the projection is back within the limit")
        check(forecast, .budgetForecast, "alerts about its projection are turned off") {
            $0.forecasts = false
        }
        let denied = "budget_denied/b/all/2026-11"
        check(denied, .budgetDenied, "no call was denied since the restart")
        check(denied, .budgetDenied, "the budget denies no calls any more") {
            $0.enforcement?.mode = .observe
        }
        #expect(
            BudgetAlerts.resolution(
                ofKey: key, .budgetThreshold, told: Self.told(), budget: nil, now: later)
                == "the budget is no longer configured")
    }
}
