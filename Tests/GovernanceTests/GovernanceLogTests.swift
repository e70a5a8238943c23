import Foundation
import Logging
import SQLite
import TestSupport
import Testing

@testable import Governance

@Suite final class GovernanceLogTests {
    private let place = TemporaryDirectory()
    private let database: Database

    init() throws {
        database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(GovernanceSchema.tables)
    }

    private func log(bytesMax: Int = GovernanceLog.fileBytesMax) -> GovernanceLog {
        GovernanceLog(
            directory: place.path, retentionNanos: 100,
            log: Logger(level: .error, format: .logfmt, time: ManualTime()), fileBytesMax: bytesMax)
    }

    private func event(_ target: String, at: Int64 = 1_795_168_800_000_000_000) -> GovernanceEvent {
        GovernanceEvent(
            at: at, who: "root", action: .budgetUpdate, target: target, reason: "a \"reason\"",
            before: Array("{\"a\":1}".utf8), after: Array("{\"a\":2}".utf8))
    }

    private func lines(_ suffix: String = "") -> [String] {
        let text = try? String(
            contentsOfFile: place.path + "/governance_events.jsonl" + suffix, encoding: .utf8)
        return (text ?? "").split(separator: "\n").map(String.init)
    }

    @Test func `a change is a row in its transaction and a line after its commit`() throws {
        let log = log()
        try log.record(event("budgets/b"), in: database)
        #expect(lines() == [])
        log.committed()
        #expect(
            lines() == [
                #"{"event":"budget_update","timestamp":"2026-11-20T10:00:00Z","who":"root","#
                    + #""target":"budgets/b","reason":"a \"reason\"","#
                    + #""before":{"a":1},"after":{"a":2}}"#
            ])
        let rows = try GovernanceTable.list(
            action: nil, who: nil, target: nil, before: nil, limit: 10, in: database)
        #expect(rows.map(\.target) == ["budgets/b"] && rows[0].sequence == 1)
        #expect(rows[0].before == Array("{\"a\":1}".utf8))
    }

    @Test func `what is rolled back leaves no line`() throws {
        let log = log()
        try log.record(event("budgets/b"), in: database)
        log.rolledBack()
        log.committed()
        #expect(lines() == [])
    }

    @Test func `the list is filtered and paged, youngest first`() throws {
        let log = log()
        for number in 0..<5 { try log.record(event("budgets/b\(number)"), in: database) }
        func list(_ target: String? = nil, before: Int64? = nil, limit: Int = 2) throws -> [String]
        {
            try GovernanceTable.list(
                action: .budgetUpdate, who: "root", target: target, before: before, limit: limit,
                in: database
            ).map(\.target)
        }
        #expect(try list() == ["budgets/b4", "budgets/b3"])
        #expect(try list(before: 4) == ["budgets/b2", "budgets/b1"])
        #expect(try list("budgets/b0") == ["budgets/b0"])
    }

    @Test func `rows go when they are too old`() throws {
        let log = log()
        try log.record(event("old", at: 99), in: database)
        try log.record(event("young", at: 100), in: database)
        #expect(log.isDue(now: 200))
        try log.tick(in: database, now: 200)
        #expect(!log.isDue(now: 201))
        let rows = try GovernanceTable.list(
            action: nil, who: nil, target: nil, before: nil, limit: 10, in: database)
        #expect(rows.map(\.target) == ["young"])
    }

    @Test func `five files of lines are kept, and no more`() throws {
        let log = log(bytesMax: 400)
        for number in 0..<40 {
            try log.record(event("budgets/b\(number)"), in: database)
            log.committed()
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: place.path).sorted()
        #expect(
            names == [
                "governance_events.jsonl", "governance_events.jsonl.1", "governance_events.jsonl.2",
                "governance_events.jsonl.3", "governance_events.jsonl.4",
            ])
        #expect(lines().last?.contains("b39") == true)
        #expect(lines(".1").last?.contains("b37") == true)
        #expect(lines(".4").allSatisfy { $0.utf8.count < 400 })
    }
}
