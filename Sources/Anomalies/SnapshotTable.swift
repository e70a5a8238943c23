public import SQLite
public import Usage

/// A frozen window, of everything or of one series.
public struct Snapshot: Equatable, Sendable {
    /// Unix seconds.
    public let start: Int64
    /// Nothing was down while it was open: detectors have seen it.
    public let isComplete: Bool
    /// Unix nanoseconds.
    public let frozenAt: Int64
    public let events: Int64
    public let cost: NanoUSD
    /// Of one series only.
    public let largest: NanoUSD?
    public let tokens: Int64?
    /// What came after it was frozen, of everything.
    public let lateEvents: Int64
    public let lateCost: NanoUSD
}

public enum SnapshotTable {
    /// Youngest first. With a dimension and a value, what that series has in each window.
    public static func list(
        width: Int64, dimension: String?, value: String?, before: Int64?, limit: Int,
        in database: borrowing Database
    ) throws(SQLiteError) -> [Snapshot] {
        let isSeries = dimension != nil
        var select = try database.prepare(
            """
            select w.start, w.complete, w.frozen_ns,
                \(isSeries ? "ifnull(s.events, 0), ifnull(s.cost_nanousd, 0)" : "w.events, w.cost_nanousd"),
                \(isSeries ? "ifnull(s.largest_nanousd, 0), ifnull(s.tokens, 0)" : "0, 0"),
                w.late_events, w.late_nanousd
            from snapshot_windows w
            \(isSeries
                ? """
                left join snapshots s on s.width = w.width and s.start = w.start
                    and s.dimension = ?4 and s.name = (select id from names where text = ?5)
                """
                : "")
            where w.width = ?1 and w.start < ?2 order by w.start desc limit ?3
            """)
        try select.bind(1, width)
        try select.bind(2, before ?? .max)
        try select.bind(3, Int64(limit))
        if let dimension, let value {
            try select.bind(4, dimension)
            try select.bind(5, value)
        }
        var rows: [Snapshot] = []
        while try select.step() {
            rows.append(
                Snapshot(
                    start: select.integer(0), isComplete: select.integer(1) == 1,
                    frozenAt: select.integer(2), events: select.integer(3),
                    cost: NanoUSD(nanos: select.integer(4)),
                    largest: isSeries ? NanoUSD(nanos: select.integer(5)) : nil,
                    tokens: isSeries ? select.integer(6) : nil, lateEvents: select.integer(7),
                    lateCost: NanoUSD(nanos: select.integer(8))))
        }
        return rows
    }
}
