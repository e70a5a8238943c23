internal import Wire

extension JSONDocument {
    /// Lends the one value that `bytes` hold. `body` moves the token behind it.
    public static func read<Value>(
        _ bytes: [UInt8],
        _ body: (borrowing JSONDocument, inout Int) throws(JSONFault) -> Value
    ) throws(JSONFault) -> Value {
        var padded = bytes
        JSONIndexer.pad(&padded)
        var indexer = JSONIndexer()
        let outcome: Result<Value, JSONFault>
        do throws(JSONTextFault) {
            outcome = try indexer.read(padded.span, 0..<bytes.count) { document in
                do throws(JSONFault) {
                    var token = 0
                    let value = try body(document, &token)
                    try document.checkEnd(token)
                    return .success(value)
                } catch { return .failure(error) }
            }
        } catch {
            throw JSONFault(offset: 0, message: error.description)
        }
        return try outcome.get()
    }

    public func fault(_ token: Int, _ message: String) -> JSONFault {
        JSONFault(offset: offset(token), message: message)
    }

    /// `token` stands behind the one value of the text.
    public func checkEnd(_ token: Int) throws(JSONFault) {
        guard token == tokenCount else { throw fault(token, "text after the value") }
    }

    /// What a whole reading finds wrong with the text, escapes included; nil: nothing.
    public func findFault() -> JSONFault? {
        do throws(JSONFault) {
            var token = 0
            _ = try JSONValue.value(self, &token)
            try checkEnd(token)
            return nil
        } catch { return error }
    }

    /// Calls `body` at the value of each member of the object that begins at `token`, which then
    /// stands behind it; false: the value is skipped.
    @inlinable
    public func members(
        _ token: inout Int,
        _ body: (borrowing JSONDocument, inout Int, Text) throws(JSONFault) -> Bool
    ) throws(JSONFault) {
        guard kind(token) == UInt8(ascii: "{") else { throw fault(token, "an object is expected") }
        try entries(&token, until: UInt8(ascii: "}")) { (document, token) throws(JSONFault) in
            guard let key = document.string(token), document.kind(token + 1) == UInt8(ascii: ":")
            else { throw document.fault(token, "a key and a colon are expected") }
            token += 2
            if try !body(document, &token, key) { token = try document.skip(token) }
        }
    }

    /// Calls `body` at each element of the array that begins at `token`; it moves the token behind
    /// the element.
    public func elements(
        _ token: inout Int,
        _ body: (borrowing JSONDocument, inout Int) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        guard kind(token) == UInt8(ascii: "[") else { throw fault(token, "a list is expected") }
        try entries(&token, until: UInt8(ascii: "]"), body)
    }

    /// `token` moves from the opening bracket behind the closing one.
    @inlinable
    func entries(
        _ token: inout Int, until closing: UInt8,
        _ body: (borrowing JSONDocument, inout Int) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        token += 1
        if kind(token) == closing {
            token += 1
            return
        }
        while true {
            try body(self, &token)
            let kind = kind(token)
            guard kind == closing || kind == UInt8(ascii: ",") else {
                throw fault(token, "a comma is expected")
            }
            token += 1
            if kind == closing { return }
        }
    }

    /// The string at `token`, its escapes resolved.
    public func text(_ token: Int) throws(JSONFault) -> String {
        guard let text = string(token) else { throw fault(token, "a string is expected") }
        return try self.text(text)
    }

    public func text(_ text: Text) throws(JSONFault) -> String {
        let range = text.offset..<text.offset + text.length
        guard text.isEscaped else { return withBytes(range) { String(copying: $0) } }
        var unescaped: [UInt8] = []
        try unescape(text, into: &unescaped)
        return String(decoding: unescaped, as: UTF8.self)
    }
}
