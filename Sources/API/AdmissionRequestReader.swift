internal import Budgets
internal import HTTPServer
internal import Intake
internal import JSON
internal import Ledger
internal import Synchronization
internal import Usage
internal import Wire

extension HTTPExchange {
    /// The body as it was before compression.
    func takeDecoded(bytesMax: Int) throws(APIError) -> [UInt8] {
        let mayBeCompressed = try BodyDecoding.check(self)
        do throws(BodyRefusal) {
            var body = try takeWhole()
            if mayBeCompressed {
                try BodyDecoding.inflate(&body, of: self, bytesMax: bytesMax)
            }
            return body
        } catch {
            throw error.error(bytesMax: bytesMax)
        }
    }

    /// The body as one JSON document; gzip is taken too. An empty one reads as `{}`.
    func takeJSON(bytesMax: Int) throws(APIError) -> JSONValue {
        let body = try takeDecoded(bytesMax: bytesMax)
        if body.isEmpty { return .object([]) }
        do throws(JSONFault) {
            return try JSONValue.read(body)
        } catch {
            throw .malformed(error)
        }
    }
}

extension AdmissionHandler {
    /// What the body tells about a call.
    func fields(_ exchange: HTTPExchange) throws(APIError) -> AdmissionFields {
        var body = try exchange.takeDecoded(bytesMax: Self.bodyBytesMax)
        do throws(AdmissionFault) {
            return try reader.withLock { reader throws(AdmissionFault) in try reader.read(&body) }
        } catch { throw APIError(error) }
    }

    /// The call with its tenant and its price.
    func request(
        _ fields: inout AdmissionFields, tenant owner: String?
    ) throws(APIError) -> (request: AdmissionRequest, isUnpriced: Bool) {
        if let owner {
            guard !fields.hasTenant || fields.isTenant(owner) else {
                throw APIError.foreignTenant
            }
            fields.setTenant(owner)
        } else if !fields.hasTenant {
            let fallback = services.intake.defaultTenant
            guard !fallback.isEmpty else {
                throw APIError(
                    status: 400, code: "bad_field",
                    message:
                        "tenant is required; send it or set attribution.defaults.tenant in the "
                        + "configuration", members: "\"field\":\"tenant\"")
            }
            fields.setTenant(fallback)
        }
        var (event, rows) = fields.event(names: services.names)
        event.timestamp = services.ledger.now
        if event.amount == nil, event.model != 0 {
            rows.events = [event]
            services.price(&rows, 0..<1)
            event = rows.events[0]
            rows.events = []
        }
        let isUnpriced = event.amount == nil && event.model != 0
        return (
            AdmissionRequest(event: event, rows: rows, estimate: event.amount ?? .zero), isUnpriced
        )
    }
}

extension APIError {
    static func malformed(_ fault: JSONFault) -> APIError {
        APIError(
            status: 400, code: "malformed_json",
            message: "\(fault.description); send one JSON object",
            members: "\"offset\":\(fault.offset)")
    }

    static let notAnObject = APIError(
        status: 400, code: "malformed_json", message: "the body must be one JSON object")

    /// What cannot be read becomes an answer that names the field.
    init(_ fault: AdmissionFault) {
        switch fault {
        case .text(let fault): self = .malformed(fault)
        case .notAnObject: self = .notAnObject
        case .field(let field, let message):
            self.init(
                status: 400, code: "bad_field", message: "\(field) \(message)",
                members: "\"field\":\"\(field)\"")
        }
    }

    static let foreignTenant = APIError(
        status: 403, code: "foreign_tenant",
        message: "this token is for one tenant, and the request names another")
}
