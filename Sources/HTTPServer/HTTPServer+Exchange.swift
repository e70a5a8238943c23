import CMicroHTTPD
internal import Synchronization

// The life of a request, always on the server's thread: begin -> receive* -> finish, and finish
// again in later rounds until its response goes out.
extension HTTPServer {
    func begin(_ exchange: HTTPExchange) -> MHD_Result {
        loop.noteRequest()
        switch handler.admit(exchange) {
        case .receive(let bytesMax):
            exchange.bytesMax = bytesMax
            guard let length = exchange.contentLength else { return .YES }
            if length > bytesMax {
                exchange.bodyOutcome = .tooLarge
                if exchange.isUnworthReading(length) { return answerUnread(exchange) }
            } else {
                exchange.body.reserveCapacity(min(length, 1 << 20) + 64)
            }
            return .YES
        case .refuse(let response):
            exchange.refusal = response
            guard let length = exchange.contentLength else {
                return exchange.has(header: "Transfer-Encoding")
                    ? .YES : send(response, to: exchange)
            }
            // Unread bytes at the close would reset the connection and lose the answer.
            return exchange.isUnworthReading(length) ? send(response, to: exchange) : .YES
        }
    }

    /// Answers before the body came, which then does not come.
    private func answerUnread(_ exchange: HTTPExchange) -> MHD_Result {
        handler.handle(exchange)
        guard !exchange.isParked, let response = exchange.takeResponse() else { return .YES }
        return send(response, to: exchange)
    }

    func receive(_ bytes: UnsafeBufferPointer<UInt8>, for exchange: HTTPExchange) {
        loop.steps += 1
        guard exchange.refusal == nil, exchange.bodyOutcome == .complete else { return }
        let total = exchange.body.count + bytes.count
        if total > exchange.bytesMax {
            drop(exchange, .tooLarge)
        } else if bodyBytes.add(bytes.count, ordering: .relaxed).newValue > settings.bodiesBytesMax
        {
            bodyBytes.subtract(bytes.count, ordering: .relaxed)
            drop(exchange, .overloaded)
        } else {
            unsafe exchange.body.append(contentsOf: bytes)
            exchange.countedBytes = total
        }
    }

    func finish(_ exchange: HTTPExchange) -> MHD_Result {
        if exchange.isParked { return lookAgain(exchange) }
        if let response = exchange.takeResponse() {
            // Without its response libmicrohttpd asks again in the next round.
            guard loop.isReleasing else { return .YES }
            exchange.letGo()
            return send(response, to: exchange)
        }
        loop.steps += 1
        if let refusal = exchange.refusal { return send(refusal, to: exchange) }
        handler.handle(exchange)
        if !exchange.isParked { exchange.hold() }
        return .YES
    }

    /// A parked exchange, asked about again: in place in every round, suspended once resumed.
    private func lookAgain(_ exchange: HTTPExchange) -> MHD_Result {
        switch exchange.parking.load(ordering: .acquiring) {
        case .answered:
            loop.steps += 1
            exchange.leavePlace()
            guard let response = exchange.takeResponse() else { return .NO }
            return send(response, to: exchange)
        case .inPlace where loop.round - exchange.parkedInRound > ServerLoop.roundsInPlaceMax:
            loop.steps += 1
            exchange.leavePlace()
            exchange.suspend()
            return .YES
        case .inPlace, .suspended, .none: return .YES
        }
    }

    /// The request is over, answered or not.
    func end(_ exchange: HTTPExchange) {
        loop.steps += 1
        exchange.leavePlace()
        exchange.letGo()
        releaseBody(of: exchange)
    }

    /// Gives the body's share of the common bound back, once.
    func releaseBody(of exchange: HTTPExchange) {
        bodyBytes.subtract(exchange.countedBytes, ordering: .relaxed)
        exchange.countedBytes = 0
    }

