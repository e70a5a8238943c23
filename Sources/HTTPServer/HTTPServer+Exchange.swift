import CMicroHTTPD
internal import Synchronization

// The life of a request, always on the server's thread: begin -> receive* -> finish, and finish
// once more after a parked exchange was resumed.
extension HTTPServer {
    func begin(_ exchange: HTTPExchange) -> MHD_Result {
        switch handler.admit(exchange) {
        case .receive(let bytesMax):
            exchange.bytesMax = bytesMax
            guard let length = exchange.contentLength else { return .YES }
            if length > bytesMax {
                exchange.bodyOutcome = .tooLarge
                if exchange.isUnworthReading(length) { return finish(exchange) }
            } else {
                exchange.body.reserveCapacity(min(length, 1 << 20) + 64)
            }
            return .YES
        case .refuse(let response):
            exchange.refusal = response
            guard let length = exchange.contentLength else {
                return exchange.header("Transfer-Encoding") == nil
                    ? send(response, to: exchange) : .YES
            }
            // Unread bytes at the close would reset the connection and lose the answer.
            return exchange.isUnworthReading(length) ? send(response, to: exchange) : .YES
        }
    }

    func receive(_ bytes: UnsafeBufferPointer<UInt8>, for exchange: HTTPExchange) {
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
        if let response = exchange.refusal ?? exchange.takeResponse() {
            return send(response, to: exchange)
        }
        handler.handle(exchange)
        // A parked exchange belongs to another thread now and may not be looked at.
        guard !exchange.isParked, let response = exchange.takeResponse() else { return .YES }
        return send(response, to: exchange)
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
        let created = unsafe response.body.withUnsafeBytes { bytes in
            unsafe MHD_create_response_from_buffer(
                bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                .RESPMEM_MUST_COPY)
        }
        guard let reply = unsafe created else { return .NO }
        defer { unsafe MHD_destroy_response(reply) }
        unsafe MHD_add_response_header(reply, "Content-Type", response.contentType)
        for (name, value) in settings.headers {
            unsafe MHD_add_response_header(reply, name, value)
        }
        for (name, value) in response.headers where !settings.replaces(name) {
            unsafe MHD_add_response_header(reply, name, value)
        }
        return unsafe MHD_queue_response(exchange.connection, UInt32(response.status), reply)
    }
}

extension HTTPExchange {
    /// The announced length; nil for a chunked body and for none.
    var contentLength: Int? { header("Content-Length").flatMap { Int($0) } }

    /// A body that nobody will read: too long to drain, or one that the client has not begun to
    /// send.
    func isUnworthReading(_ length: Int) -> Bool {
        length == 0 || length > HTTPServer.drainBytesMax || header("Expect") != nil
    }
}
