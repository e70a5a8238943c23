internal import Alerts
internal import Ledger
internal import SQLite
internal import Synchronization
internal import Threading
internal import Usage
internal import Wire

/// Tells of each model without a price once a day (of arrival, in UTC), in the transaction of its
/// first such event. The key of the alert is the model and the day, so that a restart tells nothing
/// twice; what was told is also remembered here, which keeps the store out of the way of the rest.
final class UnpricedAlerts: CommitParticipant, @unchecked Sendable {
    // Belongs to the writer's thread, like all participants.

    private struct Model: Hashable {
        let provider: NameID
        let model: NameID
        /// Its tokens have a price, its web searches do not.
        var isSearch = false
    }

    /// Models told of in one day, and seen while an `ending` looks at the store; past it nobody is
    /// told of more, and nothing is ended.
    static let modelsMax = 1000
    private static let dayNanos: Int64 = 86_400_000_000_000

    private let names: Names
    private let recorder: AlertRecorder
    private var day = Int64.min
    /// Up to this day older alerts were ended.
    private var endedDay = Int64.min
    private var durableDay = Int64.min
    private var told: Set<Model> = []
    private var pending: Set<Model> = []
    /// Without a price since `endPriced` began to look; nil while it does not.
    private var seen: Set<Model>?

    init(_ names: Names, _ recorder: AlertRecorder) {
        self.names = names
        self.recorder = recorder
    }

    func prepare(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for batch in group {
            for event in batch.rows.events where Self.isUnpriced(event) && !event.isSkipped {
                let model = Model(
                    provider: event.provider,
                    model: event.isCompute ? event.resource : event.model,
                    isSearch: event.amount != nil)
                if floorDivide(now, Self.dayNanos) != day { startDay(now) }
                if !model.isSearch, let count = seen?.count, count <= Self.modelsMax {
                    seen?.insert(model)
                }
                guard !told.contains(model), !pending.contains(model),
                    told.count + pending.count < Self.modelsMax
                else { continue }
                pending.insert(model)
                try raise(model, in: database, now: now)
            }
        }
    }

    private static func isUnpriced(_ event: CostEvent) -> Bool {
        event.amount == nil || event.flags.contains(.lacksSearchPrice)
    }

    private func startDay(_ now: Int64) {
        day = floorDivide(now, Self.dayNanos)
        told.removeAll()
    }

    /// What was told on an earlier day is over: it is told anew with the next such event.
    private func endOlder(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        let today = Self.date(now)
        for key in try AlertTable.firingKeys(of: .unpricedModel, in: database)
        where Self.parts(of: key).date != today {
            try recorder.resolve(
                key, "its day is over; it is told again with the next call", in: database, now: now)
        }
    }

    private func raise(
        _ model: Model, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let provider = names.text(model.provider)
        let name = names.text(model.model)
        let day =
            Self.key(ModelName(provider: provider, model: name))
            + (model.isSearch ? Self.searchMark : "") + "/" + Self.date(now)
        guard try AlertTable.firingKeys(of: day, in: database).isEmpty else { return }
        // It was told today already, and ended when its calls got their prices.
        var (key, count) = (day, 1)
        while try AlertTable.isKnown(key, in: database) {
            count += 1
            key = "\(day)/\(count)"
        }
        let of = provider.isEmpty ? "" : " of provider \"\(provider)\""
        try recorder.raise(
            Alert(
                id: recorder.newID("alr_"),
                dedupKey: key,
                kind: .unpricedModel, severity: .warning,
                title: model.isSearch
                    ? "no price for web searches of \"\(name)\"\(of)"
                    : "no price for \"\(name)\"\(of)",
                summary: (model.isSearch
                    ? "its tokens are booked, its searches are not; give its row usd_per_web_search in"
                    : "its tokens are counted, its cost is not; add a row to")
                    + " a file of pricing.files, then POST /v1/prices/reprice",
                startsAt: now,
                details: [
                    Alert.Detail("provider", provider), Alert.Detail("model", name),
                ]),
            in: database, now: now)
    }

    private static func date(_ now: Int64) -> String {
        String(RFC3339.text(unixNanos: now).prefix(10))
    }

    /// `unpriced_model/openai/gpt-99`, before the day and, from the second time on, a number.
    private static func key(_ model: ModelName) -> String {
        "unpriced_model/\(PercentEncoding.encode(model.provider))/"
            + PercentEncoding.encode(model.model)
    }

    /// Behind the model when its web searches alone are without a price; names have theirs encoded.
    private static let searchMark = "+web_search"

    private static func parts(of key: String) -> (model: String, date: String) {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        return (
            parts.prefix(3).joined(separator: "/"), parts.dropFirst(3).first.map(String.init) ?? ""
        )
    }

    func committed() {
        durableDay = endedDay
        told.formUnion(pending)
        pending.removeAll()
    }

    func rolledBack() {
        endedDay = durableDay
        pending.removeAll()
    }

    func recover(from database: borrowing Database, now: Int64) {}
    func replay(_ rows: EventRows) {}
    func isDue(now: Int64) -> Bool { floorDivide(now, Self.dayNanos) != endedDay }

    func tick(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        endedDay = floorDivide(now, Self.dayNanos)
        try endOlder(in: database, now: now)
    }

    func checkpoint(in database: borrowing Database, now: Int64) {}
    func checkpointEnded(isDurable: Bool) {}
}

// After prices were put right.
extension UnpricedAlerts {
    /// Ends the alerts of models whose stored calls all have an amount by now. Waits for the writer
    /// and reads all raw events. Calls that arrive meanwhile count: the writer notes their models
    /// from before the store is looked at.
    func endPriced(
        in ledger: Ledger, from database: borrowing Database
    ) throws(SQLiteError) {
        let isFiring = Mutex(false)
        write(in: ledger) { database, _ throws(SQLiteError) in
            let firing = try AlertTable.firingKeys(of: .unpricedModel, in: database)
            isFiring.withLock { $0 = !firing.isEmpty }
            self.seen = firing.isEmpty ? nil : []
        }
        guard isFiring.withLock({ $0 }) else { return }
        let left: Result<Set<ModelName>, SQLiteError>
        do throws(SQLiteError) {
            left = .success(try StoredEvents.unpricedModels(from: database, names: names))
        } catch { left = .failure(error) }
        write(in: ledger) { database, now throws(SQLiteError) in
            let seen = self.seen ?? []
            self.seen = nil
            guard case .success(let left) = left, seen.count <= Self.modelsMax else { return }
            let unpriced = Set(
                (left + seen.map(self.name)).map { Self.key($0) })
            for key in try AlertTable.firingKeys(of: .unpricedModel, in: database)
            where !unpriced.contains(Self.parts(of: key).model)
                && !Self.parts(of: key).model.hasSuffix(Self.searchMark)
            {
                try self.recorder.resolve(
                    key, "its calls have their prices", in: database, now: now)
            }
            // What is told no more is told again when it comes again.
            self.told = self.told.filter {
                $0.isSearch || unpriced.contains(Self.key(self.name($0)))
            }
        }
        _ = try left.get()
    }

    private func name(_ model: Model) -> ModelName {
        ModelName(provider: names.text(model.provider), model: names.text(model.model))
    }

    private func write(
        in ledger: Ledger,
        _ job: @escaping @Sendable (borrowing Database, Int64) throws(SQLiteError) -> Void
    ) {
        waitForAnswer { tell in
            ledger.write { database throws(SQLiteError) in
                try job(database, ledger.now)
            } completion: { _ in
                tell(())
            }
        }
    }
}
