internal import HTTPServer
internal import Intake
internal import LiteLLM
internal import Usage

/// `POST /v1/litellm`: LiteLLM's generic API callback. LiteLLM repeats a request, if at all, after
/// a 5xx and never after a 429, so overload answers 503.
struct LiteLLMHandler: Sendable {
    let receiver: LiteLLMReceiver
    let bodies: EventBodies

    func admit(_ exchange: HTTPExchange) throws(APIError) {
        try BodyDecoding.check(exchange)
        do throws(BodyRefusal) { try bodies.checkRoom() } catch { throw answer(error) }
    }

    func handle(_ exchange: HTTPExchange, respond: @escaping @Sendable (HTTPResponse) -> Void) {
        let body: [UInt8]
        do throws(BodyRefusal) {
            body = try bodies.take(exchange)
        } catch {
            return respond(answer(error).response)
        }
        exchange.park()
        do throws(LiteLLMFault) {
            try receiver.read(body) { report, outcome in
                respond(EventsAnswer(report: report, outcome: outcome).response)
            }
        } catch {
            respond(malformed(error).response)
        }
    }

    private func malformed(_ fault: LiteLLMFault) -> APIError {
        APIError(
            status: 400, code: "malformed_json",
            message: "\(fault.description); send what LiteLLM's generic API callback sends",
            members: "\"offset\":\(fault.offset)")
    }

    private func answer(_ refusal: BodyRefusal) -> APIError {
        refusal.error(
            bytesMax: bodies.bytesMax,
            advice: "; send fewer events at a time or raise web.body_bytes_max.litellm",
            noRoomStatus: 503)
    }
}
