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

    /// The last value of that name; nil when it is missing or empty.
    func text(_ name: String) -> String? {
        if name == "tenant", let owner { return owner }
        return given(name)
    }

    private func given(_ name: String) -> String? {
        items.last { $0.name == name }.flatMap { $0.value.isEmpty ? nil : $0.value }
    }

    /// A parameter that nobody reads is a mistake of the caller.
    func allow(_ names: [String]) throws(APIError) {
        if let owner, let other = given("tenant"), other != owner { throw .foreignTenant }
        guard let unknown = items.first(where: { !names.contains($0.name) }) else { return }
        throw APIError(
            status: 400, code: "unknown_parameter",
            message: "there is no parameter \"\(unknown.name.prefix(100))\"; there are "
                + names.joined(separator: ", "))
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
