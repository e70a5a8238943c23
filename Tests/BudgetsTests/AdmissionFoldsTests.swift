import Aggregation
import Ledger
import TestSupport
import Testing
import Usage

@testable import Budgets

@Suite struct AdmissionFoldsTests {
    private func harness(_ each: [Dimension] = [.tenant], pauses: Bool = false) throws
        -> BudgetHarness
    {
        var budget = BudgetHarness.budget(10, each: each, kind: .day)
        budget.enforcement = Enforcement()
        budget.enforcement?.pausesAutomatically = pauses
        let harness = try BudgetHarness([budget])
        try harness.tick()
        return harness
    }

    private func check(
        _ harness: BudgetHarness, _ dollars: Int64, _ tenant: String = "a",
        _ conversation: String = ""
    ) -> AdmissionDecision {
        var (event, _) = harness.event(0, tenant: tenant)
        var rows = EventRows()
        if !conversation.isEmpty {
            event.conversation = rows.append(Array(conversation.utf8).span)
        }
        return harness.engine.check(
            AdmissionRequest(
                event: event, rows: rows, estimate: NanoUSD(nanos: dollars * 1_000_000_000)),
            now: harness.now)
    }

    private func lines(_ harness: BudgetHarness) -> [String] {
        harness.engine.takeFolds(now: harness.now).map { String(decoding: $0.json, as: UTF8.self) }
    }

    @Test func `denials fold to one line a budget, scope, reason and minute, once it is over`()
        throws
    {
        let harness = try harness()
        try harness.commit([harness.event(7), harness.event(9, tenant: "b")])
        for _ in 0..<3 { #expect(check(harness, 4).verdict == .deny) }
        #expect(check(harness, 1).verdict == .throttle)
        #expect(check(harness, 2, "b").verdict == .deny)
        #expect(check(harness, 1, "c").verdict == .allow)
        #expect(harness.engine.hasFolds && lines(harness) == [])
        harness.advance(seconds: 60)
        let start = #""timestamp":"2026-11-20T10:01:00Z","budget":"b","tenant""#
        func rest(_ spent: String, _ count: Int) -> String {
            #""spent_usd":"\#(spent)","limit_usd":"10.00","daily_spend":"\#(spent)","#
                + #""daily_budget":"10.00","count":\#(count)}"#
        }
        #expect(
            Set(lines(harness)) == [
                #"{"event":"budget_deny",\#(start):"a","reason":"hard_limit",\#(rest("7.00", 3))"#,
                #"{"event":"budget_deny",\#(start):"b","reason":"hard_limit",\#(rest("9.00", 1))"#,
                #"{"event":"budget_throttle",\#(start):"a","reason":"soft_limit",\#(rest("7.00", 1))"#,
            ])
        #expect(!harness.engine.hasFolds && lines(harness) == [])
    }

    @Test func `past ten thousand scopes further ones count with their budget`() throws {
        var folds = AdmissionFolds()
        for number in 0..<AdmissionFolds.countMax + 5 {
            let key = AdmissionFolds.Key(
                budget: "b", values: .init(NameID(number + 1)), reason: .hardLimit, minute: 1)
            folds.note(key, limit: .zero, spent: .zero) { values in
                AdmissionFold(
                    verdict: .deny, reason: .hardLimit, budget: "b",
                    scope: values[0] == 0 ? [] : [(.tenant, "t\(values[0])")], period: "day",
                    limit: .zero, spent: .zero, endsAt: 120)
            }
        }
        let taken = folds.take(endedBy: 120)
        #expect(taken.count == AdmissionFolds.countMax + 1)
        #expect(taken.first { $0.scope.isEmpty }?.count == 5)
    }

    @Test func `a paused conversation is denied, others leave no name behind`() throws {
        let harness = try harness([.conversation], pauses: true)
        try harness.commit([harness.event(11, conversation: "loop")])
        #expect(check(harness, 0, "a", "loop").reason == .paused)
        let before = harness.names.count
        for number in 0..<200 {
            #expect(check(harness, 1, "a", "c\(number)").verdict == .allow)
        }
        #expect(harness.names.count == before)
        try harness.restart(harness.engine.definitions)
        #expect(check(harness, 0, "a", "loop").reason == .paused)
        harness.advance(seconds: 60)
        #expect(check(harness, 0, "a", "c1").verdict == .allow)
        #expect(check(harness, 0, "a", "loop").pause?.value == "loop")
    }
}
