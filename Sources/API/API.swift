internal import Access
internal import Anomalies
internal import Exposition
public import HTTPServer
internal import Ledger
internal import SelfMetrics
internal import Usage

/// Routes requests. One for each listener.
public final class API: HTTPHandler {
    let services: APIServices
    let address: ListenAddress
    private let table: RouteTable
    /// As the routes of the table, and one more for what is none of them.
    private let counters: [SelfMetrics.RequestCounter]
    private let requestGuard: RequestGuard?
    private let asksForTokens: Bool
    private let events: EventsHandler
    private let alerts: AlertsHandler
    private let budgets: BudgetsHandler
    private let admission: AdmissionHandler
    private let authz: AuthzHandler
    private let scopes: ScopesHandler
    private let prices: PricesHandler
    private let costs: CostsHandler
    private let dashboard: DashboardHandler
    private let forecast: ForecastHandler
    private let anomalies: AnomaliesHandler
    private let governance: GovernanceHandler
    private let otlp: OTLPHandler
    private let litellm: LiteLLMHandler
    /// Bodies of paths that expect none.
    private static let smallBytesMax = 64 * 1024

    public init(
        services: APIServices, address: ListenAddress, surface: Surface, limits: BodyLimits
    ) {
        self.services = services
        self.address = address
        switch surface {
        case .everything: table = RouteTable.everything
        case .open: table = RouteTable(APIRoute.open)
        case .otlp: table = RouteTable(APIRoute.otlpOnly)
        }
        counters = (table.routes.map(\.path) + ["other"]).map {
            services.metrics.counter(ofRequestsTo: $0)
        }
        requestGuard = surface == .open ? nil : RequestGuard(address: address)
        asksForTokens = surface != .open
        func bodies(_ bytesMax: Int) -> EventBodies {
            EventBodies(intake: services.intake, bytesMax: bytesMax)
        }
        events = EventsHandler(bodies: bodies(limits.events))
        alerts = AlertsHandler(services: services)
        budgets = BudgetsHandler(services: services)
        admission = AdmissionHandler(services: services)
        authz = AuthzHandler(admission: admission, headers: services.authzHeaders)
        scopes = ScopesHandler(services: services)
        prices = PricesHandler(services: services)
        costs = CostsHandler(services: services)
        dashboard = DashboardHandler(services: services)
        forecast = ForecastHandler(services: services)
        anomalies = AnomaliesHandler(services: services)
        governance = GovernanceHandler(services: services)
        otlp = OTLPHandler(receiver: services.otlp, bodies: bodies(limits.otlp))
        litellm = LiteLLMHandler(receiver: services.litellm, bodies: bodies(limits.litellm))
    }

    public func admit(_ exchange: HTTPExchange) -> HTTPAdmission {
        exchange.startedNanos = services.time.monotonicNanos
        exchange.route = table.find(exchange.path)
        do throws(APIError) {
            try requestGuard?.check(exchange, hasTokens: services.access.isNeeded)
            let route = try route(exchange)
            if asksForTokens || services.access.hasUsers { try authorize(exchange, route) }
            switch route.action {
            case .events:
                try events.admit(exchange)
                return .receive(bytesMax: events.bodies.bytesMax)
            case .otlp:
                try otlp.admit(exchange)
                return .receive(bytesMax: otlp.bodies.bytesMax)
            case .litellm:
                try litellm.admit(exchange)
                return .receive(bytesMax: litellm.bodies.bytesMax)
            case .prices: return .receive(bytesMax: PricesHandler.bodyBytesMax)
            case .anomalies(.detect):
                return .receive(bytesMax: AnomaliesHandler.detectBytesMax)
            default: return .receive(bytesMax: Self.smallBytesMax)
            }
        } catch {
            count(exchange, error.status)
            return .refuse(error.response)
        }
    }

    // Events that are read together are committed together.
    public func roundBegins() { services.ledger.queue.hold() }
    public func roundEnded() { services.ledger.queue.release() }

