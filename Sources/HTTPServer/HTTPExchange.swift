import CMicroHTTPD
internal import Wire

/// One request and its response.
///
/// It belongs to the server's thread until `park`, then to the one thread that was given it, and
/// after `respond` to the server's thread again.
@safe
public final class HTTPExchange: @unchecked Sendable {
    // The hand-over between threads is ordered by the queue that carries the exchange there and by
    // libmicrohttpd's own lock (suspend and resume) on the way back; no field is touched in
    // between.

    public let method: HTTPMethod
    /// As sent, still percent-encoded, without the query.
    public let path: String
    /// The body, when `bodyOutcome` is complete.
    var body: [UInt8] = []
    public internal(set) var bodyOutcome = HTTPBodyOutcome.complete
    /// Monotonic nanoseconds at which the head was complete; set by the handler that measures.
    public var startedNanos: UInt64 = 0
    /// Which of its routes the handler has found; nil: none yet.
    public var route: Int?
    /// The one tenant that the request may see and change; nil: all. Set by the handler that checks
    /// its token.
    public var owner: String?
    /// The name of the token, for the audit. Set by the handler that checks it.
    public var principal = "anonymous"

    let connection: OpaquePointer
    let server: HTTPServer
    var bytesMax = 0
    var refusal: HTTPResponse?
    private var response: HTTPResponse?
    private(set) var isParked = false
    /// Body bytes that count against the server's common bound.
    var countedBytes = 0

    init(
        connection: OpaquePointer, server: HTTPServer, method: HTTPMethod, path: String
    ) {
        unsafe self.connection = connection
        self.server = server
        self.method = method
        self.path = path
    }

    /// Hands the body over; the exchange keeps none.
    public func takeBody() -> [UInt8] {
        defer { body = [] }
        server.releaseBody(of: self)
        return body
    }

    /// Suspends the connection: the server's thread goes on with others until `respond`.
    public func park() {
        precondition(!isParked && response == nil, "BUG: parked twice or after the response")
        isParked = true
        unsafe MHD_suspend_connection(connection)
    }

    /// From any thread, once.
    public func respond(_ response: HTTPResponse) {
        precondition(self.response == nil, "BUG: a second response to \(method.rawValue) \(path)")
        self.response = response
        // Nothing may follow the resume: the server's thread owns the exchange from then on.
        if isParked { unsafe MHD_resume_connection(connection) }
    }

    func takeResponse() -> HTTPResponse? { response }

    /// The first header of that name, ignoring case.
    public func header(_ name: String) -> String? {
        guard let value = unsafe MHD_lookup_connection_value(connection, .HEADER_KIND, name)
        else { return nil }
        return unsafe String(cString: value)
    }

    /// The address of the peer, without its port; empty when it is not known. Before `park` only.
    public var clientAddress: String {
        var text = [CChar](repeating: 0, count: 64)
        unsafe costgauge_mhd_client(connection, &text, text.count)
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Every value of a query parameter, percent-decoded, in order.
    public func query(_ name: String) -> [String] {
        queryItems.filter { $0.name == name }.map(\.value)
    }

    public var queryItems: [(name: String, value: String)] {
        let collector = QueryCollector()
        let context = unsafe Unmanaged.passUnretained(collector).toOpaque()
        unsafe MHD_get_connection_values(connection, .GET_ARGUMENT_KIND, collectQuery, context)
        return collector.items
    }
}

private final class QueryCollector {
    var items: [(name: String, value: String)] = []
}

private func collectQuery(
    _ context: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind,
    _ name: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?
) -> MHD_Result {
    guard let context = unsafe context, let name = unsafe name else { return .YES }
    let collector = unsafe Unmanaged<QueryCollector>.fromOpaque(context).takeUnretainedValue()
    let text = unsafe value.map { unsafe String(cString: $0) } ?? ""
    collector.items.append(
        (
            PercentEncoding.decode(unsafe String(cString: name)) ?? "",
            PercentEncoding.decode(text) ?? text
        ))
    return .YES
}
