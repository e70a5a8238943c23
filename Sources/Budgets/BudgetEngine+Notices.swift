internal import Aggregation
internal import SQLite
internal import Synchronization
internal import Usage

/// What is open of the alerts that time tells: calls of a scope that are denied again and again,
/// and a projection past the limit. It is kept in memory; after a start the first look finds again
/// what still holds, and the rest ends.
struct BudgetNotices: Sendable {
    struct Open: Sendable {
        var event: BudgetEvent
        /// When it was told last, for the cooldown.
        var toldAt: Int64
        var isOpen = true
    }

    struct ScopeName: Hashable, Sendable {
        let budget: String
        let scope: String
    }

    var denied: [ScopeName: Open] = [:]
    var forecast: [ScopeName: Open] = [:]
    var nextForecast: Int64 = 0

    var open: [BudgetEvent] {
        (Array(denied.values) + Array(forecast.values)).filter(\.isOpen).map(\.event)
    }

    /// Projections are looked at this often, and at once after a start and a reload.
    static let forecastNanos: Int64 = 600 * 1_000_000_000
    /// Scopes of highest utilisation that are projected.
    static let forecastsMax = 1000
    /// Of its period must have passed before a projection is told: `1 / forecastPart`.
    static let forecastPart: Int64 = 10
    /// An open one ends under so many hundredths of the limit.
    static let forecastEndsBelow: Int64 = 95
}

// Runs in the ticks of the writer; what changes holds once the transaction is committed.
extension BudgetEngine {
    /// Calls that keep being denied, and scopes where that is over.
    func denialEvents(now: Int64) -> [BudgetEvent] {
        let entries = admission.withLock { $0.denials.entries }
        guard !entries.isEmpty || !notices.denied.isEmpty else { return [] }
        let tables = book.withLock { $0.tables }
        var changed = pendingNotices ?? notices
        var events: [BudgetEvent] = []
        var over: [DenialLog.Place] = []
        var seen: Set<BudgetNotices.ScopeName> = []
        for (place, entry) in entries.sorted(by: { $0.key.budget < $1.key.budget }) {
            let count = entry.count(now: now)
            guard let table = tables.first(where: { $0.definition.name == place.budget }) else {
                over.append(place)
                continue
            }
            let scope = scope(place, entry, table)
            let name = BudgetNotices.ScopeName(budget: place.budget, scope: scope.text)
            if count == 0 { over.append(place) } else { seen.insert(name) }
            let known = changed.denied[name]
            guard count >= DenialLog.countMin, known?.isOpen != true,
                known.map({ now >= $0.toldAt + table.definition.cooldownNanos }) ?? true
            else { continue }
            let event = event(.denied(count: count), scope, table.current, table)
            changed.denied[name] = BudgetNotices.Open(event: event, toldAt: now)
            events.append(event)
        }
        for (name, known) in changed.denied where !seen.contains(name) {
            if known.isOpen {
                let budget = tables.first { $0.definition.name == name.budget }?.definition
                let reason: ResolveReason? =
                    budget.map { $0.enforcement?.mode == .enforce ? nil : .turnedOff }
                    ?? .budgetRemoved
                events.append(known.event.with(.deniedEnded(reason: reason)))
            }
            changed.denied[name]?.isOpen = false
            if now >= known.toldAt + known.event.budget.cooldownNanos {
                changed.denied[name] = nil
            }
        }
        admission.withLock { $0.denials.forget(over) }
        pendingNotices = changed
        return events
    }

    private func scope(
        _ place: DenialLog.Place, _ entry: DenialLog.Entry, _ table: BudgetTable
    ) -> BudgetScope {
        if let number = table.scopeNumbers[place.values] { return table.scopes[number] }
        // Denied before it ever spent.
        let text = ScopeText.write(
            table.names.values(place.values, each: table.definition.each))
        return BudgetScope(
            values: place.values, text: text, base: entry.limit, override: nil, notifiedAt: [])
    }

