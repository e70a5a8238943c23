import Ledger
import Logging
import SQLite
import Synchronization
import TestSupport
import TimeZones
import Usage
import Wire

@testable import Budgets

/// An engine on a store in memory, driven as the writer drives it.
final class BudgetHarness {
    let database: Database
    let names = Names(hash: SeededHash(seed: 8))
    private(set) var engine: BudgetEngine
    private let told = Told()
    /// Unix nanoseconds.
    var now: Int64 = 1_795_168_800_000_000_000
    static let second: Int64 = 1_000_000_000

    init(_ definitions: [BudgetDefinition]) throws {
        database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(LedgerSchema.tables)
        try database.execute(BudgetSchema.version2)
        try database.execute(AdmissionSchema.version4 + LimitSchema.tables)
        let told = told
        engine = BudgetEngine(
            definitions: definitions, names: names, now: now,
            log: Logger(level: .error, format: .logfmt, time: ManualTime()),
            reconcile: { open, budgets, _, _ in told.note(open: open, budgets: budgets) }
        ) { events, _, _ in told.add(events) }
        try engine.recover(from: database, now: now)
        engine.recovered()
    }

    /// A new process on the same store, after a crash or a stop.
    ///
    /// - Parameter events: committed after the last checkpoint.
    func restart(
        _ definitions: [BudgetDefinition], replaying events: [(CostEvent, String)] = []
    ) throws {
        let told = told
        engine = BudgetEngine(
            definitions: definitions, names: names, now: now,
            log: Logger(level: .error, format: .logfmt, time: ManualTime()),
            reconcile: { open, budgets, _, _ in told.note(open: open, budgets: budgets) }
        ) { events, _, _ in told.add(events) }
        try engine.recover(from: database, now: now)
        engine.replay(batch(events).rows)
        engine.recovered()
    }

    /// Unix seconds.
    var seconds: Int64 { now / Self.second }

    func advance(seconds: Int64) { now += seconds * Self.second }

    /// What has been told since the last call, in short: `crossed tenant=a 0.9 [0.5,0.75,0.9]`.
    func events() -> [String] {
        told.take { told in
            told.map { event in
                switch event.kind {
                case .crossed(let threshold, let crossed, let arm):
                    "crossed \(event.scopeText) \(event.periodKey) \(threshold.text) "
                        + "[\(crossed.map(\.text).joined(separator: ","))]"
                        + (arm > 0 ? " arm \(arm)" : "")
                case .recorded(let threshold, _):
                    "recorded \(event.scopeText) \(event.periodKey) \(threshold.text)"
                case .resolved(let threshold, let arm, let reason):
                    "resolved \(event.scopeText) \(event.periodKey) \(threshold.text) \(reason.rawValue)"
                        + (arm > 0 ? " arm \(arm)" : "")
                case .burning(_, let arm):
                    "burning \(event.scopeText) \(event.periodKey)" + (arm > 0 ? " arm \(arm)" : "")
                case .paused: "paused \(event.scopeText)"
                case .denied(let count): "denied \(event.scopeText) \(event.periodKey) \(count)"
                case .deniedEnded(let reason):
                    "denials ended \(event.scopeText)" + text(reason)
                case .forecast(let projection):
                    "forecast \(event.scopeText) \(event.periodKey) \(projection.projected.decimal)"
                case .forecastEnded(let reason):
                    "forecast ended \(event.scopeText) \(event.periodKey)" + text(reason)
                case .burnEnded(_, let reason):
                    "burn ended \(event.scopeText) \(event.periodKey)" + text(reason)
                }
            }
        }
    }

    private func text(_ reason: ResolveReason?) -> String {
        reason.map { " \($0.rawValue)" } ?? ""
    }

    func event(
        _ dollars: Double, tenant: String = "a", user: String = "", feature: String = "",
        tags: String = "",
        conversation: String = "", at: Int64? = nil
    ) -> (CostEvent, String) {
        var event = CostEvent()
        event.timestamp = at ?? now
        event.tenant = names.intern(tenant)
        event.user = names.intern(user)
        event.feature = names.intern(feature)
        event.tags = names.intern(tags)
        event.amount = NanoUSD(nanos: Int64(dollars * 1_000_000_000))
        event.costSource = .reported
        return (event, conversation)
    }

