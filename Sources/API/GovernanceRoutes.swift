internal import Access
internal import HTTPServer

/// What a path of the administration does.
enum GovernanceAction: Equatable, Sendable {
    case silences, silence, features, feature, audit

    static func routes(read: [HTTPMethod]) -> [APIRoute] {
        [
            APIRoute(path: "/v1/silences", methods: read + [.post], action: .governance(.silences)),
            APIRoute(
                path: "/v1/silences/{id}", methods: read + [.delete], action: .governance(.silence)),
            APIRoute(path: "/v1/features", methods: read + [.post], action: .governance(.features)),
            APIRoute(
                path: "/v1/features/{tag}", methods: read + [.put, .delete],
                action: .governance(.feature)),
            APIRoute(path: "/v1/audit", methods: read, action: .governance(.audit)),
        ]
    }

    func role(_ isReading: Bool) -> Role {
        switch self {
        case .silences, .silence: isReading ? .viewer : .editor
        case .features, .feature: .editor
        case .audit: .admin
        }
    }
}

/// The handlers of the administration.
struct GovernanceHandler: Sendable {
    private let silences: SilencesHandler
    private let features: FeaturesHandler
    private let audit: AuditHandler

    init(services: APIServices) {
        silences = SilencesHandler(services: services)
        features = FeaturesHandler(services: services)
        audit = AuditHandler(services: services)
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
        case (.audit, _): break
        }
    }
}
