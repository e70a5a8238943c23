internal import Access
internal import HTTPServer

// Who may use which path.
extension APIRoute {
    /// Nil: whoever asks.
    func role(of method: HTTPMethod) -> Role? {
        switch action {
        case .healthy, .ready: nil
        // Files without data: the page itself asks for a token.
        case .page, .webFile, .openAPI: nil
        case .events, .otlp, .litellm, .check, .reserve, .settle, .release, .replay: .editor
        case .authz: .editor
        case .acknowledge, .anomalies(.acknowledge), .anomalies(.snooze), .anomalies(.detect):
            .editor
        case .reload, .scopes, .pause, .unpause: .admin
        case .governance(let action): action.role(method == .get || method == .head)
        case .anomalies: method == .get || method == .head ? .viewer : .editor
        default: method == .get || method == .head ? .viewer : .admin
        }
    }

    /// Paths on which a token for one tenant sees and changes nothing of others. Every other path
    /// refuses it.
    var isPerTenant: Bool {
        switch action {
        case .page, .webFile, .openAPI, .healthy, .ready, .events, .check, .reserve, .settle,
            .release, .costs,
            .dashboard, .forecast, .budgets, .authz:
            true
        default: false
        }
    }
}

extension API {
    /// Lets the request pass, or says what it lacks.
    ///
    /// Metrics are open where only this machine can ask.
    func authorize(_ exchange: HTTPExchange, _ route: APIRoute) throws(APIError) {
        guard let role = route.role(of: exchange.method), services.access.isNeeded else { return }
        let authorization = exchange.header("Authorization")
        let isOpen = address.isLoopback && !services.access.hasUsers
        if route.action == .metrics, isOpen, authorization == nil { return }
        let principal: Principal
        do throws(AccessControl.Refusal) {
            principal = try services.access.principal(
                authorization: authorization, address: exchange.clientAddress)
        } catch { throw Self.refused(error, role) }
        guard principal.role >= role else {
            throw APIError(
                status: 403, code: "role_needed",
                message:
                    "\(route.path) needs the role \(role.rawValue); the token \(principal.name) "
                    + "has the role \(principal.role.rawValue)")
        }
        guard principal.tenant == nil || route.isPerTenant else {
            throw APIError(
                status: 403, code: "tenant_token",
                message:
                    "\(route.path) is about all tenants, and the token \(principal.name) is for one"
            )
        }
        exchange.owner = principal.tenant
        exchange.principal = principal.name
    }

    private static func refused(_ refusal: AccessControl.Refusal, _ role: Role) -> APIError {
        switch refusal {
        case .missing, .unknown:
            APIError(
                status: 401, code: "token_needed",
                message: (refusal == .missing ? "a token" : "another token")
                    + " of the role \(role.rawValue) is needed: Authorization: Bearer TOKEN",
                headers: [("WWW-Authenticate", "Basic realm=\"costgauge\", charset=\"UTF-8\"")])
        case .tooMany(let seconds):
            APIError(
                status: 429, code: "too_many_attempts",
                message: "too many wrong tokens; wait a minute",
                headers: [("Retry-After", "\(seconds)")])
        }
    }
}
