import Budgets
import Ledger
import SQLite
import Synchronization
import TestSupport
import Testing
import Usage

@testable import Alerts

/// A recorder on a store in memory, driven as the writer drives it.
final class RecorderHarness {
    let database: Database
    let recorder: AlertRecorder
    private let calls = Counter()

    private final class Counter: Sendable {
        let value = Mutex(0)
    }

    /// How often the deliverer was told of new rows.
    var wakes: Int { calls.value.withLock { $0 } }

    init(_ router: AlertRouter) throws {
        database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(
            AlertSchema.version3 + AlertSchema.delivery + SilenceSchema.tables)
        let calls = calls
        let next = Mutex<UInt64>(0)
        recorder = AlertRecorder(
            router: router, retentionNanos: 90 * 86_400 * 1_000_000_000,
            random: {
                next.withLock {
                    $0 += 1
                    return $0
                }
            }, onDeliveries: { calls.value.withLock { $0 += 1 } })
    }

    @discardableResult
    func raise(_ alert: Alert, now: Int64) throws -> Bool {
        try recorder.raise(alert, in: database, now: now)
    }

    func resolve(_ key: String, _ reason: String, now: Int64) throws {
        try recorder.resolve(key, reason, in: database, now: now)
    }

    func commit(_ body: () throws -> Void) throws {
        try database.execute("begin")
        try body()
        try database.execute("commit")
        recorder.committed()
    }

    func deliveries() throws -> [String] {
        try DeliveryTable.list(
            state: .pending, receiver: nil, alert: nil, before: nil, limit: 100, in: database
        ).reversed().map { "\($0.receiver) \($0.dedupKey) \($0.status.rawValue)" }
    }
}

private func alert(_ key: String, _ severity: Severity = .warning) -> Alert {
    Alert(
        id: "alr_\(key)", dedupKey: key, kind: .budgetBurn, severity: severity, title: "t",
        summary: "s", startsAt: 5)
}

private let both = AlertRouter(receivers: [
    ReceiverProfile(name: "a", minSeverity: .warning),
    ReceiverProfile(name: "b", sendsResolved: true),
])

@Suite struct AlertRecorderTests {
    @Test func `P7 a key is told once, whatever becomes of its alert`() throws {
        let harness = try RecorderHarness(both)
        try harness.commit { () throws in
            #expect(try harness.raise(alert("k"), now: 1))
            #expect(try !harness.raise(alert("k"), now: 2))
        }
        try harness.commit { try harness.resolve("k", "over", now: 3) }
        try harness.commit { () throws in
            #expect(try !harness.raise(alert("k"), now: 4))
            try harness.resolve("k", "again", now: 5)
        }
        #expect(try harness.deliveries() == ["a k firing", "b k firing", "b k resolved"])
        let stored = try #require(try AlertTable.alert("alr_k", in: harness.database))
        #expect(stored.status == .resolved && stored.endsAt == 3 && stored.resolution == "over")
        #expect(harness.wakes == 2)
        let count = AlertRecorder.Count(kind: .budgetBurn, severity: .warning)
        #expect(harness.recorder.totals[count] == 1)
    }

    @Test func `P6 what is rolled back is neither stored nor counted`() throws {
        let harness = try RecorderHarness(both)
        try harness.database.execute("begin")
        try harness.raise(alert("k"), now: 1)
        try harness.database.execute("rollback")
        harness.recorder.rolledBack()
        harness.recorder.committed()
        #expect(try harness.deliveries() == [] && harness.wakes == 0)
        #expect(harness.recorder.totals.values.allSatisfy { $0 == 0 })
        try harness.commit { () throws in
            #expect(try harness.raise(alert("k"), now: 2))
        }
        #expect(harness.wakes == 1)
    }

