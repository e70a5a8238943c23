internal import Alerts
internal import Ledger
internal import SQLite
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
    }

    /// Models told of in one day; past it nobody is told of more.
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

    init(names: Names, recorder: AlertRecorder) {
        self.names = names
        self.recorder = recorder
    }

    func prepare(
        _ group: [EventBatch], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for batch in group {
            for event in batch.rows.events where event.amount == nil && !event.isSkipped {
                let model = Model(
                    provider: event.provider,
                    model: event.isCompute ? event.resource : event.model)
                if floorDivide(now, Self.dayNanos) != day { startDay(now) }
                guard !told.contains(model), !pending.contains(model),
                    told.count + pending.count < Self.modelsMax
                else { continue }
                pending.insert(model)
                try raise(model, in: database, now: now)
            }
        }
    }

    private func startDay(_ now: Int64) {
        day = floorDivide(now, Self.dayNanos)
        told.removeAll()
    }

    /// What was told on an earlier day is over: it is told anew with the next such event.
    private func endOlder(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        let today = "/" + RFC3339.text(unixNanos: now).prefix(10)
        for key in try AlertTable.firingKeys(of: .unpricedModel, in: database)
        where !key.hasSuffix(today) {
            try recorder.resolve(
                key, "its day is over; it is told again with the next call", in: database, now: now)
        }
    }

    private func raise(
        _ model: Model, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let provider = names.text(model.provider)
        let name = names.text(model.model)
        let date = String(RFC3339.text(unixNanos: now).prefix(10))
        let of = provider.isEmpty ? "" : " of provider \"\(provider)\""
        try recorder.raise(
            Alert(
                id: recorder.newID("alr_"),
                dedupKey:
                    "unpriced_model/\(PercentEncoding.encode(provider))/\(PercentEncoding.encode(name))/\(date)",
                kind: .unpricedModel, severity: .warning,
                title: "no price for \"\(name)\"\(of)",
                summary:
                    "its tokens are counted, its cost is not; add a row, or the rate that its row lacks "
                    + "(such as usd_per_web_search), to a file of pricing.files, then POST "
                    + "/v1/prices/reprice",
                startsAt: now,
                details: [
                    Alert.Detail("provider", provider), Alert.Detail("model", name),
                ]),
            in: database, now: now)
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
