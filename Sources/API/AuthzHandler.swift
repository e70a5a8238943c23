internal import Budgets
internal import HTTPServer
internal import Ledger
internal import Usage

/// `/v1/authz/...`: a gateway asks for each request that it lets through, with the call's
/// dimensions in headers. Answered from memory, on the thread that asks; nothing is held.
///
/// Envoy's ext_authz takes any status but 200 as the answer to its client, so it gets 429 with
/// `Retry-After`. nginx's auth_request knows 2xx, 401 and 403 and makes a 500 of everything else,
/// so it gets 403.
/// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/ext_authz_filter
/// https://nginx.org/en/docs/http/ngx_http_auth_request_module.html
struct AuthzHandler: Sendable {
    enum Gateway: Sendable { case envoy, nginx }

    let admission: AdmissionHandler
    let headers: AdmissionHeaders

    func answer(_ exchange: HTTPExchange, _ gateway: Gateway) -> HTTPResponse {
        var response = answer(exchange)
        if gateway == .nginx, response.status != 200, response.status != 401 {
            response.status = 403
        }
        return response
    }

    private func fields(_ exchange: HTTPExchange) throws(APIError) -> AdmissionFields {
        do throws(AdmissionFault) {
            return try headers.fields { exchange.header(named: $0) }
        } catch { throw APIError(error) }
    }

    private func answer(_ exchange: HTTPExchange) -> HTTPResponse {
        do throws(APIError) {
            var fields = try fields(exchange)
            let owner = exchange.owner
            let (request, isUnpriced) = try admission.request(&fields, tenant: owner)
            let services = admission.services
            let decision = services.budgets.check(
                request, now: services.ledger.now, isStoreWritable: services.ledger.isWritable)
            let answer = AdmissionAnswer(
                decision: decision, isUnpriced: isUnpriced, owner: owner, isStream: false)
            var response = answer.response
            response.headers += answer.headers
            return response
        } catch { return error.response }
    }
}

extension AdmissionAnswer {
    /// The decision for gateways, which hand headers on and no body.
    var headers: [(name: String, value: String)] {
        var headers = [
            (name: "x-budget-decision", value: decision.verdict.rawValue),
            (name: "x-budget-reason", value: decision.reason.rawValue),
        ]
        if decision.delayMillis > 0 {
            let seconds = "\(decision.delayMillis / 1000)"
            let millis = "\(1000 + decision.delayMillis % 1000)".dropFirst()
            headers.append(("x-budget-delay-seconds", "\(seconds).\(millis)"))
        }
        guard let budget = decision.budget else { return headers }
        headers.append(("x-budget-name", budget.name))
        if isVisible(budget) {
            headers.append(("x-budget-remaining-usd", budget.remaining.decimal))
        }
        return headers
    }
}
