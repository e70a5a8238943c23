public import Ledger
public import SQLite
internal import Synchronization
public import Usage

/// Grants and releases reservations, each after its commit. Those that wait at the same time share
/// one: while a transaction runs, what arrives gathers for the next.
public final class Reservations: Sendable {
    public struct Grant: Sendable {
        public let id: String
        /// Unix nanoseconds.
        public let expiresAt: Int64
        public let decision: AdmissionDecision
    }

    public enum Outcome: Sendable {
        case granted(Grant)
        case denied(AdmissionDecision)
        /// The id stands for another call, or for one that has ended.
        case taken
        /// Too many are under way.
        case full
        /// The store cannot write, and the budgets let calls go ahead then; nothing is held.
        case unsure(AdmissionDecision)
    }

    public enum Phase: String, Sendable { case live, settled, released, expired }

    public enum Release: Sendable {
        case ended(Phase)
        case unknown
        case unwritable
    }

    /// What is known of a reservation, under way or not.
    public struct Record: Sendable {
        public let tenant: String
        public let phase: Phase
        /// The call's dimensions as members of an event.
        public let body: [UInt8]
    }

    public typealias Write =
        @Sendable (_ job: @escaping StoreJob, _ completion: @escaping @Sendable (Bool) -> Void)
        -> Void

    private struct Work: Sendable {
        let run: @Sendable (borrowing Database) throws(SQLiteError) -> Void
        let completion: @Sendable (_ isDurable: Bool) -> Void
    }

    private struct State {
        var waiting: [Work] = []
        var running: [Work] = []
        var isScheduled = false
    }

    private let engine: BudgetEngine
    private let names: Names
    private let time: any TimeSource
    private let random: @Sendable () -> UInt64
    private let isStoreWritable: @Sendable () -> Bool
    private let write: Write
    private let state = Mutex(State())

    public init(
        engine: BudgetEngine, names: Names, time: any TimeSource,
        random: @escaping @Sendable () -> UInt64,
        isStoreWritable: @escaping @Sendable () -> Bool = { true }, write: @escaping Write
    ) {
        self.engine = engine
        self.names = names
        self.time = time
        self.random = random
        self.isStoreWritable = isStoreWritable
        self.write = write
    }

