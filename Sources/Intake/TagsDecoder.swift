internal import JSON
internal import Usage
internal import Wire

/// Tags become one canonical JSON object, keys sorted and values as strings, so that equal sets are
/// equal bytes and share one name.
enum TagsDecoder {
    /// `token` stands at the value of `tags` and moves behind it.
    static func read(
        _ document: borrowing JSONDocument, _ token: inout Int, _ rows: inout EventRows
    ) throws(EventFault) -> SourceText {
        guard document.kind(token) == UInt8(ascii: "{") else {
            throw .field(.tags, .wrongType, "must be an object of strings")
        }
        token += 1
        var tags: [(key: [UInt8], value: [UInt8])] = []
        if document.kind(token) == UInt8(ascii: "}") {
            token += 1
            return .none
        }
        while true {
            let key = try string(document, token)
            guard document.kind(token + 1) == UInt8(ascii: ":") else {
                throw .text(
                    JSONFault(offset: document.offset(token + 1), message: "a colon is expected"))
            }
            let value = try value(document, token + 2, of: key)
            token += 3
            if let value { try add(key, value, to: &tags) }
            let kind = document.kind(token)
            token += 1
            if kind == UInt8(ascii: "}") { break }
            guard kind == UInt8(ascii: ",") else {
                throw .text(
                    JSONFault(offset: document.offset(token - 1), message: "a comma is expected"))
            }
        }
        return try canonical(tags, &rows)
    }

    private static func add(
        _ key: [UInt8], _ value: [UInt8], to tags: inout [(key: [UInt8], value: [UInt8])]
    ) throws(EventFault) {
        guard !key.isEmpty, key.count <= Limits.tagKeyBytes else {
            throw .field(
                .tags, .tooLong,
                "key \"\(excerpt(key))\" has \(key.count) bytes; 1 to \(Limits.tagKeyBytes)"
            )
        }
        guard value.count <= Limits.textBytes else {
            throw .field(
                "tags.\(excerpt(key))", .tooLong,
                "has \(value.count) bytes; at most \(Limits.textBytes)")
        }
        guard !tags.contains(where: { $0.key == key }) else {
            throw .field("tags.\(excerpt(key))", .repeated, "stands twice in one event; keep one")
        }
        guard tags.count < Limits.tagsPerEvent else {
            throw .field(.tags, .tooMany, "has more than \(Limits.tagsPerEvent) keys")
        }
        tags.append((key, value))
    }

    /// The first bytes of a key, as a message shows them.
    private static func excerpt(_ key: [UInt8]) -> String {
        key.count <= 40 ? key.text : Array(key.prefix(40)).text + "..."
    }

    private static func canonical(
        _ tags: [(key: [UInt8], value: [UInt8])], _ rows: inout EventRows
    ) throws(EventFault) -> SourceText {
        var json: [UInt8] = [UInt8(ascii: "{")]
        for tag in tags.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            json.appendJSONString(tag.key.span)
            json.append(UInt8(ascii: ":"))
            json.appendJSONString(tag.value.span)
        }
        json.append(UInt8(ascii: "}"))
        guard json.count <= Limits.tagsBytes else {
            throw .field(.tags, .tooLong, "has \(json.count) bytes; at most \(Limits.tagsBytes)")
        }
        return json.count == 2 ? .none : SourceText(batch: rows.append(json.span))
    }

    /// Numbers and booleans are taken as their text; null drops the tag.
    private static func value(
        _ document: borrowing JSONDocument, _ token: Int, of key: [UInt8]
    ) throws(EventFault) -> [UInt8]? {
        if document.isNull(token) { return nil }
        if document.kind(token) == UInt8(ascii: "\"") { return try string(document, token) }
        guard document.isNumber(token) || document.boolean(token) != nil else {
            throw .field(
                "tags.\(excerpt(key))", .wrongType, "must be a string, a number or a boolean")
        }
        return copy(document, document.literal(token))
    }

    private static func string(
        _ document: borrowing JSONDocument, _ token: Int
    ) throws(EventFault) -> [UInt8] {
        guard let text = document.string(token) else {
            throw .text(JSONFault(offset: document.offset(token), message: "a string is expected"))
        }
        guard text.isEscaped else {
            return copy(document, text.offset..<text.offset + text.length)
        }
        var bytes: [UInt8] = []
        do throws(JSONFault) { try document.unescape(text, into: &bytes) } catch {
            throw .field(.tags, .malformed, "cannot be read: \(error.message)")
        }
        return bytes
    }

    private static func copy(_ document: borrowing JSONDocument, _ range: Range<Int>) -> [UInt8] {
        document.withBytes(range) { bytes in
            var copy: [UInt8] = []
            copy.append(copying: bytes)
            return copy
        }
    }
}
