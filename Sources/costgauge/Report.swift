internal import Anomalies
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// What `costgauge report` tells, from wherever it was read.
struct Report {
    struct Section {
        let dimensions: [Dimension]
        let rows: [SpendQuery.Row]
    }

    /// A budget's scope in its present period.
    struct Budget {
        let name: String
        /// `acme`, or empty for a budget over everything.
        let scope: String
        let limit: NanoUSD
        let spent: NanoUSD
        /// Unix seconds.
        let periodEnd: Int64
        let forecast: NanoUSD?
        let breachAt: Int64?

        var isBreached: Bool { spent >= limit }
        /// Scopes without spend in their period are left out: which of them are still known depends
        /// on when the source was started.
        var isOfNote: Bool { spent > .zero || isBreached }
        /// 1000 is the whole budget.
        var permille: Int {
            limit > .zero ? Int(clamping: Int128(spent.nanos) * 1000 / Int128(limit.nanos)) : 0
        }
    }

    struct Unusual {
        let severity: String
        let title: String
        let summary: String
    }

    /// Somebody whose spend changed against the period before.
    struct Mover {
        let dimension: Dimension
        let value: String
        let now: NanoUSD
        let before: NanoUSD

        var change: NanoUSD { now - before }
    }

    /// What `--since` and `--until` come to, Unix nanoseconds: sums are kept by quarter hours.
    var range: (since: Int64?, until: Int64?) = (nil, nil)
    var total = SpendQuery.Row(values: [])
    var sections: [Section] = []
    var budgets: [Budget] = []
    var anomalies: [Unusual] = []
    var movers: [Mover] = []

    /// For scripts: something went over its limit.
    static let breachedStatus: Int32 = 3
    static let budgetsMax = 20
    static let moversMax = 6
    static let anomaliesMax = 10
    /// Movers without `--since`: this week against the one before.
    static let spanNanos: Int64 = 7 * 86_400_000_000_000

    var status: Int32 { budgets.contains(where: \.isBreached) ? Self.breachedStatus : 0 }
}

/// Where rows come from: a data directory, or a server.
protocol ReportSource: ~Copyable {
    func rows(_ query: SpendQuery) throws -> [SpendQuery.Row]
    /// See `SpendQuery.range`.
    func range(_ query: SpendQuery) throws -> (since: Int64?, until: Int64?)
    func budgets() throws -> [Report.Budget]
    func anomalies() throws -> [Report.Unusual]
}

extension Report {
    init(
        _ source: borrowing some ReportSource & ~Copyable, groupings: [[Dimension]],
        flags: QueryFlags, now: Int64
    ) throws {
        func rows(
            _ dimensions: [Dimension], since: Int64?, until: Int64?
        ) throws -> [SpendQuery.Row] {
            try source.rows(
                SpendQuery(
                    groupBy: dimensions, since: since, until: until, filters: flags.filters))
        }
        if flags.since != nil || flags.until != nil {
            range = try source.range(
                SpendQuery(groupBy: [], since: flags.since, until: flags.until))
        }
        total = try rows([], since: flags.since, until: flags.until).first ?? total
        for dimensions in groupings {
            sections.append(
                Section(
                    dimensions: dimensions,
                    rows: try rows(dimensions, since: flags.since, until: flags.until)))
        }
        let tenant = flags.filters.first { $0.dimension == .tenant }?.value
        budgets = try source.budgets().filter {
            $0.isOfNote && (tenant == nil || $0.scope == tenant)
        }
        anomalies = try source.anomalies()
        let end = flags.until ?? now
        let start = flags.since ?? end - Self.spanNanos
        for dimension in [Dimension.tenant, .feature, .model, .user] {
            let before = try rows([dimension], since: start - (end - start), until: start)
            guard before.contains(where: { $0.cost > .zero }) else { continue }
            let now = try rows([dimension], since: start, until: flags.until)
            movers += Self.movers(dimension, now: now, before: before)
        }
        movers.sort { $0.change.nanos.magnitude > $1.change.nanos.magnitude }
        movers = Array(movers.prefix(Self.moversMax))
    }

    private static func movers(
        _ dimension: Dimension, now: [SpendQuery.Row], before: [SpendQuery.Row]
    ) -> [Mover] {
        var amounts: [String: (now: NanoUSD, before: NanoUSD)] = [:]
        for row in now { amounts[row.values[0], default: (.zero, .zero)].now = row.cost }
        for row in before { amounts[row.values[0], default: (.zero, .zero)].before = row.cost }
        return amounts.filter { !$0.key.isEmpty && $0.value.now != $0.value.before }
            .map {
                Mover(
                    dimension: dimension, value: $0.key, now: $0.value.now,
                    before: $0.value.before)
            }
    }
}

/// A data directory.
struct StoredReport: ReportSource, ~Copyable {
    let database: Database
    let time: any TimeSource

    func rows(_ query: SpendQuery) throws -> [SpendQuery.Row] { try query.run(on: database) }

    func range(_ query: SpendQuery) throws -> (since: Int64?, until: Int64?) {
        try query.range(on: database)
    }

    func budgets() throws -> [Report.Budget] {
        try StoredBudgets(database, time: time).read(database)
    }

    func anomalies() throws -> [Report.Unusual] {
        try AnomalyTable.list(
            status: .active, kind: nil, dimension: nil, value: nil, before: nil,
            limit: Report.anomaliesMax, in: database
        ).map {
            Report.Unusual(severity: $0.grade.word, title: $0.title, summary: $0.summary)
        }
    }
}
