import SQLite
import Testing
import Usage

@testable import Alerts

private let second: Int64 = 1_000_000_000
private let hour = 3600 * second

private func alert(
    _ key: String, _ severity: Severity = .critical, details: [Alert.Detail] = []
) -> Alert {
    Alert(
        id: "alr_\(key)", dedupKey: key, kind: .anomaly, severity: severity, title: "t of \(key)",
        summary: "s", startsAt: 5, details: details)
}

extension RecorderHarness {
    fileprivate func tick(now: Int64) throws {
        guard recorder.isDue(now: now) else { return }
        try commit { try recorder.tick(in: database, now: now) }
    }

    fileprivate func end(_ key: String, now: Int64) throws {
        for state in ["delivered"] {
            try database.execute(
                "update deliveries set state = '\(state)', ended_ns = \(now) where dedup_key = '\(key)'"
            )
        }
    }

    fileprivate func rows() throws -> [String] {
        try DeliveryTable.list(
            state: nil, receiver: nil, alert: nil, before: nil, limit: 10_000, in: database
        ).reversed().map {
            "\($0.receiver) \($0.dedupKey) \($0.status.rawValue) \($0.state.rawValue)"
        }
    }
}

@Suite struct RepeatTests {
    private let router = AlertRouter(
        receivers: [
            ReceiverProfile(name: "chat"), ReceiverProfile(name: "am", groupsAlerts: true),
            ReceiverProfile(name: "ops", sendsAcknowledged: true),
        ],
        routes: [
            .init(match: [], receivers: ["chat", "am"], continues: true, repeatNanos: hour),
            .init(match: [], receivers: ["ops"]),
        ])

    @Test func `a critical that fires is told again after the interval of its route`() throws {
        let harness = try RecorderHarness(router)
        try harness.commit {
            try harness.raise(alert("k"), now: 0)
            try harness.raise(alert("mild", .warning), now: 0)
        }
        try harness.tick(now: hour + 11 * second)
        // The first notification still waits: the receiver is down and gets no second.
        #expect(try harness.deliveries().count == 6)
        try harness.end("k", now: hour)
        try harness.tick(now: hour + 22 * second)
        #expect(try harness.deliveries().filter { $0.hasPrefix("chat k") } == ["chat k firing"])
        try harness.tick(now: hour + 33 * second)
        try harness.end("k", now: hour + 34 * second)
        let last = try DeliveryTable.lastFiring(of: "alr_k", to: "chat", in: harness.database)
        #expect(last?.round == 1 && last?.created == hour + 22 * second)
        try harness.tick(now: 2 * hour)
        #expect(try harness.deliveries().filter { $0.contains(" k ") } == [])
        try harness.tick(now: 2 * hour + 40 * second)
        #expect(try harness.deliveries().filter { $0.contains(" k ") } == ["chat k firing"])
    }

    @Test func `neither an alert that is over nor one that somebody looks at is told again`() throws
    {
        let harness = try RecorderHarness(router)
        try harness.commit {
            try harness.raise(alert("over"), now: 0)
            try harness.raise(alert("seen"), now: 0)
        }
        for key in ["over", "seen"] { try harness.end(key, now: 1) }
        try harness.commit {
            try harness.resolve("over", "gone", now: 2)
            try harness.recorder.acknowledge("seen", by: "ann", in: harness.database, now: 3)
        }
        #expect(try harness.deliveries() == ["ops seen acknowledged"])
        try harness.tick(now: 5 * hour)
        #expect(try harness.deliveries() == ["ops seen acknowledged"])
        let stored = try #require(try AlertTable.alert("alr_seen", in: harness.database))
        #expect(stored.acknowledged == .init(at: 3, by: "ann") && stored.status == .firing)
        let listed = try AlertTable.list(
            status: .acknowledged, kind: nil, before: nil, limit: 9, in: harness.database)
        #expect(listed.map(\.dedupKey) == ["seen"])
        #expect(
            try !harness.recorder.acknowledge("over", by: "", in: harness.database, now: 4))
    }

    @Test func `the shorter interval of two routes counts`() {
        let router = AlertRouter(
            receivers: [ReceiverProfile(name: "x", minSeverity: .warning)],
            routes: [
                .init(match: [], receivers: ["x"], continues: true, repeatNanos: 9),
                .init(match: [], receivers: ["x"], continues: true),
                .init(match: [], receivers: ["x"], repeatNanos: 7),
            ])
        #expect(router.repeats(of: alert("k")) == ["x": 7])
        #expect(router.repeats(of: alert("k", .warning)) == [:])
    }
}

