internal import Aggregation
internal import SQLite
internal import Usage
internal import Wire

/// Puts the state in memory together again: the last checkpoint, then every event after it.
enum Recovery {
    struct Recovered {
        var state: LedgerState
        /// Names up to this id are stored.
        var storedNames: NameID
        /// The settings have changed: a full checkpoint must follow before the first event.
        var mustCheckpoint: Bool
    }

    static func run(
        _ database: borrowing Database, settings: LedgerSettings, names: Names,
        participants: [any CommitParticipant], wallClock: Int64
    ) throws(SQLiteError) -> Recovered {
        let storedNames = try loadNames(database, into: names)
        let meta = try loadMeta(database)
        // The rows after the checkpoint are applied as the process that wrote them would have done:
        // with its labels and its cap.
        var old = settings
        if let labels = meta["labels"] {
            old.labels = labels.split(separator: ",").compactMap { Dimension(String($0)) }
        }
        if let maxSeries = meta["max_series"].flatMap({ Int($0) }) { old.maxSeries = maxSeries }
        var state = LedgerState(settings: old, names: names)
        try load(database, into: &state)
        state.appliedSeq = meta["applied_seq"].flatMap { Int64($0) } ?? 0
        state.lastReceived = meta["last_received_ns"].flatMap { Int64($0) } ?? 0
        state.grandTotal = meta["grand_total_nanousd"].flatMap { Int64($0) } ?? 0
        state.tokenTotal = meta["token_total"].flatMap { Int64($0) } ?? 0
        state.budget.restore(used: meta["samples_used"].flatMap { Int($0) } ?? 0)
        state.usage.foldedCount = meta["folded"].flatMap { Int64($0) } ?? 0
        try refillRings(
            &state, database, kept: meta["rings"], now: max(wallClock, state.lastReceived))
        for participant in participants {
            try participant.recover(from: database, now: max(wallClock, state.lastReceived))
        }
        try EventsTable.read(EventsRange(after: state.appliedSeq), from: database) { rows, _ in
            rows.expandDetails { names.intern($0) }
            state.apply(rows)
            for participant in participants { participant.replay(rows) }
            return true
        }
        for participant in participants { participant.recovered() }
        var recovered = Recovered(
            state: state, storedNames: storedNames,
            mustCheckpoint: meta.isEmpty || old != settings)
        if old.labels != settings.labels {
            try relabel(&recovered.state, settings, database, names)
        } else if old != settings {
            recovered.state.adopt(settings)
        }
        return recovered
    }

    static func loadNames(
        _ database: borrowing Database, into names: Names
    ) throws(SQLiteError) -> NameID {
        var select = try database.prepare("select id, text from names order by id")
        var last: NameID = 0
        while try select.step() {
            let id = NameID(clamping: select.integer(0))
            let text = select.bytes(1)
            let given = names.withTable { $0.intern(text.span) }
            precondition(given == id, "BUG: name \(id) came back as \(given)")
            last = id
        }
        return last
    }

    private static func loadMeta(
        _ database: borrowing Database
    ) throws(SQLiteError) -> [String: String] {
        var select = try database.prepare("select key, value from ledger_meta")
        var meta: [String: String] = [:]
        while try select.step() { meta[select.text(0)] = select.text(1) }
        return meta
    }

    private static func load(
        _ database: borrowing Database, into state: inout LedgerState
    ) throws(SQLiteError) {
        var totals = try database.prepare(
            "select family, labels, sums, created_ns from totals order by family, row")
        while try totals.step() {
            let key = Checkpoint.key(totals.bytes(1))
            let sums = Checkpoint.sums(totals.bytes(2))
            let time = totals.integer(3)
            switch Checkpoint.Family(rawValue: Int(totals.integer(0))) {
            case .usage: state.usage.restore(key, sums, created: time)
            case .unpriced: state.unpriced.restore(key, sums, created: time)
            case .failedCost: state.failedCost.restore(key, sums, created: time)
            case .requestCost: state.requestCost.restore(key, sums, created: time)
            case nil: break
            }
        }
        state.usage.markClean()
        state.unpriced.markClean()
        state.failedCost.markClean()
        state.requestCost.markClean()
        for index in state.rings.indices {
            try load(database, into: &state.rings[index])
            if state.rings[index].rings.count > 0 { state.rings[index].rings.markClean() }
        }
    }

