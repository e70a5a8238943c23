internal import Gzip
internal import HTTPServer
internal import Intake
internal import SelfMetrics
internal import Usage
internal import Wire

/// `POST /v1/events`: reads the body on the server's thread, parks the request until the commit.
struct EventsHandler: Sendable {
    let intake: EventIntake
    /// Of the body as sent and, compressed, of what comes out.
    let bytesMax: Int

    private static let types: Set<String> = [
        "application/json", "application/x-ndjson", "application/ndjson", "application/jsonl",
        "application/x-jsonlines", "application/json-lines",
    ]

    /// What the head alone decides.
    func admit(_ exchange: HTTPExchange) throws(APIError) {
        if let type = exchange.header("Content-Type") {
            let media = type.prefix { $0 != ";" && $0 != " " }.lowercased()
            guard Self.types.contains(media) else {
                throw APIError(
                    status: 415, code: "unsupported_content_type",
                    message: "Content-Type \"\(media.prefix(100))\" is not read here; send "
                        + "application/json or application/x-ndjson")
            }
        }
        if let encoding = exchange.header("Content-Encoding")?.lowercased() {
            guard ["gzip", "x-gzip", "deflate", "identity"].contains(encoding) else {
                throw APIError(
                    status: 415, code: "unsupported_content_encoding",
                    message:
                        "Content-Encoding \"\(encoding.prefix(100))\" is not read here; send gzip, "
                        + "deflate or none")
            }
        }
        try checkRoom()
    }

    private func checkRoom() throws(APIError) {
        if intake.isClosed {
            throw APIError(
                status: 503, code: "stopping",
                message: "costgauge is stopping; send the events again",
                headers: [("Retry-After", "5")])
        }
        guard intake.hasRoom else { throw Self.queueFull }
    }

    func handle(_ exchange: HTTPExchange, respond: @escaping @Sendable (HTTPResponse) -> Void) {
        var body = exchange.takeBody()
        do throws(APIError) {
            switch exchange.bodyOutcome {
            case .complete: break
            case .tooLarge: throw tooLarge
            case .overloaded: throw Self.queueFull
            }
            // Again: many may have begun to send while there was room.
            try checkRoom()
            try inflate(&body, exchange.header("Content-Encoding")?.lowercased())
        } catch {
            respond(error.response)
            return
        }
        let owner = exchange.owner
        exchange.park()
        intake.read(&body, from: .http, tenant: owner) { report, outcome in
            respond(EventsAnswer(report: report, outcome: outcome).response)
        }
    }

    private func inflate(_ body: inout [UInt8], _ encoding: String?) throws(APIError) {
        guard let encoding, encoding != "identity" else { return }
        var inflated: [UInt8] = []
        do throws(GzipError) {
            try Inflater.inflate(body.span, into: &inflated, limit: bytesMax)
        } catch .tooLarge {
            throw tooLarge
        } catch {
            throw APIError(status: 400, code: "malformed_gzip", message: error.description)
        }
        body = inflated
    }

    private var tooLarge: APIError {
        APIError(
            status: 413, code: "body_too_large",
            message:
                "the body has more than \(bytesMax) bytes, after decompression too; send fewer "
                + "events at a time or raise web.body_bytes_max.events")
    }

    static let queueFull = APIError(
        status: 429, code: "queue_full",
        message: "too many events wait for their commit; try again in a second",
        headers: [("Retry-After", "1")])
}

/// What the sender of events is told.
struct EventsAnswer {
    let report: IntakeReport
    let outcome: Receipt.Outcome

    var response: HTTPResponse {
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
            return APIError(
                status: 503, code: "stopping",
                message: "costgauge is stopping; send the events again",
                headers: [("Retry-After", "5")], members: kept)
        }
    }
}
