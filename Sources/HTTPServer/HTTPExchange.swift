import CMicroHTTPD
internal import Glibc
internal import Synchronization
internal import Wire

/// One request and its response.
///
/// It belongs to the server's thread until `park`, then to the one thread that was given it, and
/// after `respond` to the server's thread again.
@safe
public final class HTTPExchange: @unchecked Sendable {
    // The hand-over between threads is ordered by the queue that carries the exchange there and by
    // `parking` on the way back; no other field is touched in between.

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
    let parking = Atomic<Parking>(.none)
    private(set) var parkedInRound: UInt64 = 0
    private var hasPlace = false
    private var isHeld = false
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

    /// The server's thread goes on with others until `respond`. Call it on that thread.
    public func park() {
        precondition(!isParked && response == nil, "BUG: parked twice or after the response")
        isParked = true
        hasPlace = server.loop.takePlace()
        if hasPlace {
            parkedInRound = server.loop.round
            parking.store(.inPlace, ordering: .releasing)
        } else {
            parking.store(.suspended, ordering: .releasing)
            unsafe MHD_suspend_connection(connection)
        }
    }

    /// From in place, while it may be answered by another thread.
    func suspend() {
        unsafe MHD_suspend_connection(connection)
        let (isSuspended, _) = parking.compareExchange(
            expected: .inPlace, desired: .suspended, ordering: .acquiringAndReleasing)
        // Answered in the meantime, by somebody who saw it in place.
        if !isSuspended { unsafe MHD_resume_connection(connection) }
    }

    /// When it waited in place, it does so no more.
    func leavePlace() {
        if hasPlace { server.loop.leavePlace() }
        hasPlace = false
    }

    /// Its response waits for those of others.
    func hold() {
        isHeld = true
        server.loop.held += 1
    }

    func letGo() {
        if isHeld { server.loop.held -= 1 }
        isHeld = false
    }

    /// From any thread, once.
    public func respond(_ response: HTTPResponse) {
        precondition(self.response == nil, "BUG: a second response to \(method.rawValue) \(path)")
        self.response = response
        guard isParked else { return }
        // The server's thread owns the exchange from here on.
        let before = parking.exchange(.answered, ordering: .acquiringAndReleasing)
        if before == .suspended { unsafe MHD_resume_connection(connection) }
        server.loop.noteAnswer()
    }

    func takeResponse() -> HTTPResponse? { response }

    /// The first header of that name, ignoring case.
    public func header(_ name: StaticString) -> String? {
        unsafe value(ofHeader: name).map { unsafe String(cString: $0) }
    }

    /// For names that are known at run time only.
    public func header(named name: String) -> String? {
        unsafe MHD_lookup_connection_value(connection, .HEADER_KIND, name)
            .map { unsafe String(cString: $0) }
    }

    public func has(header name: StaticString) -> Bool {
        unsafe value(ofHeader: name) != nil
    }

    /// True when the media type in Content-Type, without its parameters and whatever its case, is
    /// one of these; nil without the header.
    public func mediaType(isOneOf types: [StaticString]) -> Bool? {
        guard let sent = unsafe value(ofHeader: "Content-Type") else { return nil }
        let length = unsafe strcspn(sent, "; ")
        return types.contains { type in
            guard type.utf8CodeUnitCount == length else { return false }
            return unsafe strncasecmp(sent, Self.text(type), length) == 0
        }
    }

    /// Decimal digits and nothing else; nil when the header is missing, something else or too big.
    func number(inHeader name: StaticString) -> Int? {
        guard let sent = unsafe value(ofHeader: name) else { return nil }
        var (number, at) = (0, 0)
        while case let digit = unsafe sent[at], digit != 0 {
            guard digit >= 0x30, digit <= 0x39, number < Int.max / 10 else { return nil }
            number = number * 10 + Int(digit - 0x30)
            at += 1
        }
        return at > 0 ? number : nil
    }

    private func value(ofHeader name: StaticString) -> UnsafePointer<CChar>? {
        unsafe MHD_lookup_connection_value(connection, .HEADER_KIND, Self.text(name))
    }

    private static func text(_ text: StaticString) -> UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
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
