internal import Aggregation
internal import Ledger
public import SQLite
internal import Synchronization
public import Usage

/// What one event of a group does to the reservation that it names.
struct ReservationClaim {
    enum Effect { case settles, uses }

    let id: String
    let effect: Effect
    let batch: EventBatch
    let index: Int

    /// The event was inserted, so its claim holds.
    var isKept: Bool { !batch.rows.events[index].isSkipped }
}

// Events that name a reservation. The first one takes its place, in the transaction that keeps the
// event; later ones are duplicates. Once a reservation has expired or was released, an event that
// names it is an ordinary one, and only its own settlement knows of it.
extension BudgetEngine {
    public func admit(
        _ batch: EventBatch, _ range: Range<Int>, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for index in range {
            let event = batch.rows.events[index]
            guard !event.isSkipped, !event.reservation.isEmpty else { continue }
            let id = batch.rows.string(event.reservation)
            let isSettlement = batch.rows.string(event.id) == id
            let isTaken = claims.contains { claim in
                claim.id == id && claim.effect == .settles && claim.isKept
                    && claim.batch.rows.events[claim.index].tenant == event.tenant
            }
            if isTaken {
                batch.rows.events[index].flags.insert(.duplicate)
                continue
            }
            if try claim(id, of: event, isSettlement, batch, index, in: database, now: now) {
                batch.rows.events[index].flags.insert(.duplicate)
            }
        }
    }

    /// True when the event is a duplicate.
    private func claim(
        _ id: String, of event: CostEvent, _ isSettlement: Bool, _ batch: EventBatch, _ index: Int,
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Bool {
        func claim(_ effect: ReservationClaim.Effect) {
            claims.append(ReservationClaim(id: id, effect: effect, batch: batch, index: index))
        }
        let live = admission.withLock { $0.live[id] }
        if let live, !live.isPending, live.expiresAt > now {
            guard live.request.event.tenant == event.tenant else { return false }
            claim(.settles)
            return false
        }
        guard let row = try ReservationTable.find(id, in: database),
            row.tenant == names.text(event.tenant)
        else { return false }
        if row.phase == .settled { return true }
        if row.phase == .live, row.expiresAt > now {
            claim(.settles)
            return false
        }
        guard isSettlement else {
            claim(.uses)
            return false
        }
        let isUsed =
            row.isUsed || claims.contains { $0.id == id && $0.effect == .uses && $0.isKept }
        if !isUsed { claim(.settles) }
        return isUsed
    }

    func writeClaims(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        for claim in claims where claim.isKept {
            switch claim.effect {
            case .settles:
                try ReservationTable.end(claim.id, .settled, in: database, now: now)
            case .uses: try ReservationTable.markUsed(claim.id, in: database)
            }
        }
    }

    /// Reservations that were under way hold again.
    func recoverAdmission(
        from database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        try loadPauses(from: database)
        applyPauses()
        let rows = try ReservationTable.live(after: now, in: database)
        var reader = AdmissionReader()
        admission.withLock { state in
            book.withLock { book in
                for row in rows {
                    var body = row.body
                    guard let fields = try? reader.read(&body) else { continue }
                    let (event, texts) = fields.event(names: names)
                    let request = AdmissionRequest(
                        event: event, rows: texts, estimate: row.estimate)
                    let holds = holds(of: request, &state, &book)
                    state.insert(
                        row.id,
                        Reservation(
                            request: request, body: row.body, expiresAt: row.expiresAt,
                            holds: holds, isPending: false))
                }
            }
        }
    }

    /// What of the limit is held for calls under way, by scope.
    public var reservationCount: Int { admission.withLock { $0.live.count } }

    /// What is paused, by dimension and value.
    public var pauses: [ScopePause] {
        admission.withLock { state in state.pauses.values.flatMap(\.values) }
            .sorted { ($0.dimension.description, $0.value) < ($1.dimension.description, $1.value) }
    }

    /// How often each budget said what; `would_deny` where it only observes.
    public var admissionCounts: [(budget: String, decision: String, count: Int)] {
        admission.withLock { $0.counts.all }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
    }
}