    private static func load(
        _ database: borrowing Database, into rings: inout LedgerState.Rings
    ) throws(SQLiteError) {
        var select = try database.prepare("select name, buckets from rings where dimension = ?")
        try select.bind(1, rings.dimension.description)
        while try select.step() {
            rings.rings.restore(NameID(clamping: select.integer(0)), blob: select.bytes(1))
        }
    }

    /// Rings that were not kept would come back with a gap, so they go; a dimension that is kept
    /// from now on begins with what the roll-ups tell of its hours and days.
    ///
    /// - Parameter kept: the dimensions of the last checkpoint's rings: those that are empty had no
    ///   spend to keep. Nil: an older version wrote it.
    static func refillRings(
        _ state: inout LedgerState, _ database: borrowing Database, kept: String?, now: Int64
    ) throws(SQLiteError) {
        let stay = state.rings.map { "'\($0.dimension)'" }.joined(separator: ",")
        try database.execute("delete from rings where dimension not in (\(stay))")
        let known = Set(kept?.split(separator: ",").map(String.init) ?? [])
        let empty = state.rings.indices.filter {
            state.rings[$0].rings.count == 0
                && !known.contains(state.rings[$0].dimension.description)
        }
        guard !empty.isEmpty else { return }
        let since = now / 1_000_000_000 - 35 * 86_400
        var filled = state
        let wanted = empty.map { state.rings[$0].dimension }
        try RollUpsTable.read(wanted, since: since, from: database) { event, cost in
            var event = event
            event.amount = cost
            for index in empty { filled.rings[index].add(event) }
        }
        state = filled
    }

    /// New labels: the counters start again from the roll-ups, largest spenders first.
    private static func relabel(
        _ state: inout LedgerState, _ settings: LedgerSettings, _ database: borrowing Database,
        _ names: Names
    ) throws(SQLiteError) {
        state.relabel(settings, names: names)
        let tail = try RollUpTail(database, through: .last)
        var relabeled = state
        try tail.lend { () throws(SQLiteError) in try addHistory(to: &relabeled, database) }
        state = relabeled
    }

    private static func addHistory(
        to state: inout LedgerState, _ database: borrowing Database
    ) throws(SQLiteError) {
        var select = try database.prepare(
            """
            select tenant, user, feature, agent, operation, provider, model, tags, facts,
                sum(events), sum(plain_input_tokens), sum(cached_input_tokens),
                sum(cache_write_tokens), sum(plain_output_tokens), sum(reasoning_tokens),
                sum(audio_input_tokens), sum(audio_output_tokens), sum(cost_nanousd), min(quarter)
            from \(RollUpWriter.withTail)
            group by 1, 2, 3, 4, 5, 6, 7, 8, 9 order by 18 desc
            """)
        while try select.step() {
            var event = CostEvent()
            event.readNames(select, from: 0)
            event.facts = UInt32(clamping: select.integer(8))
            event.received = select.integer(18) * RollUpDelta.seconds * 1_000_000_000
            var sums = RollUpDelta.Sums()
            sums.events = select.integer(9)
            sums.plainInput = select.integer(10)
            sums.cachedInput = select.integer(11)
            sums.cacheWrite = select.integer(12)
            sums.plainOutput = select.integer(13)
            sums.reasoning = select.integer(14)
            sums.audioInput = select.integer(15)
            sums.audioOutput = select.integer(16)
            sums.cost = select.integer(17)
            state.addHistory(of: event, sums)
        }
    }
}

extension Recovery {
    /// A checkpoint that replaces the stored counters: those of other labels must not come back.
    /// Values of tags that are labels now become names with it.
    ///
    /// - Parameter storedNames: names up to this id are stored, before and after.
    static func rewrite(
        _ database: borrowing Database, _ checkpoint: Checkpoint, _ names: Names,
        storedNames: inout NameID, participants: [any CommitParticipant], now: Int64
    ) throws(SQLiteError) {
        var table = try CheckpointTable(database)
        let new = names.texts(after: storedNames)
        var writer = try NameWriter(database)
        try database.execute("begin immediate")
        do throws(SQLiteError) {
            try writer.write(new, after: storedNames)
            try database.execute("delete from totals")
            try table.write(checkpoint)
            for participant in participants { try participant.checkpoint(in: database, now: now) }
            try database.execute("commit")
        } catch {
            if !database.isAutocommit { try? database.execute("rollback") }
            throw error
        }
        storedNames += NameID(new.count)
        for participant in participants { participant.checkpointEnded(isDurable: true) }
    }
}
