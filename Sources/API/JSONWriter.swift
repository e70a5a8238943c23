internal import Usage
internal import Wire

/// Writes JSON member by member. Amounts are decimal strings, times RFC 3339 in UTC.
struct JSONWriter: ~Copyable {
    private var text = TextBuffer(capacity: 512)
    private var needsComma = false

    var bytes: [UInt8] { text.array }

    /// What stands around the JSON.
    mutating func frame(_ words: StaticString) { text.append(words) }

    /// Our own names hold nothing to escape.
    private mutating func begin(_ key: StaticString?) {
        if let key {
            text.append(jsonKey: key, isFirst: !needsComma)
        } else if needsComma {
            text.append(sign: UInt8(ascii: ","))
        }
        needsComma = true
    }

    private mutating func begin(name: String) {
        begin(nil)
        text.append(jsonString: name)
        text.append(sign: UInt8(ascii: ":"))
    }

    mutating func object(_ key: StaticString? = nil, _ body: (inout JSONWriter) -> Void) {
        begin(key)
        enclose(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    mutating func array(_ key: StaticString? = nil, _ body: (inout JSONWriter) -> Void) {
        begin(key)
        enclose(UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    mutating func array(name: String, _ body: (inout JSONWriter) -> Void) {
        begin(name: name)
        enclose(UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    private mutating func enclose(
        _ opening: UInt8, _ closing: UInt8, _ body: (inout JSONWriter) -> Void
    ) {
        text.append(sign: opening)
        needsComma = false
        body(&self)
        text.append(sign: closing)
        needsComma = true
    }

    mutating func add(_ key: StaticString?, _ value: String) {
        begin(key)
        text.append(jsonString: value)
    }

    mutating func add(name: String, _ value: String) {
        begin(name: name)
        text.append(jsonString: value)
    }

    /// A number or a word of JSON, as it is.
    mutating func add(_ key: StaticString?, literal: String) {
        begin(key)
        text.append(copying: literal.utf8Span.span)
    }

    /// A value that is JSON already.
    mutating func add(_ key: StaticString?, json: [UInt8]) {
        begin(key)
        text.append(copying: json.span)
    }

    mutating func add(_ key: StaticString, _ number: Int64) {
        begin(key)
        text.reserve(20)
        text.append(decimal: number)
    }

    mutating func add(_ key: StaticString, _ flag: Bool) {
        begin(key)
        text.append(flag ? "true" : "false" as StaticString)
    }

    mutating func add(_ key: StaticString, usd amount: NanoUSD) {
        begin(key)
        text.append(jsonUSD: amount.nanos)
    }

    mutating func add(_ key: StaticString, thousandths: Int64) {
        begin(key)
        text.append(FixedPoint.text(thousandths, scale: 3))
    }

    mutating func add(_ key: StaticString, unixSeconds: Int64) {
        add(key, quoted: RFC3339.shortText(unixNanos: unixSeconds * 1_000_000_000))
    }

    /// To the millisecond.
    mutating func add(_ key: StaticString, unixNanos: Int64) {
        add(key, quoted: RFC3339.shortText(unixNanos: unixNanos / 1_000_000 * 1_000_000))
    }

    private mutating func add(_ key: StaticString, quoted value: ShortText) {
        begin(key)
        text.append(jsonString: value)
    }

    static func object(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(nil, body)
        return writer.bytes
    }
}
