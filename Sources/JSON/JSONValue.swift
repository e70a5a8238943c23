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
        var padded = bytes
        JSONIndexer.pad(&padded)
        var indexer = JSONIndexer()
        let outcome: Result<JSONValue, JSONFault>
        do throws(JSONTextFault) {
            outcome = try indexer.read(padded.span, 0..<bytes.count) { document in
                do throws(JSONFault) {
                    var token = 0
                    let value = try Self.value(document, &token, depth: 0)
                    guard token == document.tokenCount else {
                        throw JSONFault(
                            offset: document.offset(token), message: "text after the value")
                    }
                    return .success(value)
                } catch { return .failure(error) }
            }
        } catch {
            throw JSONFault(offset: 0, message: error.description)
        }
        return try outcome.get()
    }

    private static func value(
        _ document: borrowing JSONDocument, _ token: inout Int, depth: Int
    ) throws(JSONFault) -> JSONValue {
        guard depth < depthMax else {
            throw JSONFault(
                offset: document.offset(token), message: "nested deeper than \(depthMax)")
        }
        switch document.kind(token) {
        case UInt8(ascii: "{"): return try object(document, &token, depth: depth)
        case UInt8(ascii: "["): return try array(document, &token, depth: depth)
        case UInt8(ascii: "\""):
            token += 1
            return .string(try string(document, token - 1))
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
            throw JSONFault(offset: document.offset(token), message: "not a JSON value")
        }
        return .number(literal: document.withBytes(range) { String(copying: $0) })
    }

    static func string(
        _ document: borrowing JSONDocument, _ token: Int
    ) throws(JSONFault) -> String {
        guard let text = document.string(token) else {
            throw JSONFault(offset: document.offset(token), message: "a string is expected")
        }
        let range = text.offset..<text.offset + text.length
        guard text.isEscaped else { return document.withBytes(range) { String(copying: $0) } }
        var unescaped: [UInt8] = []
        try document.unescape(text, into: &unescaped)
        return String(decoding: unescaped, as: UTF8.self)
    }

    private static func array(
        _ document: borrowing JSONDocument, _ token: inout Int, depth: Int
    ) throws(JSONFault) -> JSONValue {
        token += 1
        var items: [JSONValue] = []
        if document.kind(token) == UInt8(ascii: "]") {
            token += 1
            return .array(items)
        }
        while true {
            items.append(try value(document, &token, depth: depth + 1))
            if try closes(document, &token, UInt8(ascii: "]")) { return .array(items) }
        }
    }

    private static func object(
        _ document: borrowing JSONDocument, _ token: inout Int, depth: Int
    ) throws(JSONFault) -> JSONValue {
        token += 1
        var members: [(key: String, value: JSONValue)] = []
        if document.kind(token) == UInt8(ascii: "}") {
            token += 1
            return .object(members)
        }
        while true {
            let key = try string(document, token)
            guard document.kind(token + 1) == UInt8(ascii: ":") else {
                throw JSONFault(
                    offset: document.offset(token + 1), message: "a colon is expected after a key")
            }
            token += 2
            members.append((key, try value(document, &token, depth: depth + 1)))
            if try closes(document, &token, UInt8(ascii: "}")) { return .object(members) }
        }
    }

    /// Steps over a comma (false) or the closing bracket (true).
    private static func closes(
        _ document: borrowing JSONDocument, _ token: inout Int, _ bracket: UInt8
    ) throws(JSONFault) -> Bool {
        let kind = document.kind(token)
        guard kind == bracket || kind == UInt8(ascii: ",") else {
            throw JSONFault(offset: document.offset(token), message: "a comma is expected")
        }
        token += 1
        return kind == bracket
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

extension String {
    init(copying bytes: Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
