public import SQLite
public import Usage

extension EventsTable {
    /// What the ledger holds of one event.
    struct Priced {
        let seq: Int64
        /// With its adjustments; nil: it never had an amount.
        let nanos: Int64?
        let times: Int64
    }

    /// Calls `body` with the events whose amounts are not the sender's own, a stored batch at a
    /// time, their amounts taken away; it answers false to stop.
    static func readForPricing(
        since: Int64, until: Int64, from database: borrowing Database, names: Names,
        _ body: (inout EventRows, [Priced]) throws(SQLiteError) -> Bool
    ) throws(SQLiteError) {
        var adjusted = try database.prepare(
            "select nanos, times from adjustments where event = ?")
        var priced: [Priced] = []
        let range = EventsRange(since: since, until: until)
        try read(range, from: database) { rows, first throws(SQLiteError) in
            priced.removeAll(keepingCapacity: true)
            rows.expandDetails { names.intern($0) }
            var kept: [CostEvent] = []
            for (offset, stored) in rows.events.enumerated()
            where range.contains(time: stored.timestamp) && !stored.isAdjustment
                && stored.costSource != .reported
            {
                let seq = first + Int64(offset)
                adjusted.reset()
                try adjusted.bind(1, seq)
                let isAdjusted = try adjusted.step()
                let own = stored.amount?.nanos
                let nanos =
                    isAdjusted ? (own ?? 0) + adjusted.integer(0) : own
                priced.append(
                    Priced(seq: seq, nanos: nanos, times: isAdjusted ? adjusted.integer(1) : 0))
                var event = stored
                event.amount = nil
                event.costSource = .unpriced
                kept.append(event)
            }
            if kept.isEmpty { return true }
            rows.events = kept
            return try body(&rows, priced)
        }
    }
}

/// A model that calls name; of machine time, the resource.
public struct ModelName: Hashable, Sendable {
    public let provider: String
    public let model: String

    public init(provider: String, model: String) {
        self.provider = provider
        self.model = model
    }
}

extension StoredEvents {
    /// The models of raw events without an amount, also by adjustments.
    public static func unpricedModels(
        from database: borrowing Database, names: Names
    ) throws(SQLiteError) -> Set<ModelName> {
        try database.reading { database throws(SQLiteError) in
            var adjusted = try database.prepare("select 1 from adjustments where event = ?")
            var models: Set<ModelName> = []
            try EventsTable.read(EventsRange(), from: database) { rows, first throws(SQLiteError) in
                guard rows.events.contains(where: { $0.amount == nil }) else { return true }
                rows.expandDetails { names.intern($0) }
                for (offset, event) in rows.events.enumerated() where event.amount == nil {
                    let model = ModelName(
                        provider: names.text(event.provider),
                        model: names.text(event.isCompute ? event.resource : event.model))
                    if models.contains(model) { continue }
                    adjusted.reset()
                    try adjusted.bind(1, first + Int64(offset))
                    if try !adjusted.step() { models.insert(model) }
                }
                return true
            }
            return models
        }
    }
}