@Suite struct MatchTests {
    @Test(arguments: [
        ("kind", "anomaly"), ("severity", "critical"), ("status", "firing"), ("title", "t of *"),
        ("summary", "s"), ("dedup_key", "k"), ("anomaly_kind", "user_spike"), ("tenant", "acme"),
        ("source", "http"),
    ])
    func `routes match on every field`(_ field: String, _ pattern: String) {
        let subject = alert(
            "k",
            details: [
                .init("anomaly_kind", "user_spike"), .init("tenant", "acme"),
                .init("source", "http"),
            ])
        func told(_ pattern: String) -> [String] {
            AlertRouter(
                receivers: [ReceiverProfile(name: "x")],
                routes: [
                    .init(
                        match: [.init(field: field, pattern: Pattern([pattern]))], receivers: ["x"])
                ]
            ).receivers(for: subject).map(\.name)
        }
        #expect(told(pattern) == ["x"] && told("!" + pattern) == [] && told("other") == [])
    }
}

@Suite struct StormTests {
    private let router = AlertRouter(
        receivers: [
            ReceiverProfile(name: "chat", sendsResolved: true),
            ReceiverProfile(name: "am", groupsAlerts: true),
        ], stormLimit: 3)

    @Test func `past the limit of a minute the rest is one digest`() throws {
        let harness = try RecorderHarness(router)
        let start = 100 * second
        try harness.commit {
            for index in 0..<10 {
                try harness.raise(alert("k\(index)", index == 7 ? .critical : .info), now: start)
            }
        }
        #expect(try harness.rows().count { $0.hasPrefix("am") && $0.hasSuffix("pending") } == 10)
        #expect(try harness.rows().count { $0.hasPrefix("chat") && $0.hasSuffix("pending") } == 3)
        #expect(try harness.rows().count { $0.hasSuffix("held") } == 7)
        // One that ends while it is held is told by nobody but the digest.
        try harness.commit { try harness.resolve("k9", "over", now: start + second) }
        try harness.tick(now: start + 59 * second)
        #expect(try harness.rows().count { $0.hasSuffix("held") } == 7)
        try harness.tick(now: start + 60 * second)
        #expect(try harness.rows().count { $0.hasSuffix("digested") } == 7)
        let key = "alert_storm/chat/160"
        #expect(try harness.deliveries().last == "chat \(key) firing")
        let digest = try #require(
            try AlertTable.list(
                status: .firing, kind: .alertStorm, before: nil, limit: 2, in: harness.database
            ).first)
        #expect(digest.title == "7 more alerts within a minute" && digest.severity == .critical)
        #expect(digest.summary == "7 anomaly; 1 critical; one of the gravest: t of k7")
        // A held alert that ends has nobody to tell; the digest ends after a quiet minute.
        try harness.commit { try harness.resolve("k8", "over", now: start + 61 * second) }
        try harness.tick(now: start + 121 * second)
        #expect(try harness.deliveries().last == "chat \(key) resolved")
        #expect(try !harness.rows().contains("chat k8 resolved pending"))
        let count = AlertRecorder.Count(kind: .alertStorm, severity: .critical)
        #expect(harness.recorder.totals[count] == 1)
    }

    @Test func `a storm that goes on has a digest each minute, and the next minute starts anew`()
        throws
    {
        let harness = try RecorderHarness(router)
        var told = 0
        for step in 0..<300 {
            let now = (1000 + Int64(step)) * second
            try harness.commit { try harness.raise(alert("k\(step)", .info), now: now) }
            try harness.tick(now: now)
        }
        try harness.tick(now: 5000 * second)
        told = try harness.rows().count {
            $0.hasPrefix("chat k") && $0.hasSuffix("firing pending")
        }
        #expect(told == 5 * 3)
        #expect(try harness.rows().count { $0.hasSuffix("digested") } == 300 - told)
        #expect(
            try harness.rows().count { $0.contains("alert_storm") && $0.contains("firing") } == 5)
        try harness.tick(now: 6000 * second)
        let open = try AlertTable.firingKeys(of: .alertStorm, in: harness.database)
        #expect(open == [])
    }

    @Test func `what is held survives a restart and a transaction that fails`() throws {
        let harness = try RecorderHarness(router)
        try harness.commit {
            for index in 0..<5 { try harness.raise(alert("k\(index)"), now: second) }
        }
        try harness.database.execute("begin")
        try harness.recorder.tick(in: harness.database, now: 70 * second)
        try harness.database.execute("rollback")
        harness.recorder.rolledBack()
        #expect(harness.recorder.isDue(now: 70 * second))
        let again = AlertRecorder(
            router: router, retentionNanos: 0, random: { 77 }, onDeliveries: {})
        try again.recover(from: harness.database, now: 80 * second)
        #expect(again.isDue(now: 80 * second))
        try again.tick(in: harness.database, now: 80 * second)
        #expect(try harness.rows().count { $0.hasSuffix("digested") } == 2)
        #expect(try harness.rows().last == "chat alert_storm/chat/80 firing pending")
    }

    @Test func `without a limit nothing is held`() throws {
        let harness = try RecorderHarness(
            AlertRouter(receivers: [ReceiverProfile(name: "chat")]))
        try harness.commit {
            for index in 0..<1000 { try harness.raise(alert("k\(index)"), now: 1) }
        }
        #expect(try harness.rows().allSatisfy { $0.hasSuffix("pending") })
    }
}