    private func newID() -> String {
        let digits = String(random(), radix: 16)
        return "rsv_" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// `completion` follows from this thread for a refusal and while the store cannot be written,
    /// else from the writer's.
    public func reserve(
        _ request: AdmissionRequest, _ fields: AdmissionFields,
        completion: @escaping @Sendable (Outcome) -> Void
    ) {
        let now = time.unixNanos
        let isKnown = fields.id.map { live($0) != nil } ?? false
        guard isKnown || isStoreWritable() else {
            return completion(unsure(request, now: now))
        }
        let id = fields.id ?? newID()
        let expiresAt = now + fields.expirySeconds * 1_000_000_000
        let body = fields.body
        switch engine.hold(request, id: id, body: body, expiresAt: expiresAt, now: now) {
        case .full: completion(.full)
        case .known(let known):
            guard known.body == body, known.request.estimate == request.estimate else {
                return completion(.taken)
            }
            repeatGrant(id, known, request, completion)
        case .decided(let decision):
            if decision.verdict == .deny { return completion(.denied(decision)) }
            let row = StoredReservation(
                id: id, tenant: names.text(request.event.tenant), phase: .live, isUsed: false,
                estimate: request.estimate, body: body, expiresAt: expiresAt)
            insert(
                row, request, Grant(id: id, expiresAt: expiresAt, decision: decision), now,
                completion)
        }
    }

    private func insert(
        _ row: StoredReservation, _ request: AdmissionRequest, _ grant: Grant, _ now: Int64,
        _ completion: @escaping @Sendable (Outcome) -> Void
    ) {
        let found = Found()
        submit(
            Work { database throws(SQLiteError) in
                let isNew = try ReservationTable.insert(row, into: database, now: now)
                found.phase.withLock { $0 = isNew ? .live : nil }
            } completion: { [self] isDurable in
                if isDurable, found.phase.withLock({ $0 }) == .live {
                    engine.admission.withLock { $0.confirm(row.id) }
                    return completion(.granted(grant))
                }
                engine.admission.withLock { _ = $0.remove(row.id) }
                completion(isDurable ? .taken : unsure(request, now: now))
            })
    }

    private func unsure(_ request: AdmissionRequest, now: Int64) -> Outcome {
        let decision = engine.check(request, now: now, isStoreWritable: false)
        return decision.verdict == .deny ? .denied(decision) : .unsure(decision)
    }

    /// The same request again: the same answer, once the first one's commit is over.
    private func repeatGrant(
        _ id: String, _ known: Reservation, _ request: AdmissionRequest,
        _ completion: @escaping @Sendable (Outcome) -> Void
    ) {
        let now = time.unixNanos
        let answer = { @Sendable [self] in
            let isKept = engine.admission.withLock { $0.live[id]?.isPending == false }
            var nothing = request
            nothing.estimate = .zero
            let seen = engine.check(nothing, now: now)
            guard isKept else { return completion(.unsure(seen)) }
            let isThrottled = seen.verdict == .throttle
            let decision = AdmissionDecision(
                verdict: isThrottled ? .throttle : .allow,
                reason: isThrottled ? .softLimit : .withinBudget, estimate: request.estimate,
                budget: seen.budget)
            completion(.granted(Grant(id: id, expiresAt: known.expiresAt, decision: decision)))
        }
        guard known.isPending else { return answer() }
        submit(Work(run: { _ in }, completion: { _ in answer() }))
    }

    /// Gives back what a reservation holds. Repeating it does no harm.
    ///
    /// - Parameter tenant: nil: whosever it is.
    public func release(
        _ id: String, tenant: String?, completion: @escaping @Sendable (Release) -> Void
    ) {
        guard isStoreWritable() else { return completion(.unwritable) }
        let now = time.unixNanos
        let found = Found()
        submit(
            Work { database throws(SQLiteError) in
                let record = try Self.record(id, in: database, now: now)
                guard let record, tenant == nil || record.tenant == tenant else { return }
                if record.phase == .live {
                    try ReservationTable.end(id, .released, in: database, now: now)
                }
                found.phase.withLock { $0 = record.phase == .live ? .released : record.phase }
            } completion: { [self] isDurable in
                guard isDurable else { return completion(.unwritable) }
                guard let phase = found.phase.withLock({ $0 }) else { return completion(.unknown) }
                engine.admission.withLock { _ = $0.remove(id) }
                completion(.ended(phase))
            })
    }

    /// A reservation under way, from memory.
    public func live(_ id: String) -> Record? {
        engine.admission.withLock { state in
            guard let known = state.live[id], !known.isPending else { return nil }
            return Record(
                tenant: names.text(known.request.event.tenant), phase: .live, body: known.body)
        }
    }

    /// Any reservation that is still stored.
    public static func record(
        _ id: String, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Record? {
        guard let row = try ReservationTable.find(id, in: database) else { return nil }
        let phase: Phase =
            switch row.phase {
            case .live: row.expiresAt > now ? .live : .expired
            case .settled: .settled
            case .released: .released
            }
        return Record(tenant: row.tenant, phase: phase, body: row.body)
    }
}

/// What a job found, for its completion; both run on the writer's thread, one after the other.
private final class Found: Sendable {
    let phase = Mutex<Reservations.Phase?>(nil)
}

// One transaction for all that wait.
extension Reservations {
    private func submit(_ work: Work) {
        let mustSchedule = state.withLock { state in
            state.waiting.append(work)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if mustSchedule { schedule() }
    }

    private func schedule() {
        write { [self] database throws(SQLiteError) in
            let running = state.withLock { state in
                state.running += state.waiting
                state.waiting.removeAll()
                return state.running
            }
            for work in running { try work.run(database) }
        } _: { [self] isDurable in
            let (done, isMore) = state.withLock { state in
                defer { state.running.removeAll() }
                // When the writer has gone the job never ran, and nothing waits for another.
                if state.running.isEmpty { swap(&state.running, &state.waiting) }
                state.isScheduled = !state.waiting.isEmpty
                return (state.running, state.isScheduled)
            }
            for work in done { work.completion(isDurable) }
            if isMore { schedule() }
        }
    }
}
