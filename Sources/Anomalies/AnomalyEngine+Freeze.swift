internal import Aggregation
internal import SQLite
internal import Usage
internal import Wire

// A window's end: its snapshot, its series, and what the detectors say.
extension AnomalyEngine {
    /// Freezes the window that begins at `start`. Answers what is to be told.
    func freeze(
        _ start: Int64, _ next: inout Watch, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [AnomalyEvent] {
        let width = settings.windowSeconds
        let sums = open[start] ?? WindowSums()
        let isComplete = !gap.overlaps(start..<start + width)
        var tables = try FreezeTables(database)
        try tables.write(
            width: width, start: start, isComplete: isComplete, total: sums.total, now: now)
        let spend = distribute(sums, over: &next, start: start)
        for (place, sums) in spend.enumerated() where sums.events > 0 {
            let key = next.series[place].key
            try tables.write(
                width: width, start: start,
                dimension: settings.dimensions[key.dimension].description, name: key.name, sums)
        }
        next.frozenUntil = start + width
        var events: [AnomalyEvent] = []
        if isComplete {
            let window = FrozenWindow(start: start, sums: sums, spend: spend)
            let candidates = judge(window, &next)
            events = try tell(candidates, window, &next, in: database, now: now)
        }
        try rollUp(next.frozenUntil, &next, in: database, now: now)
        return events
    }

    /// Closes the hour and the day that end with a window.
    private func rollUp(
        _ end: Int64, _ next: inout Watch, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let width = settings.windowSeconds
        if end % 3600 == 0 {
            if width != 3600 {
                try AnomalyTables.roll(
                    from: width, to: 3600, start: end - 3600, in: database, now: now)
            }
            promote(&next, at: end)
        }
        if end % 86_400 == 0 {
            try AnomalyTables.roll(
                from: 3600, to: 86_400, start: end - 86_400, in: database, now: now)
            for index in next.pooled.indices { next.pooled[index].fade() }
        }
    }

    /// The spend of each series; values without one are given one while there is room.
    func distribute(
        _ sums: WindowSums, over next: inout Watch, start: Int64
    ) -> [WindowSums.Sums] {
        var spend = [WindowSums.Sums](repeating: WindowSums.Sums(), count: next.series.count)
        for dimension in settings.dimensions.indices {
            let values = sums.byValue(of: dimension).sorted {
                ($1.value.cost, $0.key) < ($0.value.cost, $1.key)
            }
            for (name, sums) in values {
                let place = place(of: name, dimension, &next, start: start, cost: sums.cost)
                if place == spend.count { spend.append(WindowSums.Sums()) }
                spend[place].add(sums)
                next.series[place].lastSpend = start
            }
        }
        return spend
    }

    func place(
        of name: NameID, _ dimension: Int, _ next: inout Watch, start: Int64, cost: Int64
    ) -> Int {
        let key = Series.Key(dimension: dimension, name: name)
        if let known = next.index[key] { return known }
        let other = Series.Key(dimension: dimension, name: NameTable.other)
        if hasRoom(dimension, next) || name == NameTable.other {
            return next.append(newSeries(key, next, start: start))
        }
        next.pooled[dimension].add(name, cost)
        return next.index[other] ?? next.append(newSeries(other, next, start: start))
    }

    func hasRoom(_ dimension: Int, _ next: Watch) -> Bool {
        let count = next.series.count {
            $0.key.dimension == dimension && $0.key.name != NameTable.other
        }
        return count < settings.seriesMax
    }

    private func newSeries(_ key: Series.Key, _ next: Watch, start: Int64) -> Series {
        var series = Series(key: key, since: start)
        // While everybody is new, nobody is.
        if next.age >= settings.spend.warmupDays, key.name != NameTable.other {
            series.newUntil = start + 86_400
        }
        return series
    }

    /// Large spenders among the pooled values take the places of small ones.
    private func promote(_ next: inout Watch, at end: Int64) {
        for dimension in next.pooled.indices {
            for _ in 0..<16 {
                guard let large = next.pooled[dimension].largest,
                    let place = smallest(dimension, next),
                    Double(large.cost) / 1e9 > 2 * next.series[place].spend.dayCost
                else { break }
                next.pooled[dimension].remove(large.name)
                let key = Series.Key(dimension: dimension, name: large.name)
                next.replace(place, with: newSeries(key, next, start: end))
            }
        }
    }

    private func smallest(_ dimension: Int, _ next: Watch) -> Int? {
        next.series.indices.filter { place in
            let key = next.series[place].key
            return key.dimension == dimension && key.name != NameTable.other
                && !next.active.keys.contains { $0.series == key }
        }.min { next.series[$0].spend.dayCost < next.series[$1].spend.dayCost }
    }

    /// States are stored this often; what was frozen since is learnt again from the snapshots.
    private static let storeNanos: UInt64 = 30_000_000_000

    /// Writes how far the windows are frozen and, not with every one of a quick succession, the
    /// states of the detectors that have seen them.
    func store(
        _ next: Watch, in database: borrowing Database, now: Int64, must: Bool = false
    ) throws(SQLiteError) {
        for (count, number) in next.counts where watch.counts[count] != number {
            var insert = try database.prepare(
                "insert or replace into anomaly_counts values (?, ?, ?)")
            try insert.bind(1, count.kind)
            try insert.bind(2, Int64(count.grade.rawValue))
            try insert.bind(3, number)
            try insert.run()
        }
        try AnomalyTables.setMeta("frozen_until", String(next.frozenUntil), in: database)
        try AnomalyTables.setMeta("alive_ns", String(now), in: database)
        let gone = watch.index.keys.filter { next.index[$0] == nil }
        let monotonic = time.monotonicNanos
        if let storedAt, monotonic - storedAt < Self.storeNanos, gone.isEmpty, !must { return }
        storedAt = monotonic
        for key in gone {
            var delete = try database.prepare(
                "delete from anomaly_series where dimension = ? and name = ?")
            try delete.bind(1, settings.dimensions[key.dimension].description)
            try delete.bind(2, Int64(key.name))
            try delete.run()
        }
        var tables = try FreezeTables(database)
        for place in next.series.indices {
            let key = next.series[place].key
            try tables.write(
                next.series[place], days: settings.rules.isEmpty ? nil : next.days[place],
                price: next.prices[key],
                dimension: settings.dimensions[key.dimension].description)
        }
        try AnomalyTables.setMeta("states_until", String(next.frozenUntil), in: database)
    }
}

/// A window as the detectors see it.
struct FrozenWindow {
    let start: Int64
    let sums: WindowSums
    /// By the series' place.
    let spend: [WindowSums.Sums]
}
