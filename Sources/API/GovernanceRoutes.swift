internal import Access
internal import HTTPServer

/// What a path of the administration does.
enum GovernanceAction: Equatable, Sendable {
    case silences, silence, features, feature, audit
    case budget, budgetReset, scopeLimit, scopeReset

    static func routes(read: [HTTPMethod]) -> [APIRoute] {
        [
            APIRoute(path: "/v1/silences", methods: read + [.post], action: .governance(.silences)),
            APIRoute(
                path: "/v1/silences/{id}", methods: read + [.delete], action: .governance(.silence)),
            APIRoute(path: "/v1/features", methods: read + [.post], action: .governance(.features)),
            APIRoute(
                path: "/v1/features/{tag}", methods: read + [.put, .delete],
                action: .governance(.feature)),
            APIRoute(
                path: "/v1/budgets/{name}", methods: read + [.put, .delete],
                action: .governance(.budget)),
            APIRoute(
                path: "/v1/budgets/{name}/reset", methods: [.post],
                action: .governance(.budgetReset)),
            APIRoute(
                path: "/v1/budgets/{name}/scopes/{scope}", methods: [.put, .delete],
                action: .governance(.scopeLimit)),
            APIRoute(
                path: "/v1/budgets/{name}/scopes/{scope}/reset", methods: [.post],
                action: .governance(.scopeReset)),
            APIRoute(path: "/v1/audit", methods: read, action: .governance(.audit)),
        ]
    }

    func role(_ isReading: Bool) -> Role {
        switch self {
        case .silences, .silence: isReading ? .viewer : .editor
        case .features, .feature: .editor
        case .budget: isReading ? .viewer : .admin
        case .audit, .budgetReset, .scopeLimit, .scopeReset: .admin
        }
    }
}

/// The handlers of the administration.
struct GovernanceHandler: Sendable {
    private let silences: SilencesHandler
    private let features: FeaturesHandler
    private let audit: AuditHandler
    private let budgets: BudgetsHandler

    init(services: APIServices) {
        silences = SilencesHandler(services: services)
        features = FeaturesHandler(services: services)
        audit = AuditHandler(services: services)
        budgets = BudgetsHandler(services: services)
    }

    /// What a reader is answered.
    func read(
        _ action: GovernanceAction, _ values: [String], _ query: Query
    ) throws(APIError) -> HTTPResponse {
        let value = values.first ?? ""
        switch action {
        case .silences: return try silences.silences(query)
        case .silence: return try silences.silence(value)
        case .features: return try features.features(query)
        case .feature: return try features.feature(value)
        case .audit: return try audit.events(query)
        case .budget: return try budgets.budget(value)
        case .budgetReset, .scopeLimit, .scopeReset: throw .methodNotAllowed
        }
    }

    /// Parks the exchange; answers once the change is durable.
    func change(
        _ action: GovernanceAction, _ values: [String], _ exchange: HTTPExchange,
        respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        let value = values.first ?? ""
        switch (action, exchange.method) {
        case (.silences, _): silences.create(exchange, respond: respond)
        case (.silence, _): silences.delete(exchange, value, respond: respond)
        case (.features, _): features.create(exchange, respond: respond)
        case (.feature, .put): features.put(exchange, value, respond: respond)
        case (.feature, _): features.delete(exchange, value, respond: respond)
        case (.budget, .put): budgets.put(exchange, value, respond: respond)
        case (.budget, _): budgets.delete(exchange, value, respond: respond)
        case (.budgetReset, _):
            budgets.reset(exchange, value, isWhole: true, respond: respond)
        case (.scopeLimit, .put): budgets.setLimit(exchange, value, respond: respond)
        case (.scopeLimit, _): budgets.deleteLimit(exchange, value, respond: respond)
        case (.scopeReset, _):
            budgets.reset(exchange, value, isWhole: false, respond: respond)
        case (.audit, _): respond(APIError.methodNotAllowed.response)
        }
    }
}
