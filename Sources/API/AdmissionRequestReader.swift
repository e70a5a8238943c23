internal import Budgets
internal import HTTPServer
internal import Intake
internal import JSON
internal import Ledger
internal import Usage
internal import Wire

extension HTTPExchange {
    /// The body as one JSON document; gzip is taken too. An empty one reads as `{}`.
    func takeJSON(bytesMax: Int) throws(APIError) -> JSONValue {
        try BodyDecoding.check(self)
        var body: [UInt8]
        do throws(BodyRefusal) {
            body = try takeWhole()
            try BodyDecoding.inflate(&body, of: self, bytesMax: bytesMax)
        } catch {
            throw error.error(bytesMax: bytesMax)
        }
        if body.isEmpty { return .object([]) }
        do throws(JSONFault) {
            return try JSONValue.read(body)
        } catch {
            throw APIError(
                status: 400, code: "malformed_json",
                message: "\(error.description); send one JSON object",
                members: "\"offset\":\(error.offset)")
        }
    }
}

extension AdmissionHandler {
    func fields(_ json: JSONValue) throws(APIError) -> AdmissionFields {
        try reading { () throws(AdmissionFault) in try AdmissionFields(json) }
    }

    /// What cannot be read becomes an answer that names the field.
    func reading(
        _ read: () throws(AdmissionFault) -> AdmissionFields
    ) throws(APIError) -> AdmissionFields {
        do throws(AdmissionFault) {
            return try read()
        } catch {
            throw APIError(
                status: 400, code: error.field.isEmpty ? "malformed_json" : "bad_field",
                message: error.field.isEmpty ? error.message : "\(error.field) \(error.message)",
                members: error.field.isEmpty ? "" : "\"field\":\"\(error.field)\"")
        }
    }

    /// The call with its tenant and its price.
    func request(
        _ fields: inout AdmissionFields, tenant owner: String?
    ) throws(APIError) -> (request: AdmissionRequest, isUnpriced: Bool) {
        if let owner {
            guard fields.tenant == nil || fields.tenant == owner else {
                throw APIError.foreignTenant
            }
            fields.setTenant(owner)
        } else if fields.tenant == nil {
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
    static let foreignTenant = APIError(
        status: 403, code: "foreign_tenant",
        message: "this token is for one tenant, and the request names another")
}
