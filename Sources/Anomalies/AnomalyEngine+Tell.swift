internal import Aggregation
internal import SQLite
internal import Usage

// From what was found to what is told: once, for its cause, and again only when it grows.
extension AnomalyEngine {
    func tell(
        _ candidates: [Candidate], _ window: FrozenWindow, _ next: inout Watch,
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [AnomalyEvent] {
        var events: [AnomalyEvent] = []
        // The largest ratio is nearest to the cause; the others are its shadows.
        let ordered = candidates.sorted { left, right in
            left.ratio != right.ratio
                ? left.ratio > right.ratio
                : rank(left.place, next) < rank(right.place, next)
        }
        for candidate in ordered {
            let series = next.series[candidate.place].key
            let key = Watch.OpenKey(series: series, kind: candidate.kind)
            if var known = next.active[key] {
                known.lastSeen = window.start
                next.active[key] = known
                guard candidate.grade > known.anomaly.grade else { continue }
                events += try escalate(key, candidate, window, &next, in: database, now: now)
            } else {
                events += try begin(key, candidate, window, &next, in: database, now: now)
            }
        }
        return try events + end(window, &next, in: database, now: now)
    }

    /// Which dimension names a cause best, among equals.
    private func rank(_ place: Int, _ next: Watch) -> Int {
        switch settings.dimensions[next.series[place].key.dimension] {
        case .feature: 0
        case .user: 1
        case .tenant: 3
        case .model: 4
        default: 2
        }
    }

    private func begin(
        _ key: Watch.OpenKey, _ candidate: Candidate, _ window: FrozenWindow, _ next: inout Watch,
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [AnomalyEvent] {
        var anomaly = anomaly(candidate, window, next, id: next.nextID, now: now)
        next.nextID += 1
        anomaly.silence = try AnomalyTable.silence(of: anomaly, in: database, now: now)
        if anomaly.silence == nil, let cause = cause(of: anomaly, next) {
            anomaly.silence = .explained
            anomaly.cause = cause
        }
        next.active[key] = Watch.OpenAnomaly(
            anomaly: anomaly, horizon: candidate.horizon, lastSeen: window.start)
        next.counts[
            AnomalyCount(kind: anomaly.kind.description, grade: anomaly.grade), default: 0] += 1
        try write(key, next, in: database)
        return anomaly.silence == nil ? [AnomalyEvent(change: .fired, anomaly: anomaly)] : []
    }

    private func escalate(
        _ key: Watch.OpenKey, _ candidate: Candidate, _ window: FrozenWindow, _ next: inout Watch,
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [AnomalyEvent] {
        guard var open = next.active[key] else { return [] }
        let before = open.anomaly
        let new = anomaly(candidate, window, next, id: before.id, now: now)
        var silence = try AnomalyTable.silence(of: new, in: database, now: now)
        var reason: Int64?
        if before.silence == nil {
            // Told already, and snoozed since: it stays as it was told, so that its end is, too.
            guard silence == nil else { return [] }
        } else if silence == nil, let found = cause(of: new, next) {
            silence = .explained
            reason = found
        }
        open.horizon = candidate.horizon
        open.anomaly.grade = new.grade
        open.anomaly.observed = new.observed
        open.anomaly.expected = new.expected
        open.anomaly.ratio = new.ratio
        open.anomaly.spanSeconds = new.spanSeconds
        open.anomaly.title = new.title
        open.anomaly.summary = new.summary
        open.anomaly.top = new.top
        open.anomaly.silence = silence
        open.anomaly.cause = reason
        next.active[key] = open
        next.counts[AnomalyCount(kind: before.kind.description, grade: new.grade), default: 0] += 1
        try write(key, next, in: database)
        guard open.anomaly.silence == nil else { return [] }
        return [
            AnomalyEvent(
                change: before.silence == nil ? .escalated(from: before.dedupKey) : .fired,
                anomaly: open.anomaly)
        ]
    }

    private func end(
        _ window: FrozenWindow, _ next: inout Watch, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> [AnomalyEvent] {
        var events: [AnomalyEvent] = []
        for (key, open) in next.active.sorted(by: { $0.value.anomaly.id < $1.value.anomaly.id })
        where open.lastSeen < window.start {
            let reason = ending(
                open, next.index[key.series], next, at: window.start + settings.windowSeconds)
            guard let reason else { continue }
            next.active[key]?.anomaly.status = .resolved
            next.active[key]?.anomaly.endsAt = now
            try write(key, next, in: database)
            if let ended = next.active.removeValue(forKey: key)?.anomaly, ended.silence == nil {
                events.append(AnomalyEvent(change: .ended(reason: reason), anomaly: ended))
            }
        }
        return events
    }

    private func write(
        _ key: Watch.OpenKey, _ next: Watch, in database: borrowing Database
    ) throws(SQLiteError) {
        guard let open = next.active[key] else { return }
        try AnomalyTable.write(
            open.anomaly, horizon: open.horizon, lastSeen: open.lastSeen, name: key.series.name,
            in: database)
    }

    /// A spike, told or kept silent for a reason of its own, whose value has most of this one's
    /// spend.
    private func cause(of anomaly: Anomaly, _ next: Watch) -> Int64? {
        guard case .spike = anomaly.kind else { return nil }
        for contributor in anomaly.top where contributor.shareMille >= 500 {
            for open in next.active.values {
                guard case .spike(contributor.dimension) = open.anomaly.kind,
                    open.anomaly.id != anomaly.id, open.anomaly.value == contributor.value,
                    open.anomaly.silence != .explained
                else { continue }
                return open.anomaly.id
            }
        }
        return nil
    }
}

// The words.
extension AnomalyEngine {
    private func anomaly(
        _ candidate: Candidate, _ window: FrozenWindow, _ next: Watch, id: Int64, now: Int64
    ) -> Anomaly {
        let key = next.series[candidate.place].key
        let dimension = settings.dimensions[key.dimension]
        let contributors =
            candidate.kind == .drop ? [] : contributors(of: key, candidate.place, window, next)
        let words = AnomalyWords(
            candidate, subject: names.text(key.name), windowSeconds: settings.windowSeconds)
        var summary = words.summary
        if !contributors.isEmpty, candidate.kind != .priceShift,
            let behind = AnomalyWords.behind(contributors)
        {
            summary += "; " + behind
        }
        var anomaly = Anomaly(
            id: id, kind: candidate.kind, dimension: dimension, value: names.text(key.name),
            grade: candidate.grade, startsAt: window.start, detectedAt: now,
            observed: AnomalyWords.amount(candidate.observed),
            expected: AnomalyWords.amount(candidate.expected), ratio: candidate.ratio,
            spanSeconds: words.spanSeconds, title: words.title, summary: summary)
        anomaly.top = contributors
        return anomaly
    }

    /// The largest value of each other dimension, largest share first.
    private func contributors(
        of key: Series.Key, _ place: Int, _ window: FrozenWindow, _ next: Watch
    ) -> [Anomaly.Contributor] {
        let total = window.spend[place].cost
        guard total > 0 else { return [] }
        let isOther = key.name == NameTable.other
        var contributors: [Anomaly.Contributor] = []
        for other in settings.dimensions.indices where other != key.dimension {
            let largest = window.sums.largest(other, of: key.dimension) { name in
                name == key.name
                    || (isOther
                        && next.index[Series.Key(dimension: key.dimension, name: name)] == nil)
            }
            guard let (name, cost) = largest, cost > 0 else { continue }
            contributors.append(
                Anomaly.Contributor(
                    dimension: settings.dimensions[other], value: names.text(name),
                    shareMille: Int64(Int128(cost) * 1000 / Int128(total))))
        }
        return contributors.sorted { $0.shareMille > $1.shareMille }
    }
}