    private func batch(_ events: [(CostEvent, String)]) -> EventBatch {
        let batch = EventBatch()
        for (event, conversation) in events {
            var event = event
            if !conversation.isEmpty {
                event.conversation = batch.rows.append(Array(conversation.utf8).span)
            }
            batch.rows.events.append(event)
        }
        return batch
    }

    func commit(_ events: [(CostEvent, String)]) throws {
        let group = [batch(events)]
        try database.execute("begin")
        try engine.prepare(group, in: database, now: now)
        try database.execute("commit")
        engine.committed()
    }

    /// As when the disk is full.
    func failToCommit(_ events: [(CostEvent, String)]) throws {
        let group = [batch(events)]
        try database.execute("begin")
        try engine.prepare(group, in: database, now: now)
        try database.execute("rollback")
        engine.rolledBack()
    }

    func tick() throws {
        // After a start or a reload the first one looks at everything, the next at the time.
        for _ in 0..<2 where engine.isDue(now: now) {
            try database.execute("begin")
            try engine.tick(in: database, now: now)
            try database.execute("commit")
            engine.committed()
        }
    }

    /// Alerts that held when everything was last looked at: `tenant=a 0.9`, `tenant=a burn`.
    var open: [String] { told.open }

    func checkpoint() throws {
        try database.execute("begin")
        try engine.checkpoint(in: database, now: now)
        try database.execute("commit")
        engine.checkpointEnded(isDurable: true)
    }

    func redefine(_ definitions: [BudgetDefinition]) throws {
        try database.execute("begin")
        try engine.redefine(definitions, in: database, now: now)
        try database.execute("commit")
        engine.redefined(isDurable: true)
    }

    /// A change by request, in a transaction of its own.
    func change(_ body: (BudgetEngine, borrowing Database, Int64) throws -> Void) throws {
        try database.execute("begin")
        try body(engine, database, now)
        try database.execute("commit")
        engine.committed()
    }

    func losing(_ body: (BudgetEngine, borrowing Database, Int64) throws -> Void) throws {
        try database.execute("begin")
        try body(engine, database, now)
        try database.execute("rollback")
        engine.rolledBack()
    }

    /// The sums that the writer keeps beside roll-ups, made from those that a test has put there.
    func keepSums() throws {
        try database.execute("delete from spend_sums")
        for (code, hours, value) in [(0, 1, "0"), (1, 1, "tenant"), (2, 24, "user")] {
            try database.execute(
                """
                insert into spend_sums
                    select \(code), quarter / \(4 * hours) * \(hours), \(value),
                        sum(events), 0, 0, 0, sum(cost_nanousd)
                    from rollups group by 2, 3
                """)
        }
    }

    func spent(_ scope: String, budget: String? = nil) -> String? {
        engine.statuses(countMax: .max).first {
            $0.scopeText == scope && (budget == nil || $0.budget.name == budget)
        }?.spent.decimal
    }

    static func budget(
        _ limit: Int64 = 100, each: [Dimension] = [.tenant], kind: PeriodRule.Kind = .month,
        zone: Zone = .utc, burns: Bool = false, name: String = "b",
        match: [BudgetDefinition.Match] = [], overrides: [BudgetDefinition.Override] = []
    ) -> BudgetDefinition {
        BudgetDefinition(
            name: name, match: match, each: each, overrides: overrides,
            period: PeriodRule(kind: kind, zone: zone),
            limit: NanoUSD(nanos: limit * 1_000_000_000),
            burns: burns)
    }
}

/// What the engine reported.
private final class Told: Sendable {
    private let events = Mutex<[BudgetEvent]>([])
    private let held = Mutex<[String]>([])
    var open: [String] { held.withLock { $0 } }
    func note(open: [BudgetEvent], budgets: [BudgetDefinition]) {
        let texts = open.map { event in
            if case .crossed(let threshold, _, _) = event.kind {
                "\(event.scopeText) \(threshold.text)"
            } else if case .burning = event.kind {
                "\(event.scopeText) burn"
            } else if case .denied = event.kind {
                "\(event.scopeText) denied"
            } else {
                "\(event.scopeText) forecast"
            }
        }
        held.withLock { $0 = texts }
    }
    func add(_ new: [BudgetEvent]) { events.withLock { $0 += new } }
    func take(_ body: ([BudgetEvent]) -> [String]) -> [String] {
        events.withLock { events in
            defer { events.removeAll() }
            return body(events)
        }
    }
}
