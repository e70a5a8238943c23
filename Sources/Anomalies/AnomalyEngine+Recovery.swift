internal import Aggregation
public import SQLite
internal import Usage
internal import Wire

// How the watch comes back after a stop: the detectors' states as of the last frozen window, the
// open windows as of the last checkpoint. The events after it are replayed by the ledger.
extension AnomalyEngine {
    public func recover(from database: borrowing Database, now: Int64) throws(SQLiteError) {
        let seconds = now / 1_000_000_000
        let width = settings.windowSeconds
        let earliest = floorDivide(seconds - Self.catchUpSeconds, width) * width
        var next = Watch(dimensions: settings.dimensions.count)
        let stored = try AnomalyTables.meta("frozen_until", in: database).flatMap(Int64.init)
        let isSameWidth =
            try AnomalyTables.meta("window", in: database) == String(settings.windowSeconds)
        let isSameShape = try AnomalyTables.meta("dimensions", in: database) == shape
        try noteShape(in: database)
        next.nextID = (try database.integer("select max(id) from anomalies") ?? 0) + 1
        try loadCounts(database, into: &next)
        if isSameWidth { try loadSeries(database, into: &next) }
        try loadActive(database, into: &next)
        if let stored, isSameWidth {
            next.frozenUntil = max(stored, earliest)
            try catchUp(&next, until: stored, in: database)
            let alive = try AnomalyTables.meta("alive_ns", in: database).flatMap(Int64.init) ?? 0
            // A restart that is quicker than a window's lateness loses nothing: senders try again.
            if now - alive > settings.latenessNanos, !readsDowntime {
                gap = alive / 1_000_000_000..<seconds
            }
            if isSameShape {
                open = try AnomalyTables.readOpen(database).filter { $0.key >= next.frozenUntil }
            } else {
                gap = next.frozenUntil..<seconds
            }
            if try AnomalyTables.meta(Self.unlearnt, in: database) == "1" {
                history.mark(true)
                history.arrived(now: now - HistoryProgress.quietNanos)
                history.checkpointed()
            }
        } else {
            // Windows before the first start have no one to complete them.
            next.frozenUntil = max(floorDivide(seconds, 3600) * 3600, stored ?? 0)
            next.frozenUntil = floorDivide(next.frozenUntil, width) * width
            gap = next.frozenUntil..<seconds
            history.arrived(now: now - HistoryProgress.quietNanos)
            history.checkpointed()
            // A stop before all of it is learnt.
            try markUnlearnt(true, in: database)
            try AnomalyTables.setMeta("frozen_until", String(next.frozenUntil), in: database)
            try AnomalyTables.setMeta("alive_ns", String(now), in: database)
        }
        for width in Set([width, 3600, 86_400]) {
            frozenSince[width] = min(
                try AnomalyTables.oldestWindow(width: width, in: database) ?? .max,
                floorDivide(next.frozenUntil, width) * width)
        }
        watch = next
        publish()
    }

    private var shape: String { settings.dimensions.map(\.description).joined(separator: ",") }

    private func noteShape(in database: borrowing Database) throws(SQLiteError) {
        try AnomalyTables.setMeta("window", String(settings.windowSeconds), in: database)
        try AnomalyTables.setMeta("dimensions", shape, in: database)
    }

    private func loadCounts(
        _ database: borrowing Database, into next: inout Watch
    ) throws(SQLiteError) {
        var select = try database.prepare("select kind, grade, count from anomaly_counts")
        while try select.step() {
            guard let grade = AnomalyGrade(rawValue: Int(select.integer(1))) else { continue }
            next.counts[AnomalyCount(kind: select.text(0), grade: grade)] = select.integer(2)
        }
    }

    private func loadSeries(
        _ database: borrowing Database, into next: inout Watch
    ) throws(SQLiteError) {
        var loaded = next
        try AnomalyTables.readSeries(settings.dimensions, from: database) { series, days, price in
            _ = loaded.append(series, days: days ?? DayTotals())
            if let price { loaded.prices[series.key] = price }
        }
        next = loaded
    }

    /// Feeds the detectors the windows that were frozen after their states were stored. What those
    /// windows told is told.
    private func catchUp(
        _ next: inout Watch, until: Int64, in database: borrowing Database
    ) throws(SQLiteError) {
        let width = settings.windowSeconds
        guard let from = try AnomalyTables.meta("states_until", in: database).flatMap(Int64.init),
            from < until
        else { return }
        var windows: [Int64: [(Int, NameID, WindowSums.Sums)]] = [:]
        var select = try database.prepare(
            """
            select start, dimension, name, events, cost_nanousd, largest_nanousd, tokens
            from snapshots where width = ? and start >= ? and start < ?
            order by start, dimension, cost_nanousd desc, name
            """)
        for (index, value) in [width, from, until].enumerated() {
            try select.bind(Int32(index + 1), value)
        }
        while try select.step() {
            let text = select.text(1)
            guard let dimension = settings.dimensions.firstIndex(where: { $0.description == text })
            else { continue }
            var sums = WindowSums.Sums()
            sums.events = select.integer(3)
            sums.cost = select.integer(4)
            sums.largest = select.integer(5)
            sums.tokens = select.integer(6)
            windows[select.integer(0), default: []].append(
                (dimension, NameID(clamping: select.integer(2)), sums))
        }
        var complete = try database.prepare(
            """
            select start from snapshot_windows
            where width = ? and start >= ? and start < ? and complete = 1 order by start
            """)
        for (index, value) in [width, from, until].enumerated() {
            try complete.bind(Int32(index + 1), value)
        }
        while try complete.step() {
            let start = complete.integer(0)
            var spend = [WindowSums.Sums](repeating: .init(), count: next.series.count)
            for (dimension, name, sums) in windows[start] ?? [] {
                let place = place(of: name, dimension, &next, start: start, cost: sums.cost)
                if place == spend.count { spend.append(.init()) }
                spend[place].add(sums)
                next.series[place].lastSpend = start
            }
            learn(spend, at: start, share: 1, &next)
        }
    }

    private func loadActive(
        _ database: borrowing Database, into next: inout Watch
    ) throws(SQLiteError) {
        var loaded = next
        try AnomalyTable.active(
            { anomaly, horizon, lastSeen, name in
                // Without its dimension nobody would ever end it.
                let dimension = settings.dimensions.firstIndex(of: anomaly.dimension) ?? 0
                let key = Watch.OpenKey(
                    series: Series.Key(dimension: dimension, name: name), kind: anomaly.kind)
                loaded.active[key] = Watch.OpenAnomaly(
                    anomaly: anomaly, horizon: min(max(horizon, 0), 3), lastSeen: lastSeen)
            }, in: database)
        next = loaded
    }
}
