public import Budgets
public import SQLite
internal import Usage

// Denials, projections and pauses.
extension BudgetAlerts {
    static func deniedAlert(_ event: BudgetEvent, _ count: Int, id: String, now: Int64) -> Alert {
        let whose = subject(event).map { " of \($0)" } ?? ""
        return Alert(
            id: id, dedupKey: dedupKey(event), kind: .budgetDenied, severity: .warning,
            title: "calls\(whose) are denied by \(event.budget.name)",
            summary:
                "\(count) and more within five minutes; \(MoneyText.dollars(event.spent)) of "
                + "\(MoneyText.dollars(event.limit)) is used, and callers keep asking",
            startsAt: now, budget: budgetPart(event, now: now))
    }

    static func forecastAlert(
        _ event: BudgetEvent, _ projection: Projection, id: String, now: Int64
    ) -> Alert {
        var budget = budgetPart(event, now: now)
        budget.forecast = projection.projected
        budget.breachAt = projection.breachAt
        let clock = LocalClock(event)
        var summary =
            "\(MoneyText.dollars(event.spent)) of \(MoneyText.dollars(event.limit)) "
            + "\(clock.periodWord); projected \(MoneyText.rough(projection.projected)) by "
            + "\(clock.endWord) (\(MoneyText.rough(projection.low)) to "
            + "\(MoneyText.rough(projection.high)))"
        if let breachAt = projection.breachAt {
            summary += ", over the limit \(clock.moment(breachAt))"
        }
        return Alert(
            id: id, dedupKey: dedupKey(event), kind: .budgetForecast, severity: .warning,
            title: subject(event).map { "\($0) is on the way past \(event.budget.name)" }
                ?? "\(event.budget.name) is on the way past its limit",
            summary: summary, startsAt: now, budget: budget)
    }
}

extension AlertRecorder {
    /// Tells of a pause by hand. Its key ends in the second in which it began.
    public func record(
        pause: ScopePause, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let base = "budget_paused/manual/\(pause.scopeText)/\(pause.since / 1_000_000_000)"
        var (key, count) = (base, 1)
        while try AlertTable.isKnown(key, in: database) {
            count += 1
            key = "\(base)/\(count)"
        }
        let reason = pause.reason.isEmpty ? "paused by hand" : pause.reason
        try raise(
            Alert(
                id: newID("alr_"), dedupKey: key, kind: .budgetPaused, severity: .critical,
                title: "\(pause.dimension) \(pause.value) is paused",
                summary: "\(reason); calls are denied until it is unpaused", startsAt: now,
                details: [
                    Alert.Detail("dimension", pause.dimension.description),
                    Alert.Detail("value", pause.value),
                    Alert.Detail(pause.dimension.description, pause.value),
                ]), in: database, now: now)
    }

    /// Ends what was told of the pause, by hand or by a budget. Whoever was told of the pause is
    /// told of its end.
    public func record(
        release: ScopePause, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        // budget_paused/BUDGET/SCOPE/PERIOD; none of these holds a slash.
        for key in try AlertTable.firingKeys(of: .budgetPaused, in: database) {
            let parts = key.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count > 2, parts[2] == release.scopeText else { continue }
            try resolve(
                key, "unpaused; its calls are let through again", tellsAll: true, in: database,
                now: now)
        }
    }
}
