public import Budgets
public import Ledger
public import SQLite
internal import Synchronization
public import Usage

/// Writes alerts and their deliveries in the transaction of what caused them: an alert is there if
/// and only if its cause is, and every receiver that is to be told has its row in the outbox.
public final class AlertRecorder: CommitParticipant, @unchecked Sendable {
    // `router` and `counts` have their locks; the rest belongs to the writer's thread.
    // Repeats and digests: AlertRecorder+Repeats.swift, AlertRecorder+Storm.swift.

    public struct Count: Hashable, Sendable {
        public let kind: AlertKind
        public let severity: Severity
    }

    let router: Mutex<AlertRouter>
    private let counts: Mutex<[Count: Int]>
    private let retentionNanos: Int64
    private let random: @Sendable () -> UInt64
    private let onDeliveries: @Sendable () -> Void
    private var raised: [Count] = []
    private var hasDeliveries = false
    public let silences: Silences
    /// Some alert waits for the end of a silence.
    var hasSilenced = false
    var nextSilences: Int64 = 0
    private var nextPrune: Int64 = 0
    var nextRepeat: Int64 = 0
    var storm = StormControl()
    /// As the store has it.
    private var durableStorm = StormControl()
    private static let pruneNanos: Int64 = 3600 * 1_000_000_000

    /// - Parameter retentionNanos: how long alerts are kept once they are over; 0 keeps them.
    /// - Parameter onDeliveries: called on the writer's thread once new deliveries are durable.
    public init(
        router: AlertRouter, silences: Silences = Silences(), retentionNanos: Int64,
        random: @escaping @Sendable () -> UInt64,
        onDeliveries: @escaping @Sendable () -> Void
    ) {
        self.router = Mutex(router)
        self.silences = silences
        self.retentionNanos = retentionNanos
        self.random = random
        self.onDeliveries = onDeliveries
        var counts: [Count: Int] = [:]
        for kind in AlertKind.allCases where kind != .test {
            for severity in Severity.allCases { counts[Count(kind: kind, severity: severity)] = 0 }
        }
        self.counts = Mutex(counts)
    }

    public func configure(_ router: AlertRouter) { self.router.withLock { $0 = router } }

    /// Alerts that fired since the process started.
    public var totals: [Count: Int] { counts.withLock { $0 } }

