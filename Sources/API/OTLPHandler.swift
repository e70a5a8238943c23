internal import HTTPServer
internal import OTLP

/// `POST /v1/traces`, `/v1/metrics` and `/v1/logs`: OTLP over HTTP. Every answer is in the encoding
/// of the request, as the specification demands.
/// https://opentelemetry.io/docs/specs/otlp/#otlphttp
struct OTLPHandler: Sendable {
    let receiver: OTLPReceiver
    let bodies: EventBodies

    /// What the head alone decides.
    func admit(_ exchange: HTTPExchange) throws(APIError) {
        guard encoding(exchange) != nil else {
            let type = exchange.header("Content-Type") ?? "none"
            throw APIError(
                status: 415, code: "unsupported_content_type",
                message: "Content-Type \"\(type.prefix(100))\" is not read here; send "
                    + "application/x-protobuf or application/json")
        }
        try BodyDecoding.check(exchange)
    }

    private func encoding(_ exchange: HTTPExchange) -> OTLPEncoding? {
        let type = exchange.header("Content-Type") ?? ""
        return OTLPEncoding(mediaType: String(type.prefix { $0 != ";" && $0 != " " }))
    }

    func handle(
        _ exchange: HTTPExchange, _ signal: OTLPSignal,
        respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        guard let encoding = encoding(exchange) else { return }
        func refuse(_ status: Int, _ message: String, retryAfter: Int? = nil) {
            let answer = OTLPAnswer.refused(
                encoding, status: status, message, retryAfterSeconds: retryAfter)
            respond(answer.response)
        }
        do throws(BodyRefusal) {
            let body = try bodies.take(exchange)
            exchange.park()
            receiver.read(body, signal, encoding) { respond($0.response) }
        } catch {
            switch error {
            case .tooLarge: refuse(413, tooLarge)
            case .stopping: refuse(503, "costgauge is stopping; send again", retryAfter: 5)
            case .noRoom: refuse(429, "too many events wait for their commit", retryAfter: 1)
            case .malformed(let message): refuse(400, message)
            }
        }
    }

    private var tooLarge: String {
        "the body has more than \(bodies.bytesMax) bytes, after decompression too; send smaller batches or "
            + "raise web.body_bytes_max.otlp"
    }
}

extension OTLPAnswer {
    var response: HTTPResponse {
        HTTPResponse(
            status: status, contentType: contentType,
            headers: retryAfterSeconds.map { [("Retry-After", String($0))] } ?? [], body: body)
    }
}
