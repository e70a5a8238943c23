internal import JSON
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// The statements that freeze a window.
struct FreezeTables: ~Copyable {
    private var series: Statement
    private var window: Statement
    private var snapshot: Statement

    init(_ database: borrowing Database) throws(SQLiteError) {
        let series = try database.prepare(
            "insert or replace into anomaly_series values (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        let window = try database.prepare(
            """
            insert into snapshot_windows
                (width, start, complete, frozen_ns, events, cost_nanousd)
            values (?, ?, ?, ?, ?, ?) on conflict do nothing
            """)
        let snapshot = try database.prepare(
            "insert or replace into snapshots values (?, ?, ?, ?, ?, ?, ?, ?)")
        self.series = series
        self.window = window
        self.snapshot = snapshot
    }

    mutating func write(
        _ entry: Series, days: DayTotals?, price: PriceWatch?, dimension: String
    ) throws(SQLiteError) {
        try series.bind(1, dimension)
        try series.bind(2, Int64(entry.key.name))
        try series.bind(3, entry.since)
        try series.bind(4, entry.lastSpend)
        try series.bind(5, entry.newUntil)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(SpendDetector.stateBytes)
        entry.spend.append(to: &bytes)
        entry.habits.append(to: &bytes)
        try series.bind(6, blob: bytes.span)
        bytes.removeAll(keepingCapacity: true)
        entry.surge.append(to: &bytes)
        try series.bind(7, blob: bytes.span)
        try series.bindNull(8)
        if let days {
            bytes.removeAll(keepingCapacity: true)
            days.append(to: &bytes)
            try series.bind(8, blob: bytes.span)
        }
        try series.bindNull(9)
        if let price {
            bytes.removeAll(keepingCapacity: true)
            price.append(to: &bytes)
            try series.bind(9, blob: bytes.span)
        }
        try series.run()
    }

    mutating func write(
        width: Int64, start: Int64, isComplete: Bool, total: WindowSums.Sums, now: Int64
    ) throws(SQLiteError) {
        try window.bind(1, width)
        try window.bind(2, start)
        try window.bind(3, isComplete ? 1 : 0)
        try window.bind(4, now)
        try window.bind(5, total.events)
        try window.bind(6, total.cost)
        try window.run()
    }

    mutating func write(
        width: Int64, start: Int64, dimension: String, name: NameID, _ sums: WindowSums.Sums
    ) throws(SQLiteError) {
        try snapshot.bind(1, width)
        try snapshot.bind(2, start)
        try snapshot.bind(3, dimension)
        try snapshot.bind(4, Int64(name))
        try snapshot.bind(5, sums.events)
        try snapshot.bind(6, sums.cost)
        try snapshot.bind(7, sums.largest)
        try snapshot.bind(8, sums.tokens)
        try snapshot.run()
    }
}

enum AnomalyTables {
    /// Makes the window of an hour or a day out of the smaller ones in it.
    static func roll(
        from small: Int64, to width: Int64, start: Int64, in database: borrowing Database,
        now: Int64
    ) throws(SQLiteError) {
        let range = "start >= \(start) and start < \(start + width)"
        try database.execute(
            """
            insert into snapshot_windows
            select \(width), \(start), sum(complete) = \(width / small), \(now), sum(events),
                sum(cost_nanousd), sum(late_events), sum(late_nanousd)
            from snapshot_windows where width = \(small) and \(range) having count(*) > 0
            on conflict do nothing;
            insert or replace into snapshots
            select \(width), \(start), dimension, name, sum(events), sum(cost_nanousd),
                max(largest_nanousd), sum(tokens)
            from snapshots where width = \(small) and \(range) group by dimension, name;
            """)
    }

    /// The begin of the oldest frozen window of a width (seconds); nil: there is none.
    static func oldestWindow(
        width: Int64, in database: borrowing Database
    ) throws(SQLiteError) -> Int64? {
        try database.integer("select min(start) from snapshot_windows where width = \(width)")
    }