    /// An id that no other alert or delivery has: `alr_` and 16 hexadecimal digits.
    public func newID(_ prefix: String) -> String {
        let digits = String(random(), radix: 16)
        return prefix + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Who would be told of it.
    public func receivers(for alert: Alert) -> [String] {
        router.withLock { $0.receivers(for: alert).map(\.name) }
    }

    /// Turns what budgets tell into alerts.
    public func record(
        _ events: [BudgetEvent], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for event in events {
            let base = BudgetAlerts.baseKey(event)
            let firing = try AlertTable.firingKeys(of: base, in: database)
            if var alert = BudgetAlerts.alert(event, id: newID("alr_"), now: now) {
                guard firing.isEmpty || alert.status != .firing else { continue }
                // Another form of the budget may have used the key up in this period.
                var count = 1
                while try AlertTable.isKnown(alert.dedupKey, in: database) {
                    count += 1
                    alert.dedupKey = "\(base)/\(count)"
                }
                try raise(alert, in: database, now: now)
            } else {
                for key in firing {
                    let told = try AlertTable.budget(ofFiring: key, in: database)
                    try resolve(
                        key, BudgetAlerts.resolution(event, told: told, now: now), in: database,
                        now: now)
                }
            }
        }
    }

    /// Ends budget alerts that no budget stands for any more: it is gone or was changed, or its
    /// period ended while costgauge was down.
    ///
    /// - Parameter open: what holds.
    public func reconcile(
        _ open: [BudgetEvent], budgets: [BudgetDefinition], in database: borrowing Database,
        now: Int64
    ) throws(SQLiteError) {
        let bases = Set(open.map { BudgetAlerts.baseKey($0) })
        let kinds: [AlertKind] = [.budgetThreshold, .budgetBurn, .budgetForecast, .budgetDenied]
        for kind in kinds {
            for key in try AlertTable.firingKeys(of: kind, in: database) {
                // `base` or `base/2`.
                let shorter = key.lastIndex(of: "/").map { String(key[..<$0]) } ?? key
                guard !bases.contains(key), !bases.contains(shorter) else { continue }
                let resolution =
                    if let told = try AlertTable.budget(ofFiring: key, in: database) {
                        BudgetAlerts.resolution(
                            ofKey: key, kind, told: told,
                            budget: budgets.first { $0.name == told.name }, now: now)
                    } else { "the budget was changed" }
                try resolve(key, resolution, in: database, now: now)
            }
        }
    }

    /// Stores an alert and tells its receivers; nothing happens when its key was raised before.
    @discardableResult
    public func raise(
        _ alert: Alert, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Bool {
        guard try !AlertTable.isKnown(alert.dedupKey, in: database) else { return false }
        try AlertTable.insert(alert, into: database)
        guard alert.status == .firing else { return true }
        countRaised(alert)
        if try !holdBack(alert, in: database, now: now) {
            try tell(alert, in: database, now: now)
        }
        return true
    }

    /// Puts the alert into the outbox, once for each receiver.
    func tell(_ alert: Alert, in database: borrowing Database, now: Int64) throws(SQLiteError) {
        for receiver in router.withLock({ $0.receivers(for: alert) }) {
            try tell(receiver, of: alert, in: database, now: now)
        }
    }

    func countRaised(_ alert: Alert) {
        raised.append(Count(kind: alert.kind, severity: alert.severity))
    }

    /// Puts a notification into the outbox, or keeps it for the digest of its minute.
    private func tell(
        _ receiver: ReceiverProfile, of alert: Alert, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        let isHeld =
            !receiver.groupsAlerts
            && storm.holds(receiver.name, limit: router.withLock { $0.stormLimit }, now: now)
        try deliver(
            alert.id, .firing, to: receiver.name, alert.dedupKey, state: isHeld ? .held : .pending,
            in: database, now: now)
    }

    /// Ends an alert and tells those receivers that were told of it and want to know.
    ///
    /// - Parameter tellsAll: also those that do not ask for ends.
    public func resolve(
        _ dedupKey: String, _ resolution: String, tellsAll: Bool = false,
        in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        guard let id = try AlertTable.resolve(dedupKey, resolution, in: database, now: now) else {
            return
        }
        for receiver in try DeliveryTable.receiversTold(of: id, in: database)
        where tellsAll || router.withLock({ $0.profile(receiver)?.sendsResolved ?? false }) {
            try deliver(id, .resolved, to: receiver, dedupKey, in: database, now: now)
        }
    }

    func deliver(
        _ alert: String, _ status: AlertStatus, to receiver: String, _ dedupKey: String,
        state: DeliveryState = .pending, round: Int = 0, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        try DeliveryTable.insert(
            id: newID("dlv_"), alert: alert, status, receiver: receiver, dedupKey: dedupKey,
            state: state, round: round, into: database, now: now)
        hasDeliveries = true
    }
}

// Its part in the writer's transactions.
extension AlertRecorder {
    public func recover(from database: borrowing Database, now: Int64) throws(SQLiteError) {
        try recoverStorm(from: database)
        durableStorm = storm
        try silences.load(from: database)
        silences.committed()
        hasSilenced = try !silenced(in: database).isEmpty
    }

    public func replay(_ rows: EventRows) {}
    public func prepare(_ group: [EventBatch], in database: borrowing Database, now: Int64) {}

    public func committed() {
        durableStorm = storm
        silences.committed()
        if !raised.isEmpty {
            counts.withLock { counts in
                for count in raised { counts[count, default: 0] += 1 }
            }
            raised.removeAll()
        }
        if hasDeliveries {
            hasDeliveries = false
            onDeliveries()
        }
    }

    public func rolledBack() {
        storm = durableStorm
        silences.rolledBack()
        raised.removeAll()
        hasDeliveries = false
    }

    public func isDue(now: Int64) -> Bool {
        isPruneDue(now) || storm.isDue(now: now) || isRepeatDue(now: now)
            || (hasSilenced && now >= nextSilences)
    }

    private func isPruneDue(_ now: Int64) -> Bool { now >= nextPrune }

    public func tick(in database: borrowing Database, now: Int64) throws(SQLiteError) {
        if hasSilenced, now >= nextSilences { try tellSilenced(in: database, now: now) }
        if isPruneDue(now) {
            nextPrune = now + Self.pruneNanos
            try silences.prune(database, now: now)
            if retentionNanos > 0 {
                try AlertTable.prune(database, before: now - retentionNanos)
            }
        }
        if storm.isDue(now: now) { try tellDigests(in: database, now: now) }
        if isRepeatDue(now: now) { try tellAgain(in: database, now: now) }
    }

    public func checkpoint(in database: borrowing Database, now: Int64) {}
    public func checkpointEnded(isDurable: Bool) {}
}
