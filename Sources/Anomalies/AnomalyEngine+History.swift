internal import Aggregation
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// How far the detectors have got in learning from stored history.
///
/// History that arrives (the first start on an old store, `costgauge ingest` of the past) is learnt
/// from the ledger's roll-ups, some days of it in each tick, once nothing more has arrived for a
/// while and a checkpoint has put it into the roll-ups. A quarter hour is fed as equal windows:
/// that smooths what the shortest horizon sees and changes nothing for the others.
struct HistoryProgress {
    static let spanSeconds: Int64 = 28 * 86_400
    static let quietNanos: Int64 = 30_000_000_000
    /// Series are rebuilt when they would know this much more, in days.
    static let gainDays = 0.5

    private var arrivedAt: Int64?
    private var isCheckpointed = false
    /// What was learnt waits for its transaction.
    private var isAdopted = false
    /// The store says that some history is not learnt yet; a change of that waits for its
    /// transaction.
    private var isMarked = false
    private var marking: Bool?
    /// What was learnt so far, and the first second that was not.
    var rebuilt: Watch?
    var nextSecond: Int64 = 0

    var isRunning: Bool { rebuilt != nil }
    /// More arrived since learning began, or it has not begun: there is something left to learn.
    var hasUnlearnt: Bool { arrivedAt != nil }

    mutating func arrived(now: Int64) {
        arrivedAt = max(arrivedAt ?? .min, now)
        isCheckpointed = false
    }

    mutating func checkpointed() { isCheckpointed = true }

    /// Rows came after the last checkpoint: they are in no roll-up yet.
    mutating func replayed() { isCheckpointed = false }

    func isDue(now: Int64) -> Bool {
        guard let arrivedAt else { return false }
        return isCheckpointed && now - arrivedAt >= Self.quietNanos
    }

    mutating func begin(_ watch: Watch, at second: Int64) {
        arrivedAt = nil
        rebuilt = watch
        nextSecond = second
    }

    mutating func adopt() { isAdopted = true }

    /// Written once, and not with every commit of a long history.
    var mustMark: Bool { !(marking ?? isMarked) }

    mutating func mark(_ hasUnlearnt: Bool) { marking = hasUnlearnt }

    mutating func committed() {
        if isAdopted { rebuilt = nil }
        isAdopted = false
        if let marking { isMarked = marking }
        marking = nil
    }

    mutating func rolledBack() {
        isAdopted = false
        marking = nil
    }
}

extension AnomalyEngine {
    /// A tick learns for so long before events have their turn again.
    private static let learnNanos: UInt64 = 50_000_000

    /// Learns some more days, and at the end puts what was learnt into force. The windows of the
    /// quarter hour that is not over are not fed.
    func learnHistory(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        let span = max(settings.windowSeconds, RollUpsTable.seconds)
        let end = floorDivide(watch.frozenUntil, span) * span
        if !history.isRunning {
            let oldest = try RollUpsTable.oldest(in: database) ?? .max
            let first = max(
                (end - HistoryProgress.spanSeconds) / 86_400,
                min(oldest, end / RollUpsTable.seconds * RollUpsTable.seconds) / 86_400)
            history.begin(
                Watch(dimensions: settings.dimensions.count), at: min(first * 86_400, end))
        }
        guard var rebuilt = history.rebuilt else { return }
        let started = time.monotonicNanos
        while history.nextSecond < end {
            let until = min(history.nextSecond + 86_400, end)
            try learn(from: history.nextSecond, until: until, &rebuilt, database)
            history.rebuilt = rebuilt
            history.nextSecond = until
            if time.monotonicNanos - started >= Self.learnNanos { return }
        }
        var next = watch
        adopt(rebuilt, into: &next)
        try store(next, in: database, now: now, must: true)
        // What arrived while this was learnt may be missing in it.
        if !history.hasUnlearnt { try markUnlearnt(false, in: database) }
        history.adopt()
        pendingWatch = next
    }

    /// A restart before it is learnt, as after `ingest` into a stopped directory, learns it.
    func markUnlearnt(_ hasUnlearnt: Bool, in database: borrowing Database) throws(SQLiteError) {
        try AnomalyTables.setMeta(Self.unlearnt, hasUnlearnt ? "1" : "0", in: database)
        history.mark(hasUnlearnt)
    }

