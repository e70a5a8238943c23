internal import API
internal import Access
internal import Alerts
internal import Anomalies
internal import Budgets
public import Configuration
internal import Delivery
internal import Exposition
internal import Governance
internal import HTTPClient
public import HTTPServer
internal import Intake
internal import Ledger
internal import LiteLLM
public import Logging
internal import OTLP
internal import OTLPPush
internal import Pricing
internal import SQLite
internal import SelfMetrics
internal import Store
internal import Tail
internal import Threading
public import Usage
internal import Wire

/// Why the sidecar did not start: one line that says what and what to do.
public struct SidecarError: Error, CustomStringConvertible {
    public let description: String
    /// Another attempt may succeed though nobody corrected anything: the disk was full, the port
    /// or the directory still taken.
    public let mayPass: Bool

    init(description: String, mayPass: Bool = false) {
        self.description = description
        self.mayPass = mayPass
    }
}

/// The whole process but its command line: opens the store, recovers, wires the rooms, listens.
///
///     HTTP -> API -> Intake -> Pricer -> Ledger's queue -> writer -> LedgerState -> MetricsPage
///                                                            |
///                          BudgetEngine -> AlertRecorder <---+   (in the writer's transaction)
///                                              |
///                                           outbox -> Deliverer -> HTTPClient -> receivers
public final class Sidecar: Sendable {
    /// As started: what needs a restart is told against it at every reload.
    let started: Configuration
    let log: Logger
    let time: any TimeSource
    let metrics: SelfMetrics
    private let directory: DataDirectory
    let ledger: Ledger
    let intake: EventIntake
    let otlp: OTLPReceiver
    let prices: Prices
    private let pusher: OTLPPusher?
    let budgets: BudgetEngine
    let anomalies: AnomalyEngine?
    let access: AccessControl
    let recorder: AlertRecorder
    let deliverer: Deliverer
    let ingestWatch: IngestWatch
    private let tail: FileTail
    private let client: HTTPClient
    private let control = WorkQueue("control")
    private let queries = WorkQueue("queries")
    private let server: HTTPServer
    private let metricsServer: HTTPServer?
    private let otlpServer: HTTPServer?
    /// Reads the configuration again; set by the command that knows its source.
    let source: @Sendable () throws(ConfigurationFaults) -> Configuration

