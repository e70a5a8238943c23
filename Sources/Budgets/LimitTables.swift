internal import SQLite
internal import Usage

public enum LimitSchema {
    /// `scope_limits` are by the name of a budget, so that they outlive a change of what it counts;
    /// `budget_forgiven` and `budget_carried` are by its identity, like the spend that they are
    /// about. `stored_budgets` are those that came through the API.
    public static let tables = """
        create table stored_budgets (
            name text primary key,
            version integer not null,
            definition text not null,
            created_ns integer not null,
            updated_ns integer not null
        ) without rowid;

        create table scope_limits (
            budget text not null, scope text not null,
            limit_nanousd integer not null, until_s integer,
            primary key (budget, scope)
        ) without rowid;

        create table budget_forgiven (
            budget text not null, scope text not null, period_start integer not null,
            forgiven_nanousd integer not null, buckets blob,
            primary key (budget, scope, period_start)
        ) without rowid;

        create table budget_carried (
            budget text not null, scope text not null, period_start integer not null,
            carried_nanousd integer not null,
            primary key (budget, scope, period_start)
        ) without rowid;
        """
}

/// Rows of limits of single scopes, of resets, and of what was carried over.
enum LimitTables {
    static func write(
        _ limit: ScopeLimit, budget: String, scope: String, into database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare("insert or replace into scope_limits values (?, ?, ?, ?)")
        try insert.bind(1, budget)
        try insert.bind(2, scope)
        try insert.bind(3, limit.limit.nanos)
        try insert.bind(4, optional: limit.until)
        try insert.run()
    }

    static func delete(
        budget: String, scope: String, from database: borrowing Database
    ) throws(SQLiteError) {
        var delete = try database.prepare(
            "delete from scope_limits where budget = ? and scope = ?")
        try delete.bind(1, budget)
        try delete.bind(2, scope)
        try delete.run()
    }

    static func limits(
        of budget: String, in database: borrowing Database
    ) throws(SQLiteError) -> [String: ScopeLimit] {
        var select = try database.prepare(
            "select scope, limit_nanousd, until_s from scope_limits where budget = ?")
        try select.bind(1, budget)
        var limits: [String: ScopeLimit] = [:]
        while try select.step() {
            limits[select.text(0)] = ScopeLimit(
                limit: NanoUSD(nanos: select.integer(1)),
                until: select.isNull(2) ? nil : select.integer(2))
        }
        return limits
    }

    static func writeForgiven(
        _ entry: PeriodSpend, _ scope: BudgetScope, _ table: BudgetTable,
        into database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare(
            "insert or replace into budget_forgiven values (?, ?, ?, ?, ?)")
        try insert.bind(1, table.identity)
        try insert.bind(2, scope.text)
        try insert.bind(3, entry.period.start)
        try insert.bind(4, entry.forgiven.nanos)
        if table.definition.period.isRolling {
            try insert.bind(5, blob: scope.rolling.forgiven.blob.span)
        }
        try insert.run()
    }

    /// What resets have taken off one scope and period.
    static func forgiven(
        _ identity: String, _ scope: String, _ period: Period, in database: borrowing Database
    ) throws(SQLiteError) -> NanoUSD {
        var select = try database.prepare(
            """
            select forgiven_nanousd from budget_forgiven
            where budget = ? and scope = ? and period_start = ?
            """)
        try select.bind(1, identity)
        try select.bind(2, scope)
        try select.bind(3, period.start)
        return try select.step() ? NanoUSD(nanos: select.integer(0)) : .zero
    }

    struct Forgiven {
        let scope: String
        let start: Int64
        let amount: NanoUSD
        let buckets: [UInt8]
    }

    static func forgiven(
        of identity: String, in database: borrowing Database
    ) throws(SQLiteError) -> [Forgiven] {
        var select = try database.prepare(
            """
            select scope, period_start, forgiven_nanousd, buckets from budget_forgiven
            where budget = ?
            """)
        try select.bind(1, identity)
        var rows: [Forgiven] = []
        while try select.step() {
            rows.append(
                Forgiven(
                    scope: select.text(0), start: select.integer(1),
                    amount: NanoUSD(nanos: select.integer(2)),
                    buckets: select.isNull(3) ? [] : select.bytes(3)))
        }
        return rows
    }

    /// Stands for a budget's scopes altogether: no scope has this text.
    static let everyScope = ""

    static func writeCarried(
        _ carried: NanoUSD, _ period: Period, _ scope: String, _ identity: String,
        into database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare(
            "insert or replace into budget_carried values (?, ?, ?, ?)")
        try insert.bind(1, identity)
        try insert.bind(2, scope)
        try insert.bind(3, period.start)
        try insert.bind(4, carried.nanos)
        try insert.run()
    }

    static func carried(
        of identity: String, period: Period, in database: borrowing Database
    ) throws(SQLiteError) -> [(scope: String, amount: NanoUSD)] {
        var select = try database.prepare(
            """
            select scope, carried_nanousd from budget_carried
            where budget = ? and period_start = ?
            """)
        try select.bind(1, identity)
        try select.bind(2, period.start)
        var rows: [(scope: String, amount: NanoUSD)] = []
        while try select.step() {
            rows.append((select.text(0), NanoUSD(nanos: select.integer(1))))
        }
        return rows
    }

    /// Everything that is kept of one scope but its limit.
    static func forget(
        _ identity: String, _ scope: String, in database: borrowing Database
    ) throws(SQLiteError) {
        for table in [
            "budget_spend", "budget_thresholds", "budget_burns", "budget_forgiven",
            "budget_carried",
        ] {
            var delete = try database.prepare(
                "delete from \(table) where budget = ? and scope = ?", isKept: true)
            try delete.bind(1, identity)
            try delete.bind(2, scope)
            try delete.run()
        }
    }
}
