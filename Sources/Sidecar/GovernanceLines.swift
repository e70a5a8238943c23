internal import Anomalies
internal import Budgets
internal import Governance
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// Writes what calls were told into `governance_events.jsonl`: one line for each budget, scope,
/// reason and minute. Lines of a minute that a stop cuts off are left out.
final class GovernanceLines: CommitParticipant, @unchecked Sendable {
    // `next` belongs to the writer's thread.

    private let budgets: BudgetEngine
    private let log: GovernanceLog
    private var next: Int64 = 0
    private static let tickNanos: Int64 = 5_000_000_000

    init(_ budgets: BudgetEngine, _ log: GovernanceLog) {
        self.budgets = budgets
        self.log = log
    }

    func isDue(now: Int64) -> Bool { now >= next && budgets.hasFolds }

    func tick(in database: borrowing Database, now: Int64) {
        next = now + Self.tickNanos
        for fold in budgets.takeFolds(now: now) { log.note(fold.json) }
    }

    static func anomaly(_ anomaly: Anomaly, now: Int64) -> [UInt8] {
        var line = start("cost_anomaly", now / 1_000_000 * 1_000_000)
        add(anomaly.dimension.description, anomaly.value, to: &line)
        add("reason", anomaly.kind.description, to: &line)
        add("observed_usd", anomaly.observed.decimal, to: &line)
        add("expected_usd", anomaly.expected.decimal, to: &line)
        line.append(",\"id\":\(anomaly.id)}")
        return line
    }

    private static func start(_ event: String, _ unixNanos: Int64) -> [UInt8] {
        var line: [UInt8] = []
        line.append("{\"event\":\"\(event)\"")
        line.append(",\"timestamp\":\"\(RFC3339.text(unixNanos: unixNanos))\"")
        return line
    }

    private static func add(_ key: String, _ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: ","))
        line.appendJSONString(key)
        line.append(UInt8(ascii: ":"))
        line.appendJSONString(text)
    }

    func committed() {}
    func rolledBack() {}
    func recover(from database: borrowing Database, now: Int64) {}
    func replay(_ rows: EventRows) {}
    func prepare(_ group: [EventBatch], in database: borrowing Database, now: Int64) {}
    func checkpoint(in database: borrowing Database, now: Int64) {}
    func checkpointEnded(isDurable: Bool) {}
}
