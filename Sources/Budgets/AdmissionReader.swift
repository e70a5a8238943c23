internal import JSON
internal import Usage

/// Reads requests for admission where their bytes stand. One per thread that reads, or behind a
/// lock: its memory is used again.
public struct AdmissionReader: ~Copyable {
    private var indexer = JSONIndexer()
    private let keys = KeyTable(AdmissionField.allCases.map(\.name))

    public init() {}

    /// Takes the bytes of `body`, one JSON object. An empty one stands for an object without
    /// members.
    public mutating func read(_ body: inout [UInt8]) throws(AdmissionFault) -> AdmissionFields {
        var members = AdmissionMembers()
        if body.isEmpty { return try AdmissionFields(&members) }
        let length = body.count
        JSONIndexer.pad(&body)
        let fault: AdmissionFault?
        do throws(JSONTextFault) {
            fault = try indexer.read(body.span, 0..<length) { [keys] document in
                Self.find(keys, in: document, &members)
            }
        } catch {
            throw .text(JSONFault(offset: 0, message: error.description))
        }
        if let fault { throw fault }
        if !members.bytes.isEmpty { body.append(contentsOf: members.bytes) }
        members.bytes = []
        swap(&members.bytes, &body)
        return try AdmissionFields(&members)
    }

    private static func find(
        _ keys: KeyTable, in document: borrowing JSONDocument, _ members: inout AdmissionMembers
    ) -> AdmissionFault? {
        // What is stepped over is not read, so its escapes are looked at here.
        if document.hasBackslash, let fault = document.findFault() { return .text(fault) }
        guard document.kind(0) == UInt8(ascii: "{") else {
            return document.findFault().map { .text($0) } ?? .notAnObject
        }
        do throws(JSONFault) {
            var token = 0
            try document.members(&token) { (document, token, key) throws(JSONFault) in
                let words =
                    key.isEscaped
                    ? KeyWords(Array(try document.text(key).utf8)) : document.words(key)
                guard let field = keys.index(of: words).flatMap({ AdmissionField(rawValue: $0) })
                else {
                    members.unknown.note(key, document)
                    token = try document.skip(token, depth: 1)
                    return true
                }
                try read(field, document, &token, &members)
                return true
            }
            try document.checkEnd(token)
            return nil
        } catch {
            return .text(document.findFault() ?? error)
        }
    }

    /// Of two equal members the last one counts, and null is as good as none.
    private static func read(
        _ field: AdmissionField, _ document: borrowing JSONDocument, _ token: inout Int,
        _ members: inout AdmissionMembers
    ) throws(JSONFault) {
        var value = AdmissionMembers.Value()
        if field == .tags {
            members.tags = nil
            let tags = try JSONValue.value(document, &token, depth: 1)
            if tags != .null { members.tags = tags }
        } else if let text = document.string(token) {
            token += 1
            value.kind = .string
            value.text = try place(of: text, document, &members)
        } else if document.isNull(token) {
            token += 1
        } else {
            value.kind = document.isNumber(token) ? .number : .other
            value.text = TextRef(document.literal(token))
            token = try document.skip(token, depth: 1)
        }
        members[field] = value
    }

    /// Resolved strings go behind the padding of the body.
    private static func place(
        of text: JSONDocument.Text, _ document: borrowing JSONDocument,
        _ members: inout AdmissionMembers
    ) throws(JSONFault) -> TextRef {
        guard text.isEscaped else { return TextRef(text.offset..<text.offset + text.length) }
        let behind = document.length + JSONIndexer.padding
        let start = members.bytes.count
        try document.unescape(text, into: &members.bytes)
        return TextRef(behind + start..<behind + members.bytes.count)
    }
}

extension TextRef {
    fileprivate init(_ range: Range<Int>) {
        self.init(offset: UInt32(range.lowerBound), length: UInt32(range.count))
    }
}
