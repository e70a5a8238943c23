internal import Wire

/// A whole document in memory, for the control plane: API bodies, files, tests. Numbers keep their
/// literal, so that amounts stay exact. Cost events never take this way.
public indirect enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    case number(literal: String)
    case string(String)
    case array([JSONValue])
    /// Members in their order; of two equal keys the last one counts.
    case object([(key: String, value: JSONValue)])

    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let a), .boolean(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
        default: false
        }
    }

    public subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    public var array: [JSONValue]? {
        if case .array(let items) = self { items } else { nil }
    }

    public var members: [(key: String, value: JSONValue)]? {
        if case .object(let members) = self { members } else { nil }
    }

    public var literal: String? {
        if case .number(let literal) = self { literal } else { nil }
    }

    public var integer: Int? { literal.flatMap { Int($0) } }

    public var boolean: Bool? {
        if case .boolean(let value) = self { value } else { nil }
    }
}

extension JSONValue {
    static let depthMax = 64

    /// Reads exactly one document.
    public static func read(_ bytes: [UInt8]) throws(JSONFault) -> JSONValue {
        try JSONDocument.read(bytes) { (document, token) throws(JSONFault) in
            try value(document, &token, depth: 0)
        }
    }

    /// The value at `token`, which then stands behind it.
    public static func value(
        _ document: borrowing JSONDocument, _ token: inout Int, depth: Int = 0
    ) throws(JSONFault) -> JSONValue {
        guard depth < depthMax else {
            throw document.fault(token, "nested deeper than \(depthMax)")
        }
        switch document.kind(token) {
        case UInt8(ascii: "{"): return try object(document, &token, depth: depth)
        case UInt8(ascii: "["): return try array(document, &token, depth: depth)
        case UInt8(ascii: "\""):
            token += 1
            return .string(try document.text(token - 1))
        default: return try scalar(document, &token)
        }
    }

    private static func scalar(
        _ document: borrowing JSONDocument, _ token: inout Int
    ) throws(JSONFault) -> JSONValue {
        defer { token += 1 }
        if document.isNull(token) { return .null }
        if let value = document.boolean(token) { return .boolean(value) }
        let range = document.literal(token)
        guard document.isNumber(token), document.withBytes(range, isJSONNumber) else {
            throw document.fault(token, "not a JSON value")
        }
        return .number(literal: document.withBytes(range) { String(copying: $0) })
    }

    private static func array(
        _ document: borrowing JSONDocument, _ token: inout Int, depth: Int
    ) throws(JSONFault) -> JSONValue {
        var items: [JSONValue] = []
        try document.elements(&token) { (document, token) throws(JSONFault) in
            items.append(try value(document, &token, depth: depth + 1))
        }
        return .array(items)
    }

    private static func object(
        _ document: borrowing JSONDocument, _ token: inout Int, depth: Int
    ) throws(JSONFault) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        try document.members(&token) { (document, token, key) throws(JSONFault) in
            members.append(
                (try document.text(key), try value(document, &token, depth: depth + 1)))
            return true
        }
        return .object(members)
    }
}

/// RFC 8259 section 6: an optional minus, digits without leading zeros, a fraction, an exponent.
func isJSONNumber(_ text: Span<UInt8>) -> Bool {
    var at = 0
    func digits() -> Int {
        let start = at
        while at < text.count, text[at] &- UInt8(ascii: "0") < 10 { at += 1 }
        return at - start
    }
    if at < text.count, text[at] == UInt8(ascii: "-") { at += 1 }
    let whole = at
    let count = digits()
    guard count > 0, count == 1 || text[whole] != UInt8(ascii: "0") else { return false }
    if at < text.count, text[at] == UInt8(ascii: ".") {
        at += 1
        guard digits() > 0 else { return false }
    }
    if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
        at += 1
        if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") {
            at += 1
        }
        guard digits() > 0 else { return false }
    }
    return at == text.count
}
