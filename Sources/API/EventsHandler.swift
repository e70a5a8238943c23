internal import HTTPServer
internal import Intake
internal import SelfMetrics
internal import Usage
internal import Wire

/// `POST /v1/events`: reads the body on the server's thread, parks the request until the commit.
struct EventsHandler: Sendable {
    let bodies: EventBodies

    private static let types: [StaticString] = [
        "application/json", "application/x-ndjson", "application/ndjson", "application/jsonl",
        "application/x-jsonlines", "application/json-lines",
    ]

    /// What the head alone decides.
    func admit(_ exchange: HTTPExchange) throws(APIError) {
        if exchange.mediaType(isOneOf: Self.types) == false {
            let type = exchange.header("Content-Type") ?? ""
            let media = type.prefix { $0 != ";" && $0 != " " }
            throw APIError(
                status: 415, code: "unsupported_content_type",
                message:
                    "Content-Type \"\(media.lowercased().prefix(100))\" is not read here; send "
                    + "application/json or application/x-ndjson")
        }
        try BodyDecoding.check(exchange)
        try checkKey(exchange)
        do throws(BodyRefusal) { try bodies.checkRoom() } catch { throw answer(error) }
    }

    func handle(_ exchange: HTTPExchange, respond: @escaping @Sendable (HTTPResponse) -> Void) {
        var body: [UInt8]
        do throws(BodyRefusal) {
            body = try bodies.take(exchange)
        } catch {
            return respond(answer(error).response)
        }
        let owner = exchange.owner
        exchange.park()
        bodies.intake.read(&body, from: .http, tenant: owner, key: key(of: exchange)) {
            report, outcome in
            respond(EventsAnswer(report: report, outcome: outcome).response)
        }
    }

    /// As text, or as the quoted string that the draft wants:
    /// https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07
    private func key(of exchange: HTTPExchange) -> [UInt8]? {
        guard let value = exchange.header("Idempotency-Key") else { return nil }
        let bytes = Array(value.utf8)
        let quote = UInt8(ascii: "\"")
        guard bytes.count >= 2, bytes.first == quote, bytes.last == quote else { return bytes }
        return Array(bytes[1..<bytes.count - 1])
    }

    private func checkKey(_ exchange: HTTPExchange) throws(APIError) {
        guard let key = key(of: exchange) else { return }
        let isVisible = key.allSatisfy { (UInt8(ascii: "!")...UInt8(ascii: "~")).contains($0) }
        guard isVisible, (1...EventIntake.idempotencyKeyBytesMax).contains(key.count) else {
            throw APIError(
                status: 400, code: "bad_header",
                message:
                    "Idempotency-Key has to be 1 to \(EventIntake.idempotencyKeyBytesMax) visible "
                    + "characters, such as a UUID, another one for each body")
        }
    }

    private func answer(_ refusal: BodyRefusal) -> APIError {
        refusal.error(
            bytesMax: bodies.bytesMax,
            advice: "; send fewer events at a time or raise web.body_bytes_max.events")
    }
}

/// What the sender of events is told.
struct EventsAnswer {
    let report: IntakeReport
    let outcome: Receipt.Outcome

    /// What most senders of single events are told.
    private static let oneAccepted = EventsAnswer(report: IntakeReport(), outcome: .oneAccepted)
        .composed

    var response: HTTPResponse {
        report.isPlain && outcome == .oneAccepted ? Self.oneAccepted : composed
    }

    private var composed: HTTPResponse {
        if let failure = outcome.failure { return refusal(failure).response }
        if report.read == 0, report.textFaults > 0, report.textFaults == report.rejectedCount {
            return malformed.response
        }
        let isNothing =
            outcome.accepted == 0 && outcome.duplicates == 0 && report.rejectedCount > 0
        var body: [UInt8] = []
        body.append("{\"accepted\":" as StaticString)
        body.appendDecimal(Int64(outcome.accepted))
        body.append(",\"duplicates\":" as StaticString)
        body.appendDecimal(Int64(outcome.duplicates))
        body.append(",\"rejected\":[" as StaticString)
        for (index, rejection) in report.rejections.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            append(rejection, to: &body)
        }
        body.append(UInt8(ascii: "]"))
        if report.rejectedCount > report.rejections.count {
            body.append(",\"rejected_total\":" as StaticString)
            body.appendDecimal(Int64(report.rejectedCount))
        }
        if !report.unknownFields.isEmpty { appendUnknownFields(to: &body) }
        body.append("}\n" as StaticString)
        return HTTPResponse(
            status: isNothing ? 422 : 200, contentType: "application/json", body: body)
    }

    private func append(_ rejection: Rejection, to body: inout [UInt8]) {
        body.append("{\"line\":" as StaticString)
        body.appendDecimal(Int64(rejection.line))
        body.append(",\"index\":" as StaticString)
        body.appendDecimal(Int64(rejection.index))
        body.append(",\"field\":" as StaticString)
        body.appendJSONString(rejection.field)
        body.append(",\"reason\":" as StaticString)
        body.appendJSONString(rejection.reason.rawValue)
        body.append(",\"message\":" as StaticString)
        body.appendJSONString(
            rejection.field.isEmpty ? rejection.message : "\(rejection.field) \(rejection.message)")
        if let offset = rejection.offset {
            body.append(",\"offset\":" as StaticString)
            body.appendDecimal(Int64(offset))
        }
        body.append(UInt8(ascii: "}"))
    }

    private func appendUnknownFields(to body: inout [UInt8]) {
        body.append(",\"ignored_fields\":[" as StaticString)
        for (index, name) in report.unknownFields.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body.appendJSONString(name)
        }
        body.append(UInt8(ascii: "]"))
    }

    private var malformed: APIError {
        let first = report.rejections.first
        let offset = first?.offset ?? 0
        return APIError(
            status: 400, code: "malformed_json",
            message:
                "byte \(offset), line \(first?.line ?? 1): \(first?.message ?? "not valid JSON"); "
                + "send one event, an array of events or one event a line",
            members: "\"offset\":\(offset),\"line\":\(first?.line ?? 1)")
    }

    private func refusal(_ failure: CommitFailure) -> APIError {
        let kept = "\"accepted\":\(outcome.accepted),\"duplicates\":\(outcome.duplicates)"
        switch failure {
        case .storeUnwritable:
            return APIError(
                status: 503, code: "store_unwritable",
                message:
                    "the store cannot write; events that are not counted as accepted here were "
                    + "not kept; send them again later",
                headers: [("Retry-After", "5")], members: kept)
        case .ledgerFull:
            return APIError(
                status: 422, code: "ledger_full",
                message: "the sum of all amounts would pass what 64-bit nano-dollars hold "
                    + "(9.2 thousand million dollars)", members: kept)
        case .stopping:
            var error = APIError.stopping
            error.members = kept
            return error
        }
    }
}
