public import JSON
internal import Pricing
public import SQLite
internal import Wire

/// `stored_prices`: the rows of `PUT /v1/prices`, each as the JSON object that was sent.
public enum StoredPricesTable {
    public static let tables = """
        create table stored_prices (
            key text not null,
            valid_from integer not null,
            fields text not null,
            stored_ns integer not null,
            primary key (key, valid_from)
        ) without rowid
        """

    /// Rows that this version cannot read are answered by name and left where they are.
    public static func read(
        from database: borrowing Database
    ) throws(SQLiteError) -> (prices: StoredPrices, unreadable: [String]) {
        var select = try database.prepare(
            "select key, fields from stored_prices order by key, valid_from")
        var prices: [StoredPrice] = []
        var unreadable: [String] = []
        while try select.step() {
            let json = try? JSONValue.read(select.bytes(1))
            let fields = json.flatMap { PriceFields.fields(of: $0) } ?? []
            if let row = PriceFields.read(fields).row {
                prices.append(StoredPrice(fields: fields, row: row))
            } else {
                unreadable.append(select.text(0))
            }
        }
        return (StoredPrices(prices), unreadable)
    }

    public static func write(
        _ change: StoredPrices.Change, to database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        var delete = try database.prepare(
            "delete from stored_prices where key = ? and valid_from = ?")
        for gone in change.withdrawn {
            delete.reset()
            try delete.bind(1, gone.key.lowercased())
            try delete.bind(2, gone.validFrom)
            try delete.run()
        }
        var insert = try database.prepare(
            """
            insert or replace into stored_prices (key, valid_from, fields, stored_ns)
            values (?, ?, ?, ?)
            """)
        for price in change.stored {
            insert.reset()
            try insert.bind(1, price.row.key.lowercased())
            try insert.bind(2, price.row.validFrom)
            try insert.bind(3, text: PriceFields.json(price.fields).span)
            try insert.bind(4, now)
            try insert.run()
        }
    }
}

extension PriceFields {
    /// The members of a JSON object; numbers keep their digits. Nil when a value is no single one.
    public static func fields(of json: JSONValue) -> [Field]? {
        guard let members = json.members else { return nil }
        var fields: [Field] = []
        for (key, value) in members {
            switch value {
            case .null: fields.append(Field(key, ""))
            case .boolean(let flag): fields.append(Field(key, flag ? "true" : "false"))
            case .number(let literal): fields.append(Field(key, literal))
            case .string(let text): fields.append(Field(key, text))
            case .array, .object: return nil
            }
        }
        return fields
    }

    /// The object again, all values as texts.
    public static func json(_ fields: [Field]) -> [UInt8] {
        var json: [UInt8] = []
        for field in fields {
            json.append(UInt8(ascii: json.isEmpty ? "{" : ","))
            json.appendJSONString(field.key)
            json.append(UInt8(ascii: ":"))
            json.appendJSONString(field.text)
        }
        if json.isEmpty { json.append(UInt8(ascii: "{")) }
        json.append(UInt8(ascii: "}"))
        return json
    }
}
