internal import Aggregation
internal import SQLite
internal import Usage

public enum BudgetSchema {
    /// `budget_spend` is written with the ledger's checkpoints, so that it and the rows after the
    /// checkpoint give the present; `budget_thresholds` and `budget_burns` with the events that
    /// changed them.
    ///
    /// `budget` is the identity of a definition: its name, match, each, period, zone, week start
    /// and reset hour, hashed.
    public static let version2 = """
        create table budgets_seen (
            budget text primary key,
            name text not null,
            seen_ns integer not null
        ) without rowid;

        create table budget_spend (
            budget text not null, scope text not null, period_start integer not null,
            period_end integer not null, spent_nanousd integer not null, minutes blob,
            primary key (budget, scope, period_start)
        ) without rowid;

        create table budget_thresholds (
            budget text not null, scope text not null, period_start integer not null,
            threshold integer not null,
            crossed integer not null, arm integer not null, firing integer not null,
            pending_ns integer, pending_with text, notified_ns integer,
            primary key (budget, scope, period_start, threshold)
        ) without rowid;

        create table budget_burns (
            budget text not null, scope text not null, period_start integer not null,
            firing integer not null, arm integer not null, held_ns integer not null,
            notified_ns integer,
            primary key (budget, scope, period_start)
        ) without rowid;
        """
}

/// The statements of the budgets' tables.
struct BudgetTables: ~Copyable {
    private var spend: Statement
    private var threshold: Statement
    private var burn: Statement
    private var seen: Statement

    init(_ database: borrowing Database) throws(SQLiteError) {
        let spend = try database.prepare(
            "insert or replace into budget_spend values (?, ?, ?, ?, ?, ?)", isKept: true)
        let threshold = try database.prepare(
            "insert or replace into budget_thresholds values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            isKept: true)
        let burn = try database.prepare(
            "insert or replace into budget_burns values (?, ?, ?, ?, ?, ?, ?)", isKept: true)
        let seen = try database.prepare(
            "insert or replace into budgets_seen values (?, ?, ?)", isKept: true)
        self.spend = spend
        self.threshold = threshold
        self.burn = burn
        self.seen = seen
    }

    mutating func writeSeen(_ table: BudgetTable, now: Int64) throws(SQLiteError) {
        try writeSeen(table.identity, name: table.definition.name, now: now)
    }

    /// - Parameter identity: empty when there are no budgets.
    mutating func writeSeen(_ identity: String, name: String, now: Int64) throws(SQLiteError) {
        try seen.bind(1, identity)
        try seen.bind(2, name)
        try seen.bind(3, now)
        try seen.run()
    }

    mutating func writeSpend(
        _ table: BudgetTable, _ scope: Int, _ entry: PeriodSpend
    ) throws(SQLiteError) {
        try spend.bind(1, table.identity)
        try spend.bind(2, table.scopes[scope].text)
        try spend.bind(3, entry.period.start)
        try spend.bind(4, entry.period.end)
        try spend.bind(5, entry.total.nanos)
        let isCurrent = entry.period.start == table.current.start
        if table.definition.period.isRolling {
            try spend.bind(6, blob: table.scopes[scope].rolling.spent.blob.span)
        } else if isCurrent, let ring = table.minutes.find(UInt32(scope)) {
            try spend.bind(6, blob: table.minutes.blob(of: ring).span)
        } else {
            try spend.bindNull(6)
        }
        try spend.run()
    }

    /// All thresholds of one scope and period.
    mutating func writeThresholds(
        _ table: BudgetTable, _ scope: BudgetScope, _ entry: PeriodSpend
    ) throws(SQLiteError) {
        for (index, state) in entry.states.enumerated() {
            try threshold.bind(1, table.identity)
            try threshold.bind(2, scope.text)
            try threshold.bind(3, entry.period.start)
            try threshold.bind(4, table.definition.thresholds[index].ratioNanos)
            try threshold.bind(5, state.isCrossed ? 1 : 0)
            try threshold.bind(6, Int64(state.arm))
            try threshold.bind(7, state.isFiring ? 1 : 0)
            try threshold.bind(8, optional: state.pendingAt)
            let with = table.definition.thresholds.indices.filter {
                state.pendingWith & (1 << UInt32($0)) != 0
            }.map { String(table.definition.thresholds[$0].ratioNanos) }
            try threshold.bind(9, with.joined(separator: ","))
            try threshold.bind(10, optional: scope.notifiedAt[index])
            try threshold.run()
        }
    }

    mutating func writeBurn(
        _ table: BudgetTable, _ scope: BudgetScope, period: Period
    ) throws(SQLiteError) {
        try burn.bind(1, table.identity)
        try burn.bind(2, scope.text)
        try burn.bind(3, period.start)
        try burn.bind(4, scope.burn.isFiring ? 1 : 0)
        try burn.bind(5, Int64(scope.burn.arm))
        try burn.bind(6, scope.burn.heldAt)
        try burn.bind(7, optional: scope.burn.notifiedAt)
        try burn.run()
    }
}

// What is read back. Rows of a threshold that the definition no longer has are passed over.
extension BudgetTables {
    struct StoredSpend {
        let scope: String
        let period: Period
        let spent: NanoUSD
        let minutes: [UInt8]
    }