    @Test func `a receiver is told from its severity on, and of an end only what it knew`() throws {
        let harness = try RecorderHarness(both)
        try harness.commit { () throws in
            try harness.raise(alert("low", .info), now: 1)
            harness.recorder.configure(
                AlertRouter(
                    receivers: both.receivers + [
                        ReceiverProfile(name: "c", sendsResolved: true)
                    ]))
            try harness.resolve("low", "over", now: 2)
            try harness.resolve("unknown", "over", now: 2)
        }
        #expect(try harness.deliveries() == ["b low firing", "b low resolved"])
    }

    @Test func `a crossing is told although another form of its budget used the key`() throws {
        let harness = try RecorderHarness(both)
        let crossed = BudgetAlertsTests.crossing()
        try harness.commit { () throws in
            try harness.recorder.record([crossed], in: harness.database, now: 1)
            try harness.recorder.record([crossed], in: harness.database, now: 2)
        }
        let key = BudgetAlerts.dedupKey(crossed)
        #expect(try harness.deliveries() == ["a \(key) firing", "b \(key) firing"])
        // The budget now counts other spend: what was told no longer holds.
        try harness.commit { () throws in
            try harness.recorder.reconcile(
                [], budgets: [crossed.budget], in: harness.database, now: 3)
            try harness.recorder.record([crossed], in: harness.database, now: 4)
        }
        #expect(
            try harness.deliveries().suffix(3) == [
                "b \(key) resolved", "a \(key)/2 firing", "b \(key)/2 firing",
            ])
        // Its end is that of the alert that fires, whatever its key.
        try harness.commit { () throws in
            try harness.recorder.reconcile(
                [crossed], budgets: [crossed.budget], in: harness.database, now: 5)
            try harness.recorder.record(
                [BudgetAlertsTests.crossing(isOver: true)], in: harness.database, now: 6)
        }
        #expect(try harness.deliveries().last == "b \(key)/2 resolved")
    }

    @Test func `a delivery's number never comes again, so that none is overlooked`() throws {
        let harness = try RecorderHarness(both)
        try harness.commit { try harness.raise(alert("first"), now: 1) }
        let last = try DeliveryTable.pending(
            for: "b", after: 0, limit: 9, in: harness.database
        ).last
        try harness.database.execute("delete from deliveries")
        try harness.commit { try harness.raise(alert("second"), now: 1) }
        let new = try ["a", "b"].flatMap {
            try DeliveryTable.pending(
                for: $0, after: last?.sequence ?? 0, limit: 9, in: harness.database)
        }
        #expect(new.map(\.receiver) == ["a", "b"])
    }

    @Test func `recorded alerts are kept and told to nobody`() throws {
        let harness = try RecorderHarness(both)
        var late = alert("late")
        late.status = .recorded
        try harness.commit { try harness.raise(late, now: 1) }
        #expect(try harness.deliveries() == [] && harness.wakes == 0)
        let stored = try AlertTable.list(
            status: .recorded, kind: nil, before: nil, limit: 10, in: harness.database)
        #expect(stored.map(\.dedupKey) == ["late"])
    }

    @Test func `alerts come back as they were written`() throws {
        let harness = try RecorderHarness(both)
        var full = alert("full")
        full.details = [.init("receiver", "ops \"quoted\""), .init("cause", "ü")]
        full.budget = AlertBudget(
            name: "b", scope: [.init(dimension: "tags.team", value: "a/b\"")], periodStart: 0,
            periodEnd: 86_400, limit: NanoUSD(nanos: 5), spent: NanoUSD(nanos: 7),
            threshold: "0.9", crossed: ["0.5", "0.9"], forecast: NanoUSD(nanos: 9), breachAt: 60)
        let written = full
        try harness.commit { try harness.raise(written, now: 1) }
        #expect(try AlertTable.alert(full.id, in: harness.database) == full)
    }

    @Test func `lists page from young to old without a gap`() throws {
        let harness = try RecorderHarness(both)
        try harness.commit { () throws in
            for index in 0..<7 {
                var alert = alert("k\(index)")
                alert = Alert(
                    id: "alr_\(index)", dedupKey: "k\(index)", kind: alert.kind,
                    severity: alert.severity, title: "", summary: "", startsAt: Int64(index / 3))
                try harness.raise(alert, now: 1)
            }
        }
        var seen: [String] = []
        var before: (starts: Int64, id: String)?
        while true {
            let page = try AlertTable.list(
                status: .firing, kind: .budgetBurn, before: before, limit: 2, in: harness.database)
            guard let last = page.last else { break }
            seen += page.map(\.id)
            before = (last.startsAt, last.id)
        }
        #expect(seen == (0..<7).reversed().map { "alr_\($0)" })
    }

    @Test func `old alerts go once they are over and delivered`() throws {
        let harness = try RecorderHarness(both)
        let day: Int64 = 86_400 * 1_000_000_000
        try harness.commit { () throws in
            try harness.raise(alert("firing"), now: 1)
            try harness.raise(alert("over"), now: 1)
            try harness.raise(alert("waiting"), now: 1)
            try harness.resolve("over", "x", now: 2)
            try harness.resolve("waiting", "x", now: 2)
            try harness.database.execute(
                """
                update deliveries set state = 'delivered', ended_ns = 3
                where dedup_key != 'waiting'
                """)
        }
        #expect(harness.recorder.isDue(now: 91 * day))
        try harness.commit { try harness.recorder.tick(in: harness.database, now: 91 * day) }
        let left = try AlertTable.list(
            status: nil, kind: nil, before: nil, limit: 10, in: harness.database)
        #expect(Set(left.map(\.dedupKey)) == ["firing", "waiting"])
        #expect(!harness.recorder.isDue(now: 91 * day))
    }
}

