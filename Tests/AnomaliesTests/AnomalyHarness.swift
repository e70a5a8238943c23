import Ledger
import SQLite
import Synchronization
import TestSupport
import Usage
import Wire

@testable import Anomalies

/// An engine on a store in memory, driven as the writer drives it.
final class AnomalyHarness {
    let database: Database
    let names = Names(hash: SeededHash(seed: 8))
    private(set) var engine: AnomalyEngine
    private let told = Told()
    private let caughtUp = Flag()
    private var uncheckpointed: [CostEvent] = []
    let time: ManualTime
    var now: Int64 { time.unixNanos }
    var seconds: Int64 { now / 1_000_000_000 }
    /// A Monday, 00:00 UTC.
    static let monday: Int64 = 1_767_571_200

    /// - Parameter isSlow: every look at the monotonic clock takes a tenth of a second.
    init(
        _ settings: AnomalySettings = AnomalySettings(), at: Int64 = monday, isSlow: Bool = false
    ) throws {
        database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(LedgerSchema.tables)
        try database.execute(AnomalySchema.version4)
        time = ManualTime(unixNanos: at * 1_000_000_000)
        engine = Self.engine(
            settings, names, isSlow ? SlowTime(time) : time, told, caughtUp)
        try engine.recover(from: database, now: now)
        if !isSlow { try tick() }
    }

    private static func engine(
        _ settings: AnomalySettings, _ names: Names, _ time: any TimeSource, _ told: Told,
        _ caughtUp: Flag, readsDowntime: Bool = false
    ) -> AnomalyEngine {
        AnomalyEngine(
            settings: settings, names: names, time: time, readsDowntime: readsDowntime,
            isCaughtUp: { caughtUp.value }
        ) { events, _, _ in told.add(events) }
    }

    /// A new process on the same store.
    func restart(
        _ settings: AnomalySettings = AnomalySettings(), after seconds: Int64 = 0,
        readsDowntime: Bool = false
    ) throws {
        time.advance(seconds: seconds)
        engine = Self.engine(
            settings, names, time, told, caughtUp, readsDowntime: readsDowntime)
        try engine.recover(from: database, now: now)
        // As the ledger does with the rows after its checkpoint.
        engine.replay(group(uncheckpointed)[0].rows)
    }

    var isCaughtUp: Bool {
        get { caughtUp.value }
        set { caughtUp.value = newValue }
    }

    func event(
        _ dollars: Double, tenant: String = "acme", user: String = "", feature: String = "",
        model: String = "", tokens: UInt32 = 0, at: Int64? = nil
    ) -> CostEvent {
        var event = CostEvent()
        event.timestamp = (at ?? seconds) * 1_000_000_000
        event.received = now
        event.tenant = names.intern(tenant)
        event.user = names.intern(user)
        event.feature = names.intern(feature)
        event.model = names.intern(model)
        event.tokens.input = tokens
        event.amount = NanoUSD(nanos: Int64((dollars * 1_000_000_000).rounded()))
        return event
    }

    private func group(_ events: [CostEvent]) -> [EventBatch] {
        let batch = EventBatch()
        batch.rows.events = events
        return [batch]
    }

    func commit(_ events: [CostEvent]) throws {
        try database.execute("begin")
        try engine.prepare(group(events), in: database, now: now)
        try database.execute("commit")
        engine.committed()
        uncheckpointed += events
    }

    func failToCommit(_ events: [CostEvent]) throws {
        try database.execute("begin")
        try engine.prepare(group(events), in: database, now: now)
        try database.execute("rollback")
        engine.rolledBack()
    }

    func checkpoint() throws {
        try database.execute("begin")
        try engine.checkpoint(in: database, now: now)
        try database.execute("commit")
        engine.checkpointEnded(isDurable: true)
        uncheckpointed = []
    }

    func tick(isDurable: Bool = true, atMost count: Int = 100) throws {
        for _ in 0..<count {
            guard engine.isDue(now: now) else { return }
            try database.execute("begin")
            try engine.tick(in: database, now: now)
            try database.execute(isDurable ? "commit" : "rollback")
            if !isDurable { return engine.rolledBack() }
            engine.committed()
        }
    }

    func advance(seconds: Int64) throws {
        time.advance(seconds: seconds)
        try tick()
    }

    /// Goes through so many windows, with the events that `body` makes for each.
    func windows(_ count: Int, _ body: (Int) -> [CostEvent]) throws {
        for index in 0..<count {
            let events = body(index)
            if !events.isEmpty { try commit(events) }
            try advance(seconds: engine.settings.windowSeconds)
        }
    }

    /// What has been told since the last call: `fired user_spike u-17 high`.
    func events() -> [String] {
        told.take().map { event in
            let anomaly = event.anomaly
            let word =
                switch event.change {
                case .fired: "fired"
                case .escalated: "escalated"
                case .ended(let reason): "ended (\(reason))"
                }
            return "\(word) \(anomaly.kind) \(anomaly.value) \(anomaly.grade.word)"
        }
    }

    func anomalies(_ status: AnomalyStatus? = nil) throws -> [Anomaly] {
        try AnomalyTable.list(
            status: status, kind: nil, dimension: nil, value: nil, before: nil, limit: 100,
            in: database)
    }

    /// `2026-01-05T00:00:00Z complete 3 0.30 late 0 0`.
    func snapshots(width: Int64 = 300) throws -> [String] {
        var select = try database.prepare(
            """
            select start, complete, events, cost_nanousd, late_events, late_nanousd
            from snapshot_windows where width = \(width) order by start
            """)
        var rows: [String] = []
        while try select.step() {
            rows.append(
                "\((select.integer(0) - Self.monday) / 60) "
                    + (select.integer(1) == 1 ? "complete" : "incomplete")
                    + " \(select.integer(2)) \(NanoUSD(nanos: select.integer(3)).decimal)"
                    + " late \(select.integer(4)) \(NanoUSD(nanos: select.integer(5)).decimal)")
        }
        return rows
    }
}

/// A machine that has so much to do that every step takes long.
private final class SlowTime: TimeSource {
    private let time: ManualTime
    private let slept = Atomic<UInt64>(0)

    init(_ time: ManualTime) { self.time = time }

    var unixNanos: Int64 { time.unixNanos }
    var monotonicNanos: UInt64 {
        time.monotonicNanos + slept.add(100_000_000, ordering: .relaxed).newValue
    }
}

private final class Told: Sendable {
    private let events = Mutex<[AnomalyEvent]>([])
    func add(_ new: [AnomalyEvent]) { events.withLock { $0 += new } }
    func take() -> [AnomalyEvent] {
        events.withLock { events in
            defer { events.removeAll() }
            return events
        }
    }
}

private final class Flag: Sendable {
    private let flag = Atomic(true)
    var value: Bool {
        get { flag.load(ordering: .relaxed) }
        set { flag.store(newValue, ordering: .relaxed) }
    }
}