    /// Budgets that ask for it and whose projection has passed the limit, or has come back.
    ///
    /// - Parameter isForced: looks although the last look was a moment ago.
    func forecastEvents(
        in database: borrowing Database, now: Int64, isForced: Bool
    ) throws(SQLiteError) -> [BudgetEvent] {
        var changed = pendingNotices ?? notices
        guard isForced || now >= changed.nextForecast else { return [] }
        changed.nextForecast = now + BudgetNotices.forecastNanos
        defer { pendingNotices = changed }
        let isAsked = book.withLock { $0.tables.contains { $0.definition.forecasts } }
        guard isAsked || !changed.forecast.isEmpty else { return [] }
        let forecasts =
            isAsked
            ? try forecasts(
                countMax: BudgetNotices.forecastsMax, now: now, in: database, where: \.forecasts)
            : []
        var events: [BudgetEvent] = []
        var holding: Set<BudgetNotices.ScopeName> = []
        for forecast in forecasts {
            let status = forecast.status
            let name = BudgetNotices.ScopeName(
                budget: status.budget.name, scope: status.scopeText)
            // Of a period that has just ended: what was open of it ends below.
            guard status.period.end > now / 1_000_000_000 else { continue }
            let known = changed.forecast[name]
            let isSamePeriod = known?.event.period == status.period
            if let known, known.isOpen, isSamePeriod {
                if forecast.isStillHigh { holding.insert(name) }
                continue
            }
            guard forecast.isNewlyHigh(now: now / 1_000_000_000) else { continue }
            if let known, isSamePeriod, now < known.toldAt + status.budget.cooldownNanos {
                continue
            }
            if let known, known.isOpen {
                let isOver = known.event.period.end <= now / 1_000_000_000
                events.append(
                    known.event.with(.forecastEnded(reason: isOver ? nil : .budgetChanged)))
            }
            let event = BudgetEvent(
                kind: .forecast(forecast.projection), budget: status.budget, scope: status.scope,
                scopeText: status.scopeText, period: status.period, spent: status.spent,
                limit: status.limit)
            changed.forecast[name] = BudgetNotices.Open(event: event, toldAt: now)
            events.append(event)
            holding.insert(name)
        }
        for (name, known) in changed.forecast where !holding.contains(name) {
            if known.isOpen {
                let budget = definitions.first { $0.name == name.budget }
                let reason: ResolveReason? =
                    budget.map { $0.forecasts ? nil : .turnedOff } ?? .budgetRemoved
                events.append(known.event.with(.forecastEnded(reason: reason)))
            }
            changed.forecast[name]?.isOpen = false
            if known.event.period.end <= now / 1_000_000_000 { changed.forecast[name] = nil }
        }
        return events
    }

    /// What is told of a scope that is named by its values, whether or not it has spent.
    public func status(of budget: String, scope values: [String]) -> BudgetStatus? {
        admission.withLock { state in
            book.withLock { book in
                guard let index = book.tables.firstIndex(where: { $0.definition.name == budget }),
                    let key = book.tables[index].names.find(
                        values, each: book.tables[index].definition.each),
                    let number = book.tables[index].scopeNumbers[key]
                else { return nil }
                return status(
                    book.tables[index], book.tables[index].scopes[number],
                    reserved: state.reserved(index, number))
            }
        }
    }
}

extension BudgetForecast {
    fileprivate func isNewlyHigh(now: Int64) -> Bool {
        let length = status.period.end - status.period.start
        return now - status.period.start >= length / BudgetNotices.forecastPart
            && status.spent < status.limit && projection.projected > status.limit
    }

    fileprivate var isStillHigh: Bool {
        Int128(projection.projected.nanos) * 100
            >= Int128(status.limit.nanos) * Int128(BudgetNotices.forecastEndsBelow)
    }
}

extension BudgetEvent {
    func with(_ kind: Kind) -> BudgetEvent {
        BudgetEvent(
            kind: kind, budget: budget, scope: scope, scopeText: scopeText, period: period,
            spent: spent, limit: limit)
    }
}