    private func drop(_ exchange: HTTPExchange, _ outcome: HTTPBodyOutcome) {
        exchange.bodyOutcome = outcome
        exchange.body = []
        releaseBody(of: exchange)
    }

    private func send(_ response: HTTPResponse, to exchange: HTTPExchange) -> MHD_Result {
        if let last = lastReply, last.isOf(response) {
            return unsafe MHD_queue_response(
                exchange.connection, UInt32(response.status), last.reply)
        }
        guard let reply = unsafe reply(response) else { return .NO }
        defer { unsafe keepOrDestroy(reply, of: response) }
        return unsafe MHD_queue_response(exchange.connection, UInt32(response.status), reply)
    }

    private func reply(_ response: HTTPResponse) -> OpaquePointer? {
        let created =
            response.body.count < LentBody.bytesMin
            ? unsafe Self.copied(response.body) : unsafe LentBody.lend(response.body)
        guard let reply = unsafe created else { return nil }
        func add(_ name: String, _ value: String) {
            _ = unsafe name.withCString { name in
                unsafe value.withCString { value in
                    unsafe MHD_add_response_header(reply, name, value)
                }
            }
        }
        add("Content-Type", response.contentType)
        for (name, value) in settings.headers { add(name, value) }
        for (name, value) in response.headers where !settings.replaces(name) { add(name, value) }
        return unsafe reply
    }

    private static func copied(_ body: [UInt8]) -> OpaquePointer? {
        unsafe body.withUnsafeBytes { bytes in
            unsafe MHD_create_response_from_buffer(
                bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                .RESPMEM_MUST_COPY)
        }
    }

    /// libmicrohttpd lets go of a reply when its last connection has sent it.
    private func keepOrDestroy(_ reply: OpaquePointer, of response: HTTPResponse) {
        guard LastReply.canHold(response) else { return unsafe MHD_destroy_response(reply) }
        if let last = lastReply { unsafe MHD_destroy_response(last.reply) }
        lastReply = unsafe LastReply(response: response, reply: reply)
    }
}

/// The reply that was made last. Short answers repeat themselves: "one event was accepted".
@safe
struct LastReply {
    private static let bytesMax = 256

    let response: HTTPResponse
    let reply: OpaquePointer

    static func canHold(_ response: HTTPResponse) -> Bool {
        response.headers.isEmpty && response.body.count <= bytesMax
    }

    func isOf(_ other: HTTPResponse) -> Bool {
        other.headers.isEmpty && other.body == response.body
            && other.contentType == response.contentType
    }
}

/// A long body, lent to libmicrohttpd until it is sent: a page of metrics is not held twice.
@safe
private final class LentBody {
    /// For shorter ones a copy costs less.
    static let bytesMin = 64 * 1024

    private let bytes: [UInt8]

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func lend(_ bytes: [UInt8]) -> OpaquePointer? {
        let owner = unsafe Unmanaged.passRetained(LentBody(bytes))
        // The bytes of an array stay where they are while it is kept and not written to.
        let created = unsafe bytes.withUnsafeBytes { bytes in
            unsafe MHD_create_response_from_buffer_with_free_callback_cls(
                bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), giveBack,
                owner.toOpaque())
        }
        if unsafe created == nil { unsafe owner.release() }
        return unsafe created
    }
}

/// The one place that releases a lent body.
private func giveBack(_ owner: UnsafeMutableRawPointer?) {
    guard let owner = unsafe owner else { return }
    unsafe Unmanaged<LentBody>.fromOpaque(owner).release()
}

extension HTTPExchange {
    /// The announced length; nil for a chunked body and for none.
    var contentLength: Int? { number(inHeader: "Content-Length") }

    /// A body that nobody will read: too long to drain, or one that the client has not begun to
    /// send.
    func isUnworthReading(_ length: Int) -> Bool {
        length == 0 || length > HTTPServer.drainBytesMax || has(header: "Expect")
    }
}
