internal import SQLite
internal import Usage

// Roll-ups keep every combination of dimension values, and where users are many there are nearly as
// many of them as calls. What most questions ask is less: one dimension, by hour or day. Those sums
// stand in a table of their own, written in the transaction that writes the roll-ups:
//
//     dimension 0 (everything)  hour 498,672  value 0    3,412 events  $12.07
//     dimension 1 (tenant)      hour 498,672  value 17     204 events   $1.90
//     dimension 2 (user)        hour 498,672  value 903     11 events   $0.08   (the whole day)
//
// A row exists where there was spend, so that there are never more rows for a dimension than
// roll-ups. `SpendQuery` reads them where they answer exactly what is asked.

/// `spend_sums`: spend by one dimension and hour, or day.
enum SpendSums {
    /// Hours in one row: people and agents are many, and are asked for by days.
    static func hours(of dimension: Dimension?) -> Int64 {
        dimension == .user || dimension == .agent ? 24 : 1
    }

    /// The number of a dimension in the table; 0 is everything. Numbers are stored, so they stay.
    static func code(of dimension: Dimension?) -> Int? {
        guard let dimension else { return 0 }
        return SpendQuery.groupable.firstIndex(of: dimension).map { $0 + 1 }
    }

    static let columns = "events, unpriced, input_tokens, output_tokens, cost_nanousd"

    static let tables: String = {
        var sql = """
            create table spend_sums (
                dimension integer not null,
                hour integer not null,
                value integer not null,
                events integer not null,
                unpriced integer not null,
                input_tokens integer not null,
                output_tokens integer not null,
                cost_nanousd integer not null,
                primary key (dimension, hour, value)
            ) without rowid;

            """
        // Roll-ups of before.
        for dimension in [nil] + SpendQuery.groupable.map(Optional.some) {
            guard let code = code(of: dimension) else { continue }
            let hours = hours(of: dimension)
            let value = dimension.map { SpendQuery.key(of: $0) } ?? "0"
            sql += """
                insert into spend_sums (dimension, hour, value, \(columns))
                    select \(code), quarter / \(4 * hours) * \(hours) as hour, \(value) as value,
                        sum(events), sum(iif(facts >> 8 & 15, 0, events)), sum(input_tokens),
                        sum(output_tokens), sum(cost_nanousd)
                    from rollups group by hour, value order by hour, value;

                """
        }
        return sql
    }()
}

/// Adds what a checkpoint brings to the stored sums.
struct SpendSumsWriter: ~Copyable {
    private var upsert: Statement
    /// Value -> its place in `touched` plus one, for the hour that is being summed.
    private var places: [UInt32] = []
    private var touched: [Entry] = []

    private struct Entry {
        let value: UInt32
        var events: Int64 = 0
        var unpriced: Int64 = 0
        var input: Int64 = 0
        var output: Int64 = 0
        var cost: Int64 = 0
    }

    init(_ database: borrowing Database) throws(SQLiteError) {
        upsert = try database.prepare(
            """
            insert into spend_sums (dimension, hour, value, \(SpendSums.columns))
            values (?, ?, ?, ?, ?, ?, ?, ?)
            on conflict do update set events = events + excluded.events,
                unpriced = unpriced + excluded.unpriced,
                input_tokens = input_tokens + excluded.input_tokens,
                output_tokens = output_tokens + excluded.output_tokens,
                cost_nanousd = cost_nanousd + excluded.cost_nanousd
            """, isKept: true)
    }

    /// The entries stand in the order of their time.
    mutating func write(_ delta: RollUpDelta) throws(SQLiteError) {
        try write(delta, nil) { _ in 0 }
        for dimension in SpendQuery.groupable {
            switch dimension {
            case .tenant: try write(delta, dimension) { $0.tenant }
            case .user: try write(delta, dimension) { $0.user }
            case .feature: try write(delta, dimension) { $0.feature }
            case .agent: try write(delta, dimension) { $0.agent }
            case .operation: try write(delta, dimension) { $0.operation }
            case .provider: try write(delta, dimension) { $0.provider }
            case .model: try write(delta, dimension) { $0.model }
            case .status: try write(delta, dimension) { $0.facts & 15 }
            case .stage: try write(delta, dimension) { $0.facts >> 4 & 15 }
            default: preconditionFailure("BUG: \(dimension) has no sums")
            }
        }
    }

    @inline(__always)
    private mutating func write(
        _ delta: RollUpDelta, _ dimension: Dimension?, _ value: (RollUpDelta.Key) -> UInt32
    ) throws(SQLiteError) {
        let hours = UInt32(SpendSums.hours(of: dimension))
        var hour: UInt32 = 0
        for index in delta.entries.indices {
            let entry = delta.entries[index]
            let next = entry.key.quarter / (4 * hours) * hours
            if next != hour {
                try flush(dimension, hour)
                hour = next
            }
            let place = place(of: value(entry.key))
            touched[place].events += entry.sums.events
            if entry.key.facts >> 8 & 15 == 0 { touched[place].unpriced += entry.sums.events }
            touched[place].input += entry.sums.input
            touched[place].output += entry.sums.output
            touched[place].cost += entry.sums.cost
        }
        try flush(dimension, hour)
    }

    @inline(__always)
    private mutating func place(of value: UInt32) -> Int {
        if value >= places.count {
            places += [UInt32](repeating: 0, count: Int(value) + 1 - places.count + 1024)
        }
        let known = places[Int(value)]
        if known > 0 { return Int(known) - 1 }
        touched.append(Entry(value: value))
        places[Int(value)] = UInt32(touched.count)
        return touched.count - 1
    }

    private mutating func flush(_ dimension: Dimension?, _ hour: UInt32) throws(SQLiteError) {
        defer {
            for entry in touched { places[Int(entry.value)] = 0 }
            touched.removeAll(keepingCapacity: true)
        }
        guard let code = SpendSums.code(of: dimension) else { return }
        for entry in touched {
            try upsert.bind(1, Int64(code))
            try upsert.bind(2, Int64(hour))
            try upsert.bind(3, Int64(entry.value))
            try upsert.bind(4, entry.events)
            try upsert.bind(5, entry.unpriced)
            try upsert.bind(6, entry.input)
            try upsert.bind(7, entry.output)
            try upsert.bind(8, entry.cost)
            try upsert.run()
        }
    }
}
