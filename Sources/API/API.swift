public import Exposition
public import HTTPServer
public import Intake
public import Ledger
public import SelfMetrics
public import Usage

/// What the HTTP surface needs from the rest of the process.
public struct APIServices: Sendable {
    public let intake: EventIntake
    public let ledger: Ledger
    public let metrics: SelfMetrics
    public let page: MetricsPage
    public let control: ControlQueue
    public let time: any TimeSource
    public let readings: @Sendable () -> SelfReadings
    /// Answers nil, or what is wrong with the new configuration.
    public let reload: @Sendable () -> String?

    public init(
        intake: EventIntake, ledger: Ledger, metrics: SelfMetrics, page: MetricsPage,
        control: ControlQueue, time: any TimeSource,
        readings: @escaping @Sendable () -> SelfReadings, reload: @escaping @Sendable () -> String?
    ) {
        self.intake = intake
        self.ledger = ledger
        self.metrics = metrics
        self.page = page
        self.control = control
        self.time = time
        self.readings = readings
        self.reload = reload
    }
}

/// Routes requests. One for each listener.
public final class API: HTTPHandler {
    private let services: APIServices
    private let routes: [APIRoute]
    private let requestGuard: RequestGuard?
    private let events: EventsHandler
    /// Bodies of paths that expect none.
    private static let smallBytesMax = 64 * 1024

    /// `isOpen`: serves metrics and health only, to whoever asks.
    public init(
        services: APIServices, address: ListenAddress, isOpen: Bool, eventsBytesMax: Int
    ) {
        self.services = services
        routes = isOpen ? APIRoute.open : APIRoute.all
        requestGuard = isOpen ? nil : RequestGuard(address: address)
        events = EventsHandler(
            intake: services.intake, bytesMax: eventsBytesMax)
    }

    public func admit(_ exchange: HTTPExchange) -> HTTPAdmission {
        exchange.startedNanos = services.time.monotonicNanos
        do throws(APIError) {
            try requestGuard?.check(exchange)
            let route = try route(exchange)
            guard route.action == .events else { return .receive(bytesMax: Self.smallBytesMax) }
            try events.admit(exchange)
            return .receive(bytesMax: events.bytesMax)
        } catch {
            count(exchange, error.status)
            return .refuse(error.response)
        }
    }

    public func handle(_ exchange: HTTPExchange) {
        guard let route = routes.first(where: { $0.path == exchange.path }) else { return }
        switch route.action {
        case .page: finish(exchange, LandingPage.response)
        case .healthy: finish(exchange, .text(200, "costgauge is Healthy.\n"))
        case .ready: finish(exchange, ready)
        case .metrics: onControl(exchange) { [self] in metrics(exchange) }
        case .reload: onControl(exchange) { [self] in reload() }
        case .events:
            events.handle(exchange) { [self] response in finish(exchange, response) }
        }
    }

    private func route(_ exchange: HTTPExchange) throws(APIError) -> APIRoute {
        guard let route = routes.first(where: { $0.path == exchange.path }) else {
            throw APIError(
                status: 404, code: "not_found",
                message: "there is no \(exchange.path.prefix(100)); there are "
                    + routes.map(\.path).joined(separator: ", "))
        }
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
        let path = routes.first { $0.path == exchange.path }?.path ?? "other"
        services.metrics.count(
            requestTo: path, code: status,
            nanos: services.time.monotonicNanos &- exchange.startedNanos)
    }

    private func onControl(
        _ exchange: HTTPExchange, _ work: @escaping @Sendable () -> HTTPResponse
    ) {
        exchange.park()
        let isTaken = services.control.submit { [self] in finish(exchange, work()) }
        if isTaken { return }
        finish(
            exchange,
            APIError(
                status: 503, code: "busy", message: "too many requests wait; try again in a second",
                headers: [("Retry-After", "1")]
            ).response)
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
            metrics: services.metrics, readings: services.readings())
        var headers = [(name: "Vary", value: "Accept, Accept-Encoding")]
        if rendered.isGzip { headers.append((name: "Content-Encoding", value: "gzip")) }
        return HTTPResponse(
            status: 200, contentType: rendered.contentType, headers: headers, body: rendered.bytes)
    }

    private func reload() -> HTTPResponse {
        guard let fault = services.reload() else {
            return .text(200, "the configuration was read again\n")
        }
        return APIError(status: 500, code: "reload_failed", message: fault).response
    }
}