    public func handle(_ exchange: HTTPExchange) {
        guard let (route, values) = routed(exchange) else { return }
        let value = values.first ?? ""
        switch route.action {
        case .page: finish(exchange, PageFiles.response("index.html"))
        case .webFile: finish(exchange, PageFiles.response(value))
        case .openAPI: finish(exchange, PageFiles.response("openapi.json"))
        case .healthy: finish(exchange, .text(200, "costgauge is Healthy.\n"))
        case .ready: finish(exchange, ready)
        case .metrics: onControl(exchange) { [self] _ in metrics(exchange) }
        case .reload: onControl(exchange) { [self] _ in reload() }
        case .events:
            events.handle(exchange) { [self] response in finish(exchange, response) }
        case .check: finish(exchange, admission.check(exchange))
        case .authz(let gateway): finish(exchange, authz.answer(exchange, gateway))
        case .reserve:
            admission.reserve(exchange) { [self] response in finish(exchange, response) }
        case .settle:
            admission.settle(exchange, value) { [self] response in finish(exchange, response) }
        case .release:
            let owner = exchange.owner
            later(exchange) { [self] respond in
                admission.release(value, owner: owner, respond: respond)
            }
        case .pause:
            scopes.pause(exchange, values) { [self] response in finish(exchange, response) }
        case .unpause:
            scopes.unpause(exchange, values) { [self] response in finish(exchange, response) }
        case .forecast:
            let query = Query(exchange)
            later(exchange) { [self] respond in forecast.forecast(query, respond: respond) }
        case .prices where exchange.method == .put:
            prices.store(exchange) { [self] response in finish(exchange, response) }
        case .reprice:
            let query = Query(exchange)
            let body = exchange.takeBody()
            later(exchange) { [self] respond in
                prices.reprice(body, query, respond: respond)
            }
        case .replay:
            later(exchange) { [self] respond in alerts.replay(value, respond: respond) }
        case .acknowledge: acknowledge(exchange, value)
        case .testReceiver:
            later(exchange) { [self] respond in alerts.test(value, respond: respond) }
        case .anomalies(let action): handle(action, value, exchange)
        case .governance(let action):
            guard exchange.method != .get, exchange.method != .head else {
                return onControl(exchange) { [self] query throws(APIError) in
                    try governance.read(action, values, query)
                }
            }
            governance.change(action, values, exchange) { [self] response in
                finish(exchange, response)
            }
        case .otlp(let signal):
            otlp.handle(exchange, signal) { [self] response in finish(exchange, response) }
        case .litellm:
            litellm.handle(exchange) { [self] response in finish(exchange, response) }
        case .costs, .dashboard:
            parked(exchange, services.queries) { [self] query throws(APIError) in
                try answer(route.action, value, query)
            }
        case .scopes, .explain, .budgets, .alerts, .alert, .deliveries, .prices:
            onControl(exchange) { [self] query throws(APIError) in
                try answer(route.action, value, query)
            }
        }
    }

    /// What is read and changes nothing, on a thread of the control plane.
    private func answer(
        _ action: APIRoute.Action, _ value: String, _ query: Query
    ) throws(APIError) -> HTTPResponse {
        switch action {
        case .scopes: try scopes.scopes(query)
        case .costs: try costs.costs(query)
        case .dashboard: try dashboard.dashboard(query)
        case .explain: try ExplainHandler(services: services).explain(query)
        case .budgets: try budgets.budgets(query)
        case .alerts: try alerts.alerts(query)
        case .alert: try alerts.alert(value)
        case .deliveries: try alerts.deliveries(query)
        case .prices: try prices.prices(query)
        default: preconditionFailure("BUG: \(action) is not read alone")
        }
    }

    /// The route that `admit` has found, and the parts of the path that stand in its braces.
    private func routed(_ exchange: HTTPExchange) -> (route: APIRoute, values: [String])? {
        guard let index = exchange.route else { return nil }
        let route = table.routes[index]
        return (route, route.match(exchange.path) ?? [])
    }

