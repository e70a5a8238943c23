public import Budgets
internal import TimeZones
internal import Usage
internal import Wire

/// The words and keys of alerts about budgets.
public enum BudgetAlerts {
    /// What a budget event says, or nil when it only ends an earlier alert.
    public static func alert(_ event: BudgetEvent, id: String, now: Int64) -> Alert? {
        switch event.kind {
        case .crossed(let threshold, let crossed, _), .recorded(let threshold, let crossed):
            var budget = budgetPart(event, now: now)
            budget.threshold = threshold.text
            budget.crossed = crossed.map(\.text)
            var status = AlertStatus.firing
            if case .recorded = event.kind { status = .recorded }
            return Alert(
                id: id, dedupKey: dedupKey(event), kind: .budgetThreshold, status: status,
                severity: crossed.map(\.severity).max().map { max($0, threshold.severity) }
                    ?? threshold.severity,
                title: usedTitle(event),
                summary: usedSummary(event, budget, now: now), startsAt: now, budget: budget)
        case .burning(let secondsLeft, _):
            var budget = budgetPart(event, now: now)
            budget.breachAt = now / 1_000_000_000 + secondsLeft
            return Alert(
                id: id, dedupKey: dedupKey(event), kind: .budgetBurn, severity: .critical,
                title: subject(event).map { "\($0) is burning through \(event.budget.name)" }
                    ?? "\(event.budget.name) is burning down",
                summary: burnSummary(event, secondsLeft: secondsLeft), startsAt: now, budget: budget
            )
        case .paused:
            return Alert(
                id: id, dedupKey: dedupKey(event), kind: .budgetPaused, severity: .critical,
                title: "\(subject(event) ?? event.budget.name) is paused",
                summary:
                    "\(MoneyText.dollars(event.spent)) of \(MoneyText.dollars(event.limit)) of "
                    + "\(event.budget.name) is spent; calls are denied until it is unpaused",
                startsAt: now, budget: budgetPart(event, now: now))
        case .denied(let count): return deniedAlert(event, count, id: id, now: now)
        case .forecast(let projection):
            return forecastAlert(event, projection, id: id, now: now)
        case .resolved, .burnEnded, .deniedEnded, .forecastEnded: return nil
        }
    }

    /// `budget_threshold/tenant-monthly/tenant=acme/2026-11/0.9`, and `/2` when it was re-armed
    /// once. A rolling budget has no periods: its keys end in the Unix second of the crossing.
    public static func dedupKey(_ event: BudgetEvent) -> String {
        switch event.kind {
        case .crossed(_, _, let arm), .resolved(_, let arm, _), .burning(_, let arm),
            .burnEnded(let arm, _):
            if event.budget.period.isRolling { return "\(baseKey(event))/\(arm)" }
            return baseKey(event) + (arm == 0 ? "" : "/\(arm + 1)")
        case .recorded, .paused, .denied, .deniedEnded, .forecast, .forecastEnded:
            return baseKey(event)
        }
    }

    /// The key without its count of re-arms: at most one alert of a base key fires at a time.
    public static func baseKey(_ event: BudgetEvent) -> String {
        let place =
            "\(PercentEncoding.encode(event.budget.name))/\(event.scopeText)/\(event.periodKey)"
        switch event.kind {
        case .crossed(let threshold, _, _), .resolved(let threshold, _, _),
            .recorded(let threshold, _):
            return "budget_threshold/\(place)/\(threshold.text)"
        case .paused: return "budget_paused/\(place)"
        case .burning, .burnEnded: return "budget_burn/\(place)"
        case .denied, .deniedEnded: return "budget_denied/\(place)"
        case .forecast, .forecastEnded: return "budget_forecast/\(place)"
        }
    }

    static func budgetPart(_ event: BudgetEvent, now: Int64) -> AlertBudget {
        let forecast = Forecast(event, now: now)
        return AlertBudget(
            name: event.budget.name,
            scope: event.scope.map {
                AlertBudget.Entry(dimension: $0.dimension.description, value: $0.value)
            },
            periodStart: event.period.start, periodEnd: event.period.end, limit: event.limit,
            spent: event.spent, threshold: nil, crossed: [], forecast: forecast?.amount,
            breachAt: forecast?.breachAt)
    }

    static func subject(_ event: BudgetEvent) -> String? {
        event.scope.isEmpty ? nil : event.scope.map(\.value).joined(separator: " / ")
    }

    private static func usedTitle(_ event: BudgetEvent) -> String {
        let percent = Int128(event.spent.nanos) * 100 / Int128(max(1, event.limit.nanos))
        let used = "\(percent)% of \(event.budget.name)"
        return subject(event).map { "\($0) has used \(used)" } ?? "\(used) is used"
    }

