internal import Aggregation
internal import SQLite
internal import Usage
internal import Wire

/// What changed in memory since the last checkpoint, copied out so that it can be written without
/// the lock.
struct Checkpoint {
    struct Total {
        let family: Family
        let row: Int
        let labels: [UInt8]
        let sums: [UInt8]
        let created: Int64
    }

    struct Ring {
        let dimension: String
        let name: NameID
        let buckets: [UInt8]
    }

    /// Numbers are stored, so they stay.
    enum Family: Int, CaseIterable {
        case usage = 1, unpriced, failedCost, requestCost
    }

    /// The last event that is in the sums.
    let appliedSeq: Int64
    var totals: [Total] = []
    var rings: [Ring] = []
    var meta: [(key: String, value: String)] = []

    /// Takes what is dirty and leaves the state clean.
    init(takingFrom state: inout LedgerState) {
        appliedSeq = state.appliedSeq
        take(.usage, state.usage.table, state.settings.labels.count)
        take(.unpriced, state.unpriced.table, 2)
        take(.failedCost, state.failedCost.table, 2)
        take(.requestCost, state.requestCost.table, 2)
        state.usage.markClean()
        state.unpriced.markClean()
        state.failedCost.markClean()
        state.requestCost.markClean()
        for index in state.rings.indices {
            let dimension = state.rings[index].dimension.description
            for scope in state.rings[index].rings.dirtyScopes {
                rings.append(
                    Ring(
                        dimension: dimension, name: state.rings[index].rings.name(of: scope),
                        buckets: state.rings[index].rings.blob(of: scope)))
            }
            state.rings[index].rings.markClean()
        }
        meta = [
            ("applied_seq", String(state.appliedSeq)),
            ("last_received_ns", String(state.lastReceived)),
            ("grand_total_nanousd", String(state.grandTotal)),
            ("token_total", String(state.tokenTotal)),
            ("samples_used", String(state.budget.used)),
            ("folded", String(state.usage.foldedCount)),
            ("labels", state.settings.labels.map(\.description).joined(separator: ",")),
            ("max_series", String(state.settings.maxSeries)),
            ("rings", state.rings.map(\.dimension.description).joined(separator: ",")),
        ]
    }

    /// Takes every counter, changed or not.
    init(takingAllFrom state: inout LedgerState) {
        state.usage.markAllDirty()
        state.unpriced.markAllDirty()
        state.failedCost.markAllDirty()
        state.requestCost.markAllDirty()
        self.init(takingFrom: &state)
    }

    private mutating func take(_ family: Family, _ table: LabelSetTable, _ width: Int) {
        for row in table.dirtyRows {
            totals.append(
                Total(
                    family: family, row: row, labels: Self.blob(table.keys[row], width),
                    sums: Self.blob(table.row(row)), created: table.created[row]))
        }
    }

    private static func blob(_ key: LabelKey, _ width: Int) -> [UInt8] {
        var blob: [UInt8] = []
        for index in 0..<width { blob.append(littleEndian: UInt64(key[index]), bytes: 4) }
        return blob
    }

    private static func blob(_ sums: ArraySlice<Int64>) -> [UInt8] {
        var blob: [UInt8] = []
        for sum in sums { blob.append(littleEndian: UInt64(bitPattern: sum), bytes: 8) }
        return blob
    }

    static func key(_ blob: [UInt8]) -> LabelKey {
        var key = LabelKey()
        for index in 0..<min(blob.count / 4, LabelKey.widthMax) {
            key[index] = NameID(blob.littleEndian(at: index * 4, bytes: 4))
        }
        return key
    }

    static func sums(_ blob: [UInt8]) -> [Int64] {
        (0..<blob.count / 8).map { Int64(bitPattern: blob.littleEndian(at: $0 * 8, bytes: 8)) }
    }
}

/// Writes checkpoints. The caller opens and commits the transaction.
struct CheckpointTable: ~Copyable {
    private var total: Statement
    private var ring: Statement
    private var meta: Statement

    init(_ database: borrowing Database) throws(SQLiteError) {
        let total = try database.prepare(
            "insert or replace into totals (family, row, labels, sums, created_ns) values (?, ?, ?, ?, ?)",
            isKept: true)
        let ring = try database.prepare(
            "insert or replace into rings (dimension, name, buckets) values (?, ?, ?)", isKept: true
        )
        let meta = try database.prepare(
            "insert or replace into ledger_meta (key, value) values (?, ?)", isKept: true)
        self.total = total
        self.ring = ring
        self.meta = meta
    }

    mutating func write(_ checkpoint: Checkpoint) throws(SQLiteError) {
        for entry in checkpoint.totals {
            try total.bind(1, Int64(entry.family.rawValue))
            try total.bind(2, Int64(entry.row))
            try total.bind(3, blob: entry.labels.span)
            try total.bind(4, blob: entry.sums.span)
            try total.bind(5, entry.created)
            try total.run()
        }
        for entry in checkpoint.rings {
            try ring.bind(1, entry.dimension)
            try ring.bind(2, Int64(entry.name))
            try ring.bind(3, blob: entry.buckets.span)
            try ring.run()
        }
        for (key, value) in checkpoint.meta {
            try meta.bind(1, key)
            try meta.bind(2, value)
            try meta.run()
        }
    }
}
