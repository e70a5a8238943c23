internal import HTTPServer
internal import Intake
internal import LiteLLM
internal import Usage

/// `POST /v1/litellm`: LiteLLM's generic API callback. LiteLLM repeats a request, if at all, after
/// a 5xx and never after a 429, so overload answers 503.
struct LiteLLMHandler: Sendable {
    let receiver: LiteLLMReceiver
    let bytesMax: Int

    func admit(_ exchange: HTTPExchange) throws(APIError) {
        try BodyDecoding.check(exchange)
        try checkRoom()
    }

    private func checkRoom() throws(APIError) {
        if receiver.isClosed {
            throw APIError(
                status: 503, code: "stopping",
                message: "costgauge is stopping; send the events again",
                headers: [("Retry-After", "5")])
        }
        guard receiver.hasRoom else { throw Self.queueFull }
    }

    func handle(_ exchange: HTTPExchange, respond: @escaping @Sendable (HTTPResponse) -> Void) {
        let raw = exchange.takeBody()
        do throws(APIError) {
            switch exchange.bodyOutcome {
            case .complete: break
            case .tooLarge: throw tooLarge
            case .overloaded: throw Self.queueFull
            }
            try checkRoom()
            let header = exchange.header("Content-Encoding")
            switch BodyDecoding.read(raw, header, bytesMax: bytesMax) {
            case .tooLarge: throw tooLarge
            case .malformed(let message):
                throw APIError(status: 400, code: "malformed_gzip", message: message)
            case .body(let body): try read(body, exchange, respond)
            }
        } catch {
            respond(error.response)
        }
    }

    private func read(
        _ body: [UInt8], _ exchange: HTTPExchange,
        _ respond: @escaping @Sendable (HTTPResponse) -> Void
    ) throws(APIError) {
        exchange.park()
        do throws(LiteLLMFault) {
            try receiver.read(body) { report, outcome in
                respond(EventsAnswer(report: report, outcome: outcome).response)
            }
        } catch {
            throw APIError(
                status: 400, code: "malformed_json",
                message: "\(error.description); send what LiteLLM's generic API callback sends",
                members: "\"offset\":\(error.offset)")
        }
    }

    private var tooLarge: APIError {
        APIError(
            status: 413, code: "body_too_large",
            message:
                "the body has more than \(bytesMax) bytes, after decompression too; send fewer "
                + "events at a time or raise web.body_bytes_max.litellm")
    }

    static let queueFull = APIError(
        status: 503, code: "queue_full",
        message: "too many events wait for their commit; try again in a second",
        headers: [("Retry-After", "1")])
}