    /// Feeds the windows of the roll-ups from one moment to another.
    private func learn(
        from: Int64, until: Int64, _ rebuilt: inout Watch, _ database: borrowing Database
    ) throws(SQLiteError) {
        // A window takes whole quarters, or a quarter is several windows.
        let span = max(settings.windowSeconds, RollUpsTable.seconds)
        var sums: [Int64: WindowSums] = [:]
        var reader = reader
        try RollUpsTable.readSums(since: from, until: until, from: database) { event, row in
            var added = WindowSums.Sums()
            added.events = row.events
            added.cost = max(0, row.cost)
            added.largest = row.largest
            added.tokens = row.tokens
            let start = floorDivide(event.timestamp / 1_000_000_000, span) * span
            sums[start, default: WindowSums()].add(reader.key(of: event), added)
        }
        let parts = span / settings.windowSeconds
        for start in stride(from: from, to: until, by: Int(span)) {
            learn(sums[start] ?? WindowSums(), at: start, parts: parts, until: until, &rebuilt)
        }
    }

    private func learn(
        _ sums: WindowSums, at start: Int64, parts: Int64, until: Int64, _ rebuilt: inout Watch
    ) {
        let spend = distribute(sums, over: &rebuilt, start: start)
        for part in 0..<parts {
            let begin = start + part * settings.windowSeconds
            guard begin < until else { return }
            learn(spend, at: begin, share: Double(parts), &rebuilt)
        }
    }

    /// Feeds every series a window without telling anybody; `spend` is that of `share` windows.
    func learn(
        _ spend: [WindowSums.Sums], at start: Int64, share: Double, _ rebuilt: inout Watch
    ) {
        for place in rebuilt.series.indices {
            let sums = spend[place]
            let cost = Double(sums.cost) / 1e9 / share
            let events = Double(sums.events) / share
            let largest = Double(sums.largest) / 1e9
            _ = rebuilt.series[place].step(
                start: start, cost: cost, events: events, largest: largest, model)
            if !settings.rules.isEmpty {
                _ = rebuilt.days[place].step(
                    start: start, cost: cost, events: events, rules: settings.rules,
                    policy: settings.spend)
            }
            learnPrice(place, sums, at: start, &rebuilt)
        }
    }

    private func learnPrice(
        _ place: Int, _ sums: WindowSums.Sums, at start: Int64, _ rebuilt: inout Watch
    ) {
        let key = rebuilt.series[place].key
        guard settings.dimensions[key.dimension] == .model, key.name != NameTable.other,
            sums.tokens >= Self.priceTokensMin, sums.cost > 0
        else { return }
        _ = rebuilt.prices[key, default: PriceWatch()].step(
            start: start, price: Double(sums.cost) / 1e6 / Double(sums.tokens))
    }

    /// Takes over the series that know more than ours. What they would have told is past, so their
    /// own cooldowns begin anew.
    private func adopt(_ rebuilt: Watch, into next: inout Watch) {
        for place in rebuilt.series.indices {
            var learnt = rebuilt.series[place]
            learnt.spend.forgetAlerts()
            learnt.surge = SurgeTest(record: learnt.surge.record)
            learnt.newUntil = 0
            guard let known = next.index[learnt.key] else {
                guard hasRoom(learnt.key.dimension, next) || learnt.key.name == NameTable.other
                else { continue }
                _ = next.append(learnt, days: rebuilt.days[place].forgettingAlerts)
                next.prices[learnt.key] = rebuilt.prices[learnt.key]
                continue
            }
            guard
                learnt.spend.age > next.series[known].spend.age + HistoryProgress.gainDays
            else { continue }
            next.series[known] = learnt
            next.days[known] = rebuilt.days[place].forgettingAlerts
            next.prices[learnt.key] = rebuilt.prices[learnt.key] ?? next.prices[learnt.key]
        }
    }
}

extension SpendDetector {
    /// As if nothing had been told.
    mutating func forgetAlerts() {
        lastAlert = -1e18
        lastRank = 0
    }
}

extension DayTotals {
    var forgettingAlerts: DayTotals {
        var copy = self
        copy.lastAlert = -1e18
        return copy
    }
}