    /// Everything is up when it returns: events can be posted to `address`.
    ///
    /// - Parameter source: reads the configuration again for a reload.
    /// - Parameter random: makes hashes, ids and waiting times unpredictable.
    public init(
        configuration: Configuration, time: any TimeSource,
        random: @escaping @Sendable () -> UInt64, log: Logger,
        source: @escaping @Sendable () throws(ConfigurationFaults) -> Configuration
    ) throws(SidecarError) {
        started = configuration
        self.log = log
        self.time = time
        self.source = source
        metrics = SelfMetrics(rejectReasons: RejectReason.allCases.map(\.rawValue))
        metrics.note(configIsCurrent: true, unixSeconds: time.unixNanos / 1_000_000_000)
        let hash = SeededHash(seed: random())
        let (names, hasDeliveries) = (Names(hash: hash), Relay())
        let recorder = Self.recorder(configuration, random, hasDeliveries)
        let governance = Self.governance(configuration, log)
        budgets = Self.budgets(configuration, names, time, recorder, governance, log)
        self.recorder = recorder
        ingestWatch = Self.ingestWatch(configuration, metrics, recorder)
        let hasCaughtUp = Question()
        anomalies = Self.anomalies(
            configuration, names, time, recorder, governance, hasCaughtUp)
        prices = try Prices(
            settings: configuration.pricing, names: names, time: time, log: log)
        let pricer = prices.pricer
        let (positions, marks) = (TailPositions(), CounterMarks())
        let unpriced = UnpricedAlerts(names, recorder)
        (directory, ledger) = try Self.openLedger(
            configuration, names: names, hash: hash, time: time, metrics: metrics, log: log,
            participants: Self.participants(unpriced, budgets, anomalies, recorder, positions)
                + [marks, ingestWatch, GovernanceLines(budgets, governance), governance])
        try prices.restore(from: directory.databasePath)
        intake = EventIntake(
            settings: configuration.intake, names: names, hash: hash, time: ledger.time,
            sink: ledger.queue, price: { pricer.price(&$0, $1) }, metrics: metrics)
        otlp = Self.otlp(configuration, intake, pricer, hash, metrics, marks, time)
        tail = Self.tail(
            configuration, positions, intake: intake, ledger: ledger, metrics: metrics, log: log)
        hasCaughtUp.attach { [tail] in tail.hasCaughtUp }
        client = HTTPClient(userAgent: "costgauge/\(Version.number)")
        let base = PageLink(configuration.web.externalURL)
        deliverer = Self.deliverer(
            configuration, client: client, ledger: ledger, budgets: budgets, recorder: recorder,
            path: directory.databasePath, random: random, link: base, log: log)
        hasDeliveries.attach { [deliverer] in deliverer.notify() }
        let page = Self.page(configuration, names)
        let readings = Readings(
            ledger: ledger, databasePath: directory.databasePath, prices: prices, names: names,
            time: time, recorder: recorder, deliverer: deliverer, tail: tail)
        pusher = Self.pusher(
            configuration, readings, budgets, anomalies, metrics, client, random, hash, log)
        let reloader = Reloader()
        let path = directory.databasePath
        access = AccessControl(settings: configuration.access, time: time)
        let reservations = Self.reservations(budgets, names, ledger, random)
        let services = APIServices(
            intake: intake, otlp: otlp, litellm: LiteLLMReceiver(intake: intake), ledger: ledger,
            budgets: budgets, reservations: reservations, anomalies: anomalies, access: access,
            deliverer: deliverer, metrics: metrics, page: page, control: control,
            queries: queries, time: time, names: names, price: { pricer.price(&$0, $1) },
            open: { () throws(SQLiteError) in try Database(path: path, mode: .readOnly) },
            readings: { readings.read() }, reload: { reloader.reload() },
            prices: Self.priceServices(prices, names, hash, ledger, unpriced),
            governance: Self.governance(governance, recorder, budgets, random))
        (server, metricsServer, otlpServer) = try Self.up(
            configuration, services, ledger, [control, queries], client, log)
        base.setDefault("\(configuration.web.scheme)://\(server.address)")
        deliverer.start()
        tail.start()
        pusher?.start()
        reloader.attach(self)
    }

    /// As bound.
    public var address: ListenAddress { server.address }
    public var metricsAddress: ListenAddress? { metricsServer?.address }
    public var otlpAddress: ListenAddress? { otlpServer?.address }

    /// The sum of all amounts ever committed.
    public var totalCost: NanoUSD {
        NanoUSD(nanos: ledger.withState { $0.grandTotal })
    }

    /// Takes a body of events as `POST /v1/events` would, and waits for its commit. Answers how
    /// many events were kept and why the others were not.
    public func ingest(_ body: [UInt8]) -> (accepted: Int, rejections: [String]) {
        var body = body
        return waitForAnswer { tell in
            intake.read(&body, from: .demo) { report, outcome in
                var rejections = report.rejections.map {
                    "line \($0.line): \($0.field) \($0.message)"
                }
                if let failure = outcome.failure { rejections.append("\(failure)") }
                tell((accepted: outcome.accepted, rejections: rejections))
            }
        }
    }

    /// Stops taking requests, waits for notifications under way, commits what was accepted, answers
    /// who waits, closes the store.
    public func stop() {
        server.stopAccepting()
        metricsServer?.stopAccepting()
        otlpServer?.stopAccepting()
        tail.stop()
        deliverer.stop()
        ledger.stop()
        pusher?.stop()
        client.stop()
        queries.stop()
        control.stop()
        server.stop()
        metricsServer?.stop()
        otlpServer?.stop()
        log.info("stopped", ("path", directory.path))
    }
}