    private static func usedSummary(
        _ event: BudgetEvent, _ budget: AlertBudget, now: Int64
    ) -> String {
        let clock = LocalClock(event)
        var text = "\(MoneyText.dollars(event.spent)) of \(MoneyText.dollars(event.limit)) "
        text += event.period.contains(now / 1_000_000_000) ? clock.periodWord : clock.pastWord
        guard let forecast = budget.forecast else { return text }
        text += "; at this pace \(MoneyText.rough(forecast)) by \(clock.endWord)"
        if let breachAt = budget.breachAt { text += ", over the limit \(clock.moment(breachAt))" }
        return text
    }

    private static func burnSummary(_ event: BudgetEvent, secondsLeft: Int64) -> String {
        let rest = NanoUSD(nanos: max(0, event.limit.nanos - event.spent.nanos))
        let clock = LocalClock(event)
        return "\(MoneyText.dollars(event.spent)) of \(MoneyText.dollars(event.limit)) "
            + "\(clock.periodWord); at the present pace the remaining \(MoneyText.dollars(rest)) last "
            + "\(duration(secondsLeft)), and the period ends \(clock.endWord)"
    }

    private static func duration(_ seconds: Int64) -> String {
        switch seconds {
        case ..<90: "about a minute"
        case ..<5400: "about \((seconds + 30) / 60) minutes"
        case ..<129_600: "about \((seconds + 1800) / 3600) hours"
        default: "about \((seconds + 43_200) / 86_400) days"
        }
    }
}

/// Where the pace of the period so far leads.
struct Forecast {
    let amount: NanoUSD
    /// Unix seconds; nil when the pace stays within the limit, or the limit is passed already.
    let breachAt: Int64?

    /// Nil while too little of the period has passed to tell, and after its end.
    init?(_ event: BudgetEvent, now: Int64) {
        guard !event.budget.period.isRolling else { return nil }
        let seconds = now / 1_000_000_000
        let elapsed = seconds - event.period.start
        let length = event.period.end - event.period.start
        guard event.period.contains(seconds), elapsed >= max(600, length / 30) else { return nil }
        let nanos = Int128(event.spent.nanos) * Int128(length) / Int128(elapsed)
        // A guess: cents are more than enough.
        amount = NanoUSD(nanos: Int64(clamping: nanos / 10_000_000 * 10_000_000))
        let rest = event.limit.nanos - event.spent.nanos
        guard rest > 0, amount > event.limit else {
            breachAt = nil
            return
        }
        breachAt = seconds + Int64(Int128(rest) * Int128(elapsed) / Int128(event.spent.nanos))
    }
}

/// Moments in the words of a budget's own clock.
struct LocalClock {
    private let event: BudgetEvent
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    init(_ event: BudgetEvent) { self.event = event }

    var periodWord: String {
        if event.budget.period.isRolling {
            return "in the last \(event.budget.period.rollingText)"
        }
        return switch event.budget.period.kind {
        case .hour: "this hour"
        case .day: "today"
        case .week: "this week"
        case .month: "this month"
        case .quarter: "this quarter"
        case .year: "this year"
        }
    }

    /// For a period that is over: late events still count in it.
    var pastWord: String {
        let (first, last) = (date(event.period.start), date(event.period.end - 1))
        return switch event.budget.period.kind {
        case _ where event.budget.period.isRolling: periodWord
        case .hour: "in the hour from \(time(event.period.start)) on \(first)"
        case .day: "on \(first)"
        case .week, .month, .quarter, .year: "from \(first) to \(last)"
        }
    }

    /// The last day of a month or week, the end of a day or hour.
    var endWord: String {
        isShort ? time(event.period.end) : date(event.period.end - 1)
    }

    /// `on 22 Nov`, or for short periods `at 14:05`.
    func moment(_ seconds: Int64) -> String {
        isShort ? "at " + time(seconds) : "on " + date(seconds)
    }

    private var isShort: Bool {
        event.budget.period.kind == .hour || event.budget.period.kind == .day
    }

    private func date(_ seconds: Int64) -> String {
        let day = floorDivide(event.budget.period.zone.local(seconds), 86_400)
        let date = RFC3339.civil(daysSinceEpoch: Int(day))
        return "\(date.day) \(Self.months[date.month - 1])"
    }

    private func time(_ seconds: Int64) -> String {
        let local = event.budget.period.zone.local(seconds)
        let minutes = (local - floorDivide(local, 86_400) * 86_400) / 60
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(minutes / 60)):\(two(minutes % 60))"
    }
}
