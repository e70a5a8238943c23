public import SQLite
internal import Wire

/// A feature tag that somebody has registered. Events may carry others: those are listed as not
/// registered.
public struct Feature: Equatable, Sendable {
    public let tag: String
    public let name: String
    public let owner: String
    public let description: String
    /// Grows with each change.
    public var version: Int64
    /// Unix nanoseconds.
    public let created: Int64
    public let updated: Int64

    public static let countMax = 10_000
    public static let textBytesMax = 1000

    public init(
        tag: String, name: String, owner: String, description: String, version: Int64 = 1,
        created: Int64, updated: Int64
    ) {
        self.tag = tag
        self.name = name
        self.owner = owner
        self.description = description
        self.version = version
        self.created = created
        self.updated = updated
    }

    public func appendJSON(to bytes: inout [UInt8]) {
        bytes.append("{\"tag\":" as StaticString)
        bytes.appendJSONString(tag)
        bytes.append(",\"registered\":true" as StaticString)
        for (key, text) in [("name", name), ("owner", owner), ("description", description)]
        where !text.isEmpty {
            bytes.append(",\"\(key)\":")
            bytes.appendJSONString(text)
        }
        for (key, nanos) in [("created_at", created), ("updated_at", updated)] {
            bytes.append(",\"\(key)\":\"")
            bytes.append("\(RFC3339.text(unixNanos: nanos / 1_000_000 * 1_000_000))\"")
        }
        bytes.append(",\"version\":\(version)}")
    }
}

public enum FeatureTable {
    public static let tables = """
        create table features (
            tag text primary key,
            name text not null,
            owner text not null,
            description text not null,
            version integer not null,
            created_ns integer not null,
            updated_ns integer not null
        ) without rowid;
        """

    public static func write(
        _ feature: Feature, into database: borrowing Database
    ) throws(SQLiteError) {
        var insert = try database.prepare(
            "insert or replace into features values (?, ?, ?, ?, ?, ?, ?)")
        try insert.bind(1, feature.tag)
        try insert.bind(2, feature.name)
        try insert.bind(3, feature.owner)
        try insert.bind(4, feature.description)
        try insert.bind(5, feature.version)
        try insert.bind(6, feature.created)
        try insert.bind(7, feature.updated)
        try insert.run()
    }

    public static func delete(
        _ tag: String, from database: borrowing Database
    ) throws(SQLiteError) {
        var delete = try database.prepare("delete from features where tag = ?")
        try delete.bind(1, tag)
        try delete.run()
    }

    public static func find(
        _ tag: String, in database: borrowing Database
    ) throws(SQLiteError) -> Feature? {
        var select = try database.prepare("select * from features where tag = ?")
        try select.bind(1, tag)
        return try select.step() ? read(select) : nil
    }

    public static func count(in database: borrowing Database) throws(SQLiteError) -> Int {
        Int(try database.integer("select count(*) from features") ?? 0)
    }

    /// In the order of their tags.
    public static func all(in database: borrowing Database) throws(SQLiteError) -> [Feature] {
        var select = try database.prepare("select * from features order by tag")
        var features: [Feature] = []
        while try select.step() { features.append(read(select)) }
        return features
    }

    private static func read(_ row: borrowing Statement) -> Feature {
        Feature(
            tag: row.text(0), name: row.text(1), owner: row.text(2), description: row.text(3),
            version: row.integer(4), created: row.integer(5), updated: row.integer(6))
    }
}