    /// Notes events that came after their window was frozen. False: that window was never frozen,
    /// so they are history.
    static func addLate(
        width: Int64, start: Int64, events: Int64, nanos: Int64, in database: borrowing Database
    ) throws(SQLiteError) -> Bool {
        try database.execute(
            """
            update snapshot_windows
            set late_events = late_events + \(events), late_nanousd = late_nanousd + \(nanos)
            where width = \(width) and start = \(start)
            """)
        return database.changes > 0
    }

    static func meta(_ key: String, in database: borrowing Database) throws(SQLiteError) -> String?
    {
        var select = try database.prepare("select value from anomaly_meta where key = ?")
        try select.bind(1, key)
        return try select.step() ? select.text(0) : nil
    }

    static func setMeta(
        _ key: String, _ value: String, in database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare("insert or replace into anomaly_meta values (?, ?)")
        try insert.bind(1, key)
        try insert.bind(2, value)
        try insert.run()
    }

    static func writeOpen(
        _ windows: [Int64: WindowSums], in database: borrowing Database
    ) throws(SQLiteError) {
        let kept = windows.keys.map(String.init).joined(separator: ",")
        try database.execute("delete from open_windows where start not in (\(kept))")
        var insert = try database.prepare("insert or replace into open_windows values (?, ?)")
        for (start, sums) in windows where sums.isDirty {
            try insert.bind(1, start)
            try insert.bind(2, blob: sums.blob.span)
            try insert.run()
        }
    }

    static func readOpen(_ database: borrowing Database) throws(SQLiteError) -> [Int64: WindowSums]
    {
        var select = try database.prepare("select start, sums from open_windows")
        var windows: [Int64: WindowSums] = [:]
        while try select.step() { windows[select.integer(0)] = WindowSums(blob: select.bytes(1)) }
        return windows
    }

    /// One stored series; nil when its dimension is not watched any longer or its state is of
    /// another version.
    static func readSeries(
        _ dimensions: [Dimension], from database: borrowing Database,
        _ body: (_ series: Series, _ days: DayTotals?, _ price: PriceWatch?) -> Void
    ) throws(SQLiteError) {
        var select = try database.prepare("select * from anomaly_series order by dimension, name")
        while try select.step() {
            let text = select.text(0)
            guard let dimension = dimensions.firstIndex(where: { $0.description == text }),
                let spend = SpendDetector(Array(select.bytes(5).prefix(SpendDetector.stateBytes))),
                let surge = SurgeTest(select.bytes(6))
            else { continue }
            var series = Series(
                key: Series.Key(dimension: dimension, name: NameID(clamping: select.integer(1))),
                since: select.integer(2))
            series.lastSpend = select.integer(3)
            series.newUntil = select.integer(4)
            series.spend = spend
            // None in a state of 768 bytes.
            series.habits =
                WeekHabits(select.bytes(5), at: SpendDetector.stateBytes) ?? WeekHabits()
            series.surge = surge
            body(series, DayTotals(select.bytes(7)), PriceWatch(select.bytes(8)))
        }
    }

    /// Deletes windows past their age: hours live five times as long as windows, days fifty times.
    static func prune(
        _ database: borrowing Database, settings: AnomalySettings, now: Int64
    ) throws(SQLiteError) {
        let width = settings.windowSeconds
        for (width, factor) in [(width, 1), (3600, 5), (86_400, 50)] as [(Int64, Int64)]
        where width != settings.windowSeconds || factor == 1 {
            let before = (now - settings.snapshotNanos * factor) / 1_000_000_000
            try database.execute(
                """
                delete from snapshots where width = \(width) and start < \(before);
                delete from snapshot_windows where width = \(width) and start < \(before);
                """)
        }
        guard settings.anomalyNanos > 0 else { return }
        try database.execute(
            """
            delete from anomalies
            where status = 'over' and detected_ns < \(now - settings.anomalyNanos)
            """)
    }
}
