internal import HTTPServer
internal import OTLP
internal import Wire

/// A path of ours and the methods it answers.
struct APIRoute: Sendable {
    enum Action: Equatable, Sendable {
        case costs, dashboard, forecast
        case explain
        case webFile, openAPI
        case prices, reprice
        case page, metrics, healthy, ready, reload, events, litellm
        case otlp(OTLPSignal)
        case check, reserve, settle, release
        case authz(AuthzHandler.Gateway)
        case anomalies(AnomalyAction)
        case scopes, pause, unpause
        case governance(GovernanceAction)
        case budgets, alerts, alert, deliveries, replay, testReceiver
        case acknowledge
    }

    /// As the metrics and the 404 name it; a part in braces stands for any one part.
    let path: String
    let methods: [HTTPMethod]
    let action: Action
    /// The last part stands for everything below it.
    private let isPrefix: Bool
    private let hasBraces: Bool
    private let parts: [Substring]

    init(path: String, methods: [HTTPMethod], action: Action, isPrefix: Bool = false) {
        self.path = path
        self.methods = methods
        self.action = action
        self.isPrefix = isPrefix
        hasBraces = path.contains("{")
        parts = path.split(separator: "/", omittingEmptySubsequences: false)
    }

    /// The decoded values of the parts in braces; nil when the path is another one.
    func match(_ path: String) -> [String]? {
        guard hasBraces else { return path == self.path ? [] : nil }
        if path == self.path { return nil }
        if isPrefix {
            let base = parts.dropLast().joined(separator: "/")
            return path == base || path.hasPrefix(base + "/") ? [] : nil
        }
        let given = path.split(separator: "/", omittingEmptySubsequences: false)
        guard given.count == parts.count else { return nil }
        var values: [String] = []
        for (part, text) in zip(parts, given) {
            if part.hasPrefix("{") {
                guard let value = PercentEncoding.decode(text), !value.isEmpty else { return nil }
                values.append(value)
            } else if part != text {
                return nil
            }
        }
        return values
    }

    private static let read: [HTTPMethod] = [.get, .head]

    private static let any: [HTTPMethod] = [
        .get, .head, .post, .put, .delete, .options, .other,
    ]

    static let all = own + otlp + gateways

    /// Envoy appends the path of the request that it asks about.
    private static let gateways = [
        APIRoute(
            path: "/v1/authz/envoy/{path}", methods: any, action: .authz(.envoy), isPrefix: true),
        APIRoute(path: "/v1/authz/nginx", methods: any, action: .authz(.nginx)),
    ]

    private static let own =
        [
            APIRoute(path: "/", methods: read, action: .page),
            APIRoute(path: "/web/{file}", methods: read, action: .webFile),
            APIRoute(path: "/openapi.json", methods: read, action: .openAPI),
            APIRoute(path: "/metrics", methods: read, action: .metrics),
            APIRoute(path: "/-/healthy", methods: read, action: .healthy),
            APIRoute(path: "/-/ready", methods: read, action: .ready),
            APIRoute(path: "/-/reload", methods: [.post, .put], action: .reload),
            APIRoute(path: "/v1/events", methods: [.post], action: .events),
            APIRoute(path: "/v1/scopes", methods: read, action: .scopes),
            APIRoute(
                path: "/v1/scopes/{dimension}/{value}/pause", methods: [.post], action: .pause),
            APIRoute(
                path: "/v1/scopes/{dimension}/{value}/unpause", methods: [.post], action: .unpause),
            APIRoute(path: "/v1/check", methods: [.post], action: .check),
            APIRoute(path: "/v1/reservations", methods: [.post], action: .reserve),
            APIRoute(path: "/v1/reservations/{id}/settle", methods: [.post], action: .settle),
            APIRoute(path: "/v1/reservations/{id}", methods: [.delete], action: .release),
            APIRoute(path: "/v1/costs", methods: read, action: .costs),
            APIRoute(path: "/v1/dashboard", methods: read, action: .dashboard),
            APIRoute(path: "/v1/forecast", methods: read, action: .forecast),
            APIRoute(path: "/v1/explain", methods: read, action: .explain),
            APIRoute(path: "/v1/litellm", methods: [.post], action: .litellm),
            APIRoute(path: "/v1/prices", methods: read + [.put], action: .prices),
            APIRoute(path: "/v1/prices/reprice", methods: [.post], action: .reprice),
            APIRoute(path: "/v1/budgets", methods: read, action: .budgets),
            APIRoute(path: "/v1/alerts", methods: read, action: .alerts),
            APIRoute(path: "/v1/alerts/{id}", methods: read, action: .alert),
            APIRoute(path: "/v1/alerts/{id}/ack", methods: [.post], action: .acknowledge),
            APIRoute(path: "/v1/deliveries", methods: read, action: .deliveries),
            APIRoute(path: "/v1/deliveries/{id}/replay", methods: [.post], action: .replay),
            APIRoute(path: "/v1/receivers/{name}/test", methods: [.post], action: .testReceiver),
        ] + AnomaliesHandler.routes(read: read) + GovernanceAction.routes(read: read)

    /// Exporters append their signal to whatever base they are given; Langfuse's has one of its
    /// own.
    static let otlp = OTLPSignal.allCases.flatMap { signal in
        ["/v1/", "/otlp/v1/", "/api/public/otel/v1/"].map { base in
            APIRoute(path: base + signal.rawValue, methods: [.post], action: .otlp(signal))
        }
    }

    /// What a listener of its own for OTLP answers.
    static let otlpOnly = otlp + all.filter { [.healthy, .ready].contains($0.action) }

    /// What a network may see that is not trusted with more.
    static let open = all.filter { [.metrics, .healthy, .ready].contains($0.action) }

    var allow: String { methods.map(\.rawValue).joined(separator: ", ") }
}
