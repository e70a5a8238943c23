internal import JSON
internal import SQLite
internal import Usage
internal import Wire

extension IdentityWindow {
    /// Reads the ids of the youngest events back, no more than the window holds.
    mutating func rebuild(
        from database: borrowing Database, names: Names, hash: SeededHash,
        settings: LedgerSettings, now: Int64
    ) throws(SQLiteError) {
        let last = try EventsTable.last(in: database)
        let oldest = now - settings.dedupAgeNanos
        // What is older than the window is not even read.
        let first = max(
            try Self.firstBatch(from: database, last: last, receivedFrom: oldest),
            last - Int64(settings.dedupCountMax) + 1)
        var domains = NameHashes(names: names, hash: hash)
        reserve(Int(min(last - first + 1, Int64(settings.dedupCountMax))))
        // The hashes of a batch, and when they came: they go in side by side.
        var hashes: [UInt128] = []
        var newest: Int64 = 0
        try EventsTable.readIDs(after: first - 1, from: database) { id, tenant, received in
            guard received >= oldest else { return }
            hashes.append(hash.wide(id, domain: domains[tenant]))
            newest = max(newest, received)
        } others: { rows in
            warm(hashes)
            for hash in hashes { _ = insert(hash) }
            if !hashes.isEmpty { settle(now: newest) }
            hashes.removeAll(keepingCapacity: true)
            for event in rows.events where event.received >= oldest {
                guard !event.id.isEmpty || !event.request.isEmpty else { continue }
                insert(event, of: rows, &domains, hash)
                settle(now: event.received)
            }
        }
    }

    private mutating func insert(
        _ stored: CostEvent, of rows: EventRows, _ domains: inout NameHashes, _ hash: SeededHash
    ) {
        // Names that found no room are told by the detail.
        let folded =
            stored.detail.isEmpty
            ? nil : (try? JSONValue.read(Array(rows.text[stored.detail.range])))?["folded"]
        if !stored.id.isEmpty {
            let domain =
                folded?["tenant"]?.string.map { hash.narrow(Array($0.utf8).span) }
                ?? domains[stored.tenant]
            _ = insert(hash.wide(rows.text.span.extracting(stored.id.range), domain: domain))
        }
        guard !stored.request.isEmpty else { return }
        var event = CostEvent()
        event.facts = stored.facts
        let provider = folded?["provider"]?.string ?? domains.names.text(stored.provider)
        event.call = CallIdentity.key(
            request: rows.text.span.extracting(stored.request.range),
            provider: Array(provider.utf8).span, hash: hash)
        _ = insert(event)
    }

    /// A row number at or before the first event that arrived at `time`, found by halving: batches
    /// are in order of arrival, but for those that overtook each other on their way to the writer.
    private static func firstBatch(
        from database: borrowing Database, last: Int64, receivedFrom time: Int64
    ) throws(SQLiteError) -> Int64 {
        let margin: Int64 = 600_000_000_000
        var probe = try database.prepare(
            """
            select seq + count, received_ns from event_batches where seq >= ? order by seq limit 1
            """)
        var (low, high) = (Int64(1), last + 1)
        while low < high {
            let middle = low + (high - low) / 2
            probe.reset()
            try probe.bind(1, middle)
            if try probe.step(), probe.integer(1) < time - margin {
                low = probe.integer(0)
            } else {
                high = middle
            }
        }
        return low
    }
}

/// The hash of each name, made once.
private struct NameHashes {
    let names: Names
    let hash: SeededHash
    /// By id, 0 where it is not known yet.
    private var known: [UInt64]

    init(names: Names, hash: SeededHash) {
        self.names = names
        self.hash = hash
        known = Array(repeating: 0, count: names.count + 1)
    }

    subscript(_ id: NameID) -> UInt64 {
        mutating get {
            guard id < known.count else { return made(id) }
            if known[Int(id)] == 0 { known[Int(id)] = made(id) }
            return known[Int(id)]
        }
    }

    private func made(_ id: NameID) -> UInt64 { hash.narrow(Array(names.text(id).utf8).span) }
}