    private func route(_ exchange: HTTPExchange) throws(APIError) -> APIRoute {
        guard let index = exchange.route else {
            throw APIError(
                status: 404, code: "not_found",
                message: "there is no \(exchange.path.prefix(100)); there are "
                    + table.routes.map(\.path).joined(separator: ", "))
        }
        let route = table.routes[index]
        guard route.methods.contains(exchange.method) else {
            throw APIError(
                status: 405, code: "method_not_allowed",
                message: "\(route.path) answers \(route.allow)", headers: [("Allow", route.allow)])
        }
        return route
    }

    private func finish(_ exchange: HTTPExchange, _ response: HTTPResponse) {
        count(exchange, response.status)
        exchange.respond(response)
    }

    private func count(_ exchange: HTTPExchange, _ status: Int) {
        services.metrics.count(
            counters[exchange.route ?? table.routes.count], code: status,
            nanos: services.time.monotonicNanos &- exchange.startedNanos)
    }

    private func onControl(
        _ exchange: HTTPExchange,
        _ work: @escaping @Sendable (Query) throws(APIError) -> HTTPResponse
    ) {
        parked(exchange, services.control, work)
    }

    /// Parks the request and does the work on the queue's thread.
    private func parked(
        _ exchange: HTTPExchange, _ queue: WorkQueue,
        _ work: @escaping @Sendable (Query) throws(APIError) -> HTTPResponse
    ) {
        let query = Query(exchange)
        exchange.park()
        let isTaken = queue.submit { [self] in
            do throws(APIError) {
                finish(exchange, try work(query))
            } catch {
                finish(exchange, error.response)
            }
        }
        if !isTaken { finish(exchange, APIServices.busy.response) }
    }

    /// Parks the request and begins work that answers at some later time.
    private func later(
        _ exchange: HTTPExchange,
        _ work: @escaping @Sendable (@escaping @Sendable (HTTPResponse) -> Void) -> Void
    ) {
        exchange.park()
        let isTaken = services.control.submit { [self] in
            work { [self] response in finish(exchange, response) }
        }
        if !isTaken { finish(exchange, APIServices.busy.response) }
    }

    private func acknowledge(_ exchange: HTTPExchange, _ alert: String) {
        guard exchange.bodyOutcome == .complete else {
            return finish(exchange, AnomaliesHandler.tooLarge(Self.smallBytesMax).response)
        }
        let body = exchange.takeBody()
        later(exchange) { [self] respond in alerts.acknowledge(alert, body, respond: respond) }
    }

    private func handle(_ action: AnomalyAction, _ value: String, _ exchange: HTTPExchange) {
        let (query, type) = (Query(exchange), exchange.header("Content-Type"))
        guard exchange.bodyOutcome == .complete else {
            let most = action == .detect ? AnomaliesHandler.detectBytesMax : Self.smallBytesMax
            return finish(exchange, AnomaliesHandler.tooLarge(most).response)
        }
        let body = exchange.takeBody()
        later(exchange) { [self] respond in
            do throws(APIError) {
                try anomalies.handle(
                    action, value, query, body: body, type: type, respond: respond)
            } catch {
                respond(error.response)
            }
        }
    }

    private var ready: HTTPResponse {
        services.ledger.isWritable
            ? .text(200, "costgauge is Ready.\n")
            : .text(503, "costgauge is not ready: the store cannot be written.\n")
    }

    private func metrics(_ exchange: HTTPExchange) -> HTTPResponse {
        let rendered = services.page.render(
            .negotiate(accept: exchange.header("Accept")),
            gzip: acceptsGzip(exchange.header("Accept-Encoding")), ledger: services.ledger,
            budgets: services.budgets, anomalies: services.anomalies?.readings ?? AnomalyReadings(),
            metrics: services.metrics, readings: services.readings())
        var headers = [(name: "Vary", value: "Accept, Accept-Encoding")]
        if rendered.isGzip { headers.append((name: "Content-Encoding", value: "gzip")) }
        return HTTPResponse(
            status: 200, contentType: rendered.contentType, headers: headers, body: rendered.bytes)
    }

    private func reload() -> HTTPResponse { services.reload().response }
}
