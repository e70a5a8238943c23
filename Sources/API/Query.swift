internal import HTTPServer
internal import JSON
internal import Wire

/// The parameters of a request, as its thread read them.
struct Query: Sendable {
    let items: [(name: String, value: String)]

    /// Entries of a page.
    static let limitDefault = 100
    static let limitMax = 1000

    /// The tenant that the request may see; nil: all.
    private let owner: String?

    init(_ exchange: HTTPExchange) {
        items = exchange.queryItems
        owner = exchange.owner
    }

    /// Those that may be empty: no dimension, the first page.
    private static let emptyNames = ["group_by", "cursor"]

    /// The value of that name, once `allow` has passed; nil when it is missing.
    func text(_ name: String) -> String? {
        if name == "tenant", let owner { return owner }
        return given(name)
    }

    private func given(_ name: String) -> String? {
        items.first { $0.name == name }.flatMap { $0.value.isEmpty ? nil : $0.value }
    }

    /// A parameter that nobody reads, a second value and an empty one are mistakes of the caller:
    /// the answer would be about something else than he means.
    func allow(_ names: [String]) throws(APIError) {
        if let owner, items.contains(where: { $0.name == "tenant" && $0.value != owner }) {
            throw .foreignTenant
        }
        for item in items {
            guard names.contains(item.name) else {
                throw APIError(
                    status: 400, code: "unknown_parameter",
                    message: "there is no parameter \"\(item.name.prefix(100))\"; there are "
                        + names.joined(separator: ", "))
            }
            func bad(_ message: String) -> APIError {
                APIError(
                    status: 400, code: "bad_parameter", message: "\(item.name): \(message)")
            }
            let count = items.count { $0.name == item.name }
            if count > 1 { throw bad("is there \(count) times; it takes one value") }
            if item.value.isEmpty, !Self.emptyNames.contains(item.name) {
                throw bad("is empty; give it a value or leave it out")
            }
        }
    }

    func word<Word: RawRepresentable & CaseIterable>(
        _ name: String, _: Word.Type
    ) throws(APIError) -> Word? where Word.RawValue == String {
        guard let text = text(name) else { return nil }
        if let word = Word(rawValue: text) { return word }
        throw APIError(
            status: 400, code: "bad_parameter",
            message: "\(name): \"\(text.prefix(100))\" is not one of "
                + Word.allCases.map(\.rawValue).joined(separator: ", "))
    }

    func limit() throws(APIError) -> Int {
        guard let text = text("limit") else { return Self.limitDefault }
        if let limit = Int(text), (1...Self.limitMax).contains(limit) { return limit }
        throw APIError(
            status: 400, code: "bad_parameter",
            message: "limit: \"\(text.prefix(100))\" is not a number from 1 to \(Self.limitMax)")
    }

    static let badCursor = APIError(
        status: 400, code: "bad_parameter",
        message: "cursor: send the value of next_cursor from the page before")
}

extension HTTPResponse {
    static func json(_ bytes: [UInt8], status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", body: bytes + [0x0a])
    }

    /// `{"alerts":[...],"next_cursor":"..."}`; a full page has a cursor, also when nothing follows.
    static func page<Item>(
        _ name: String, _ items: [Item], limit: Int, _ append: (Item, inout [UInt8]) -> Void,
        cursor: (Item) -> String
    ) -> HTTPResponse {
        var bytes: [UInt8] = []
        bytes.append("{\"\(name)\":[")
        for (index, item) in items.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            append(item, &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
        if items.count == limit, let last = items.last {
            bytes.append(",\"next_cursor\":" as StaticString)
            bytes.appendJSONString(cursor(last))
        }
        bytes.append(UInt8(ascii: "}"))
        return .json(bytes)
    }
}
