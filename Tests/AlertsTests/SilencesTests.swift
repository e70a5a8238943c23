import SQLite
import TestSupport
import Testing
import Usage

@testable import Alerts

/// A recorder with silences on a store in memory.
private final class SilenceHarness {
    let database: Database
    private(set) var recorder: AlertRecorder

    init(configured: [Silence] = []) throws {
        database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(AlertSchema.version3 + AlertSchema.delivery + SilenceSchema.tables)
        recorder = Self.recorder(configured)
        try recorder.recover(from: database, now: 0)
    }

    private static func recorder(_ configured: [Silence]) -> AlertRecorder {
        var random = SeededRandom(seed: 1)
        let ids = (0..<1000).map { _ in random.next() }
        let next = Next()
        return AlertRecorder(
            router: AlertRouter(receivers: [ReceiverProfile(name: "r", sendsResolved: true)]),
            silences: Silences(configured: configured), retentionNanos: 0,
            random: { ids[next.take()] }, onDeliveries: {})
    }

    func restart() throws {
        recorder = Self.recorder([])
        try recorder.recover(from: database, now: 0)
    }

    func commit(_ body: () throws -> Void) throws {
        try database.execute("begin")
        try body()
        try database.execute("commit")
        recorder.committed()
    }

    func add(_ silence: Silence, now: Int64 = 0) throws -> Silences.Outcome {
        var outcome = Silences.Outcome.full
        try commit { outcome = try recorder.silences.add(silence, in: database, now: now) }
        return outcome
    }

    func raise(_ key: String, _ severity: Severity = .warning, now: Int64) throws {
        try commit { try recorder.raise(alert(key, severity), in: database, now: now) }
    }

    func tick(now: Int64) throws {
        guard recorder.isDue(now: now) else { return }
        try commit { try recorder.tick(in: database, now: now) }
    }

    func told() throws -> [String] {
        try DeliveryTable.pending(for: "r", after: 0, limit: 10_000, in: database).map {
            "\($0.dedupKey) \($0.status.rawValue)"
        }
    }
}

private final class Next: @unchecked Sendable {
    // The tests have one thread.
    private var index = 0
    func take() -> Int {
        index += 1
        return index - 1
    }
}

private func alert(_ key: String, _ severity: Severity) -> Alert {
    Alert(
        id: "alr_\(key)", dedupKey: key, kind: .budgetBurn, severity: severity, title: "t",
        summary: "s", startsAt: 5,
        budget: AlertBudget(
            name: "b", scope: [.init(dimension: "tenant", value: "acme")], periodStart: 0,
            periodEnd: 1, limit: NanoUSD(nanos: 1), spent: NanoUSD(nanos: 1)))
}

private func silence(
    _ id: String = "s", _ match: [String: [String]] = ["kind": ["*"]],
    _ span: Range<Int64> = 10..<20
) -> Silence {
    Silence(
        id: id,
        match: match.sorted { $0.key < $1.key }.map {
            .init(field: $0.key, pattern: Pattern($0.value))
        }, author: "me", reason: "why", startsAt: span.lowerBound * second,
        endsAt: span.upperBound * second)
}

private let second: Int64 = 1_000_000_000

@Suite struct SilencesTests {
    @Test func `a silence covers its span: the start belongs to it, the end does not`() throws {
        let harness = try SilenceHarness()
        #expect(try harness.add(silence()) == .done)
        for (at, key) in [(9, "before"), (10, "start"), (19, "last"), (20, "end")] {
            try harness.raise(key, now: Int64(at) * second)
        }
        #expect(try harness.told() == ["before firing", "end firing"])
    }

    @Test func `all matchers must hold, a list is any of them`() throws {
        func covers(_ match: [String: [String]]) -> Bool {
            silence("s", match).covers(alert("k", .critical), now: 15 * second)
        }
        #expect(covers(["tenant": ["x", "acme"]]))
        #expect(covers(["tenant": ["ac*"], "severity": ["critical"], "budget": ["b"]]))
        #expect(!covers(["tenant": ["acme"], "severity": ["warning"]]))
        #expect(!covers(["user": ["*"]]))
        #expect(covers(["user": ["!x"]]))
    }

    @Test func `what still fires when its silence ends is told then, across a restart`() throws {
        let harness = try SilenceHarness()
        _ = try harness.add(silence())
        try harness.raise("lasts", now: 12 * second)
        try harness.raise("over", now: 12 * second)
        try harness.commit {
            try harness.recorder.resolve("over", "x", in: harness.database, now: 13 * second)
        }
        try harness.tick(now: 19 * second)
        #expect(try harness.told() == [])
        try harness.restart()
        try harness.tick(now: 25 * second)
        #expect(try harness.told() == ["lasts firing"])
        try harness.tick(now: 60 * second)
        try harness.commit {
            try harness.recorder.resolve("lasts", "x", in: harness.database, now: 61 * second)
        }
        #expect(try harness.told() == ["lasts firing", "lasts resolved"])
    }

    @Test func `an alert that was told before its silence is ended all the same`() throws {
        let harness = try SilenceHarness()
        try harness.raise("k", now: 5 * second)
        _ = try harness.add(silence())
        try harness.commit {
            try harness.recorder.resolve("k", "x", in: harness.database, now: 15 * second)
        }
        #expect(try harness.told() == ["k firing", "k resolved"])
    }

    @Test func `removing one tells what it kept back; a lost transaction changes nothing`() throws {
        let harness = try SilenceHarness()
        _ = try harness.add(silence())
        try harness.raise("k", now: 12 * second)
        try harness.database.execute("begin")
        let lost = try harness.recorder.silences.remove("s", in: harness.database)
        #expect(lost?.id == "s")
        try harness.database.execute("rollback")
        harness.recorder.rolledBack()
        #expect(harness.recorder.silences.all.count == 1)
        var found: [String?] = []
        try harness.commit {
            for _ in 0..<2 {
                found.append(
                    try harness.recorder.silences.remove("s", in: harness.database)?.id)
            }
        }
        #expect(found == ["s", nil])
        try harness.tick(now: 14 * second)
        #expect(try harness.told() == ["k firing"])
    }

    @Test func `there is room for a thousand that are not over`() throws {
        let harness = try SilenceHarness()
        try harness.commit {
            for number in 0..<Silence.countMax {
                let outcome = try harness.recorder.silences.add(
                    silence("s\(number)"), in: harness.database, now: 0)
                #expect(outcome == .done)
            }
        }
        #expect(try harness.add(silence("more")) == .full)
        #expect(
            try harness.add(silence("later", ["kind": ["*"]], 30..<40), now: 20 * second) == .done)
    }

    @Test func `those of the file count too, and matchers come back as they were written`() throws {
        let configured = silence("file-1", ["tenant": ["acme"]])
        let harness = try SilenceHarness(configured: [configured])
        _ = try harness.add(silence("s", ["kind": ["budget_*", "anomaly"], "tenant": ["x\"y"]]))
        try harness.raise("k", now: 12 * second)
        #expect(try harness.told() == [])
        let stored = try SilenceTable.all(in: harness.database)
        #expect(stored == [silence("s", ["kind": ["budget_*", "anomaly"], "tenant": ["x\"y"]])])
        harness.recorder.silences.configure([])
        try harness.raise("l", now: 12 * second)
        #expect(try harness.told() == ["l firing"])
    }
}
