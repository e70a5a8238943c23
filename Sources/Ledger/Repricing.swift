public import SQLite
internal import Threading
public import Usage
public import Wire

/// Prices stored events again by the prices of today's lists for the time of each event, and books
/// the differences as adjustments. Amounts that a sender reported are left alone.
public struct Repricing: Sendable {
    public struct Request: Equatable, Sendable {
        /// Unix nanoseconds by the events' own time, from inclusive to exclusive.
        public var since: Int64
        public var until: Int64
        /// Tells what would change and changes nothing.
        public var isDryRun: Bool

        public init(since: Int64 = .min, until: Int64 = .max, isDryRun: Bool = true) {
            self.since = since
            self.until = until
            self.isDryRun = isDryRun
        }
    }

    /// What came of one model.
    public struct Model: Equatable, Sendable {
        public var provider: String
        public var model: String
        public var events = 0
        public var before: Int64 = 0
        public var after: Int64 = 0
    }

    public struct Report: Equatable, Sendable {
        public var looked = 0
        /// Events that have no amount and still find no price.
        public var unpriced = 0
        /// Only models with a difference, or with calls that have an amount for the first time; the
        /// largest difference first.
        public var models: [Model] = []
        /// Why not everything was booked; asking again books the rest.
        public var failure: String?

        public var adjusted: Int { models.reduce(0) { $0 + $1.events } }
    }

    private let names: Names
    private let hash: SeededHash
    private let queue: EventQueue
    private let price: @Sendable (inout EventRows, Range<Int>) -> Void
    private let now: @Sendable () -> Int64

    /// - Parameter hash: that of intake: it makes the identities of adjustments.
    /// - Parameter price: fills in the amounts of events.
    public init(
        names: Names, hash: SeededHash, ledger: Ledger,
        price: @escaping @Sendable (inout EventRows, Range<Int>) -> Void
    ) {
        self.names = names
        self.hash = hash
        queue = ledger.queue
        self.price = price
        now = { ledger.now }
    }

    private struct ModelKey: Hashable {
        let provider: NameID
        let model: NameID
    }

    /// Reads on `database`, which sees what is committed, and waits for its own commits.
    public func run(
        _ request: Request, on database: borrowing Database
    ) throws(SQLiteError) -> Report {
        var report = Report()
        var models: [ModelKey: Model] = [:]
        try EventsTable.readForPricing(
            since: request.since, until: request.until, from: database, names: names
        ) { rows, priced in
            let before = rows.events
            price(&rows, rows.events.indices)
            var adjusting = EventRows()
            for (index, entry) in priced.enumerated() {
                report.looked += 1
                guard let after = rows.events[index].amount else {
                    // What was booked by prices that are gone stays as it is.
                    if entry.nanos == nil { report.unpriced += 1 }
                    continue
                }
                let difference = after.nanos - (entry.nanos ?? 0)
                guard difference != 0 || entry.nanos == nil else { continue }
                let event = before[index]
                let key = ModelKey(
                    provider: event.provider,
                    model: event.isCompute ? event.resource : event.model)
                var model =
                    models[key]
                    ?? Model(provider: names.text(key.provider), model: names.text(key.model))
                model.events += 1
                model.before += entry.nanos ?? 0
                model.after += after.nanos
                models[key] = model
                // Pricing may find a provider where the call named none; the amount stands where
                // the call does.
                rows.events[index].provider = event.provider
                append(
                    rows.events[index], of: rows, difference, entry, to: &adjusting)
            }
            guard !request.isDryRun, !adjusting.events.isEmpty else { return true }
            report.failure = commit(adjusting)
            return report.failure == nil
        }
        report.models = models.values.sorted {
            let (left, right) = (abs($0.after - $0.before), abs($1.after - $1.before))
            return left == right ? $0.model < $1.model : left > right
        }
        return report
    }

    private func append(
        _ priced: CostEvent, of rows: EventRows, _ difference: Int64,
        _ entry: EventsTable.Priced, to adjusting: inout EventRows
    ) {
        var event = priced
        func copy(_ text: TextRef) -> TextRef {
            text.isEmpty ? .none : adjusting.append(Array(rows.text[text.range]).span)
        }
        event.tokens = TokenCounts()
        event.textInputChars = 0
        event.textOutputChars = 0
        event.durationMillis = 0
        event.conversation = copy(event.conversation)
        event.task = copy(event.task)
        event.request = .none
        event.reservation = .none
        event.call = 0
        event.isAdjustment = true
        event.isFirstAmount = entry.nanos == nil
        event.adjustedSeq = entry.seq
        event.cost = difference
        event.received = now()
        event.flags = []
        let id = Array("adj_\(entry.seq)_\(entry.times + 1)".utf8)
        event.id = adjusting.append(id.span)
        event.identity = hash.wide(
            id.span, domain: hash.narrow(Array(names.text(event.tenant).utf8).span))
        event.detail = adjusting.append(Array("{\"adjusts\":\(entry.seq)}".utf8).span)
        adjusting.events.append(event)
    }

    /// Answers why it could not be committed.
    private func commit(_ rows: EventRows) -> String? {
        let outcome: Receipt.Outcome = waitForAnswer { tell in
            let batch = EventBatch()
            let receipt = Receipt(tell)
            receipt.expectBatch()
            batch.rows = rows
            batch.parts = [EventBatch.Part(range: rows.events.indices, receipt: receipt)]
            queue.submit(batch)
            receipt.close()
        }
        return outcome.failure.map { "\($0)" }
    }
}
