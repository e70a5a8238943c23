internal import Usage
internal import Wire

/// Writes JSON member by member. Amounts are decimal strings, times RFC 3339 in UTC.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    private mutating func begin(_ key: String?) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        guard let key else { return }
        bytes.appendJSONString(key)
        bytes.append(UInt8(ascii: ":"))
    }

    mutating func object(_ key: String? = nil, _ body: (inout JSONWriter) -> Void) {
        begin(key)
        enclose("{", "}", body)
    }

    mutating func array(_ key: String? = nil, _ body: (inout JSONWriter) -> Void) {
        begin(key)
        enclose("[", "]", body)
    }

    private mutating func enclose(
        _ opening: StaticString, _ closing: StaticString, _ body: (inout JSONWriter) -> Void
    ) {
        bytes.append(opening)
        needsComma = false
        body(&self)
        bytes.append(closing)
        needsComma = true
    }

    mutating func add(_ key: String?, _ text: String) {
        begin(key)
        bytes.appendJSONString(text)
    }

    /// A number or a word of JSON, as it is.
    mutating func add(_ key: String?, literal: String) {
        begin(key)
        bytes.append(literal)
    }

    /// A value that is JSON already.
    mutating func add(_ key: String?, json: [UInt8]) {
        begin(key)
        bytes.append(contentsOf: json)
    }

    mutating func add(_ key: String, _ number: Int64) {
        begin(key)
        bytes.appendDecimal(number)
    }

    mutating func add(_ key: String, _ flag: Bool) { add(key, literal: flag ? "true" : "false") }

    mutating func add(_ key: String, usd amount: NanoUSD) {
        begin(key)
        bytes.append(UInt8(ascii: "\""))
        amount.append(fractionMin: 2, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func add(_ key: String, thousandths: Int64) {
        begin(key)
        FixedPoint.append(thousandths, scale: 3, to: &bytes)
    }

    mutating func add(_ key: String, unixSeconds: Int64) {
        add(key, moment: unixSeconds * 1_000_000_000)
    }

    /// To the millisecond.
    mutating func add(_ key: String, unixNanos: Int64) {
        add(key, moment: unixNanos / 1_000_000 * 1_000_000)
    }

    private mutating func add(_ key: String, moment: Int64) {
        begin(key)
        bytes.append(UInt8(ascii: "\""))
        RFC3339.append(unixNanos: moment, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    static func object(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.bytes.reserveCapacity(512)
        writer.object(nil, body)
        return writer.bytes
    }
}