    static func spends(
        of identity: String, endingAfter seconds: Int64, in database: borrowing Database
    ) throws(SQLiteError) -> [StoredSpend] {
        var select = try database.prepare(
            """
            select scope, period_start, period_end, spent_nanousd, minutes from budget_spend
            where budget = ? and period_end > ? order by scope, period_start
            """)
        try select.bind(1, identity)
        try select.bind(2, seconds)
        var rows: [StoredSpend] = []
        while try select.step() {
            rows.append(
                StoredSpend(
                    scope: select.text(0),
                    period: Period(start: select.integer(1), end: select.integer(2)),
                    spent: NanoUSD(nanos: select.integer(3)), minutes: select.bytes(4)))
        }
        return rows
    }

    static func spend(
        of identity: String, scope: String, period: Period, in database: borrowing Database
    ) throws(SQLiteError) -> NanoUSD {
        var select = try database.prepare(
            """
            select spent_nanousd from budget_spend
            where budget = ? and scope = ? and period_start = ?
            """)
        try select.bind(1, identity)
        try select.bind(2, scope)
        try select.bind(3, period.start)
        return try select.step() ? NanoUSD(nanos: select.integer(0)) : .zero
    }

    static func states(
        of identity: String, scope: String, period: Period, _ definition: BudgetDefinition,
        in database: borrowing Database
    ) throws(SQLiteError) -> [ThresholdState] {
        var states = definition.thresholds.map { _ in ThresholdState() }
        var select = try database.prepare(
            """
            select threshold, crossed, arm, firing, pending_ns, pending_with from budget_thresholds
            where budget = ? and scope = ? and period_start = ?
            """)
        try select.bind(1, identity)
        try select.bind(2, scope)
        try select.bind(3, period.start)
        while try select.step() {
            let ratio = select.integer(0)
            guard let index = definition.thresholds.firstIndex(where: { $0.ratioNanos == ratio })
            else { continue }
            states[index].isCrossed = select.integer(1) != 0
            states[index].arm = Int(select.integer(2))
            states[index].isFiring = select.integer(3) != 0
            if !select.isNull(4) { states[index].pendingAt = select.integer(4) }
            for text in select.text(5).split(separator: ",") {
                let with = definition.thresholds.firstIndex { String($0.ratioNanos) == text }
                if let with { states[index].pendingWith |= 1 << UInt32(with) }
            }
        }
        return states
    }

    /// When each threshold of a scope last notified, in any period.
    static func notifiedAt(
        of identity: String, scope: String, _ definition: BudgetDefinition,
        in database: borrowing Database
    ) throws(SQLiteError) -> [Int64?] {
        var times = [Int64?](repeating: nil, count: definition.thresholds.count)
        var select = try database.prepare(
            """
            select threshold, max(notified_ns) from budget_thresholds
            where budget = ? and scope = ? and notified_ns is not null group by threshold
            """)
        try select.bind(1, identity)
        try select.bind(2, scope)
        while try select.step() {
            let ratio = select.integer(0)
            if let index = definition.thresholds.firstIndex(where: { $0.ratioNanos == ratio }) {
                times[index] = select.integer(1)
            }
        }
        return times
    }

    static func burn(
        of identity: String, scope: String, period: Period, in database: borrowing Database
    ) throws(SQLiteError) -> BurnState {
        var state = BurnState()
        var select = try database.prepare(
            """
            select firing, arm, held_ns, notified_ns from budget_burns
            where budget = ? and scope = ? and period_start = ?
            """)
        try select.bind(1, identity)
        try select.bind(2, scope)
        try select.bind(3, period.start)
        if try select.step() {
            state.isFiring = select.integer(0) != 0
            state.arm = Int(select.integer(1))
            state.heldAt = select.integer(2)
            if !select.isNull(3) { state.notifiedAt = select.integer(3) }
        }
        return state
    }

    /// Scopes with threshold states of a period, whatever their spend.
    static func scopes(
        withStatesOf identity: String, period: Period, in database: borrowing Database
    ) throws(SQLiteError) -> [String] {
        var select = try database.prepare(
            "select distinct scope from budget_thresholds where budget = ? and period_start = ?")
        try select.bind(1, identity)
        try select.bind(2, period.start)
        var scopes: [String] = []
        while try select.step() { scopes.append(select.text(0)) }
        return scopes
    }

    /// Identities under which a budget of this name was kept, the last one first.
    static func identities(
        named name: String, in database: borrowing Database
    ) throws(SQLiteError) -> [String] {
        var select = try database.prepare(
            "select budget from budgets_seen where name = ? order by seen_ns desc")
        try select.bind(1, name)
        var identities: [String] = []
        while try select.step() { identities.append(select.text(0)) }
        return identities
    }

    /// A row of a rolling budget without spend goes, too: the next spend writes it again. Closed
    /// periods go after 13 months, budgets that nobody configures after 30 days.
    static func prune(_ database: borrowing Database, now: Int64) throws(SQLiteError) {
        let day: Int64 = 86_400
        let seconds = now / 1_000_000_000
        for table in [
            "budget_spend", "budget_thresholds", "budget_burns", "budget_forgiven",
            "budget_carried",
        ] {
            // Rolling budgets have the one period 0.
            try database.execute(
                """
                delete from \(table)
                where period_start < \(seconds - 13 * 31 * day - 31 * day) and period_start > 0
                """)
            try database.execute(
                """
                delete from \(table) where budget in (
                    select budget from budgets_seen
                    where seen_ns < \(now - 30 * day * 1_000_000_000))
                """)
        }
        try database.execute(
            "delete from budget_spend where period_start = 0 and spent_nanousd = 0")
        try database.execute(
            "delete from budgets_seen where seen_ns < \(now - 30 * day * 1_000_000_000)")
    }
}