@Suite struct AlertRouterTests {
    private let receivers = ["x", "y", "z"].map { ReceiverProfile(name: $0) }

    private func names(_ routes: [AlertRouter.Route], _ alert: Alert) -> [String] {
        AlertRouter(receivers: receivers, routes: routes).receivers(for: alert)
            .map(\.name)
    }

    private func match(_ field: String, _ text: String) -> [AlertRouter.Match] {
        [.init(field: field, pattern: Pattern([text]))]
    }

    @Test func `the first route that matches counts, and those after a continue`() {
        let alert = alert("k", .critical)
        #expect(names([], alert) == ["x", "y", "z"])
        let first = AlertRouter.Route(match: match("severity", "critical"), receivers: ["z"])
        let second = AlertRouter.Route(match: [], receivers: ["x", "y"])
        #expect(names([first, second], alert) == ["z"])
        let goesOn = AlertRouter.Route(
            match: match("severity", "critical"), receivers: ["z"], continues: true)
        #expect(names([goesOn, second], alert) == ["x", "y", "z"])
        #expect(names([goesOn, first, second], alert) == ["z"])
        #expect(
            names([AlertRouter.Route(match: match("kind", "x"), receivers: ["x"])], alert) == [])
    }

    @Test func `routes match on scopes and details`() {
        var alert = alert("k")
        alert.budget = AlertBudget(
            name: "b", scope: [.init(dimension: "tenant", value: "acme")], periodStart: 0,
            periodEnd: 1, limit: .zero, spent: .zero)
        alert.details = [.init("model", "gpt-9")]
        for (field, text) in [("tenant", "ac*"), ("budget", "b"), ("model", "gpt-9")] {
            #expect(names([.init(match: match(field, text), receivers: ["y"])], alert) == ["y"])
        }
        #expect(names([.init(match: match("tenant", "!acme"), receivers: ["y"])], alert) == [])
        #expect(names([.init(match: match("user", "*"), receivers: ["y"])], alert) == [])
    }

    @Test func `who cannot be reached is not told of it`() {
        var failed = Alert(
            id: "i", dedupKey: "k", kind: .deliveryFailed, severity: .warning, title: "",
            summary: "", startsAt: 0)
        failed.details = [.init("receiver", "y")]
        #expect(names([], failed) == ["x", "z"])
    }
}
