internal import API
internal import Alerts
internal import Anomalies
internal import Budgets
internal import Configuration
internal import Delivery
internal import Exposition
internal import Files
internal import Governance
internal import HTTPClient
internal import HTTPServer
internal import Intake
internal import Ledger
internal import Logging
internal import SQLite
internal import SelfMetrics
internal import Store
internal import Synchronization
internal import Tail
internal import Usage
internal import Wire

// The steps of starting.
extension Sidecar {
    /// Who takes part in every commit, in order; each must see every event. The recorder stands
    /// behind all that raise alerts.
    static func participants(
        _ unpriced: UnpricedAlerts, _ budgets: BudgetEngine, _ anomalies: AnomalyEngine?,
        _ recorder: AlertRecorder, _ positions: TailPositions, _ watch: IngestWatch? = nil
    ) -> [any CommitParticipant] {
        let watchers = [anomalies as (any CommitParticipant)?, watch].compactMap { $0 }
        return [Adjustments(), budgets, unpriced] + watchers
            + [recorder, positions, ConfiguredBudgets(budgets.catalogue)]
    }

    static func openLedger(
        _ configuration: Configuration, names: Names, hash: SeededHash, time: any TimeSource,
        metrics: SelfMetrics, log: Logger, participants: [any CommitParticipant]
    ) throws(SidecarError) -> (DataDirectory, Ledger) {
        do throws(StoreError) {
            let directory = try DataDirectory(path: configuration.storage.path)
            let database = try directory.openForWriting(
                schema: .current, synchronous: configuration.storage.sync)
            let started = time.monotonicNanos
            do throws(SQLiteError) {
                let ledger = try Ledger(
                    database: database, settings: configuration.ledger,
                    retentionNanos: configuration.storage.eventsNanos, names: names, hash: hash,
                    time: time, metrics: metrics, log: log, participants: participants)
                let millis = (time.monotonicNanos - started) / 1_000_000
                log.info(
                    "recovered", ("path", directory.path), ("milliseconds", "\(millis)"),
                    ("dedup_ids", "\(ledger.dedupCount)"))
                return (directory, ledger)
            } catch {
                throw StoreError.sqlite(path: directory.databasePath, error)
            }
        } catch {
            throw SidecarError(description: error.description, mayPass: error.mayPass)
        }
    }

    /// Processors: with a quota of less, the server's thread leaves all the time it can to the
    /// others.
    static let watchQuotaMin = 2.0

    static func listen(
        _ configuration: Configuration, _ services: APIServices, _ log: Logger
    ) throws(HTTPServerError) -> (main: HTTPServer, metrics: HTTPServer?, otlp: HTTPServer?) {
        let limits = API.BodyLimits(
            events: configuration.web.eventsBytesMax, otlp: configuration.web.otlpBytesMax,
            litellm: configuration.web.litellmBytesMax)
        var services = services
        services.authzHeaders = configuration.authzHeaders
        let tls = try configuration.web.tls.map { settings throws(HTTPServerError) in
            try Self.tls(settings, services, log)
        }
        let mayWatch = ProcessorQuota.read().map { $0 >= Self.watchQuotaMin } ?? true
        var servers: [HTTPServer] = []
        func server(
            _ address: ListenAddress?, _ surface: API.Surface
        ) throws(HTTPServerError) -> HTTPServer? {
            guard let address else { return nil }
            var settings = HTTPServer.Settings(address: address)
            settings.tls = tls
            settings.mayWatch = mayWatch
            settings.headers = configuration.web.headers.map { ($0.name, $0.value) }
            let server = try HTTPServer(
                settings: settings,
                handler: API(
                    services: services, address: address, surface: surface, limits: limits),
                log: { log.debug("http", ("message", $0)) })
            servers.append(server)
            return server
        }
        do throws(HTTPServerError) {
            _ = try server(configuration.web.listen, .everything)
            let metrics = try server(configuration.web.metricsListen, .open)
            let otlp = try server(configuration.otlpReceiver.listen, .otlp)
            return (servers[0], metrics, otlp)
        } catch {
            for server in servers { server.stop() }
            throw error
        }
    }

    static func advice(
        for error: HTTPServerError, _ configuration: Configuration
    ) -> String {
        if error.certificate != nil { return "\(error)" }
        let key: String
        switch error.address {
        case configuration.web.listen: key = "--web.listen-address"
        case configuration.web.metricsListen: key = "web.metrics_listen"
        default: key = "otlp_receiver.listen"
        }
        return error.isAddressInUse
            ? "\(error); another program listens there; choose another port with \(key)"
            : "\(error); choose another address with \(key)"
    }
}

extension Sidecar {
    private static func tls(
        _ settings: TLSSettings, _ services: APIServices, _ log: Logger
    ) throws(HTTPServerError) -> TLSServer {
        let time = services.time
        do throws(TLSFault) {
            let server = try TLSServer(settings, now: { time.monotonicNanos }) { fault in
                if let fault {
                    log.warn("the changed certificate is not used", ("cause", fault))
                } else {
                    log.info("the changed certificate is in use")
                }
            }
            server.install()
            return server
        } catch {
            throw HTTPServerError(certificate: error.message)
        }
    }

    static func recorder(
        _ configuration: Configuration, _ random: @escaping @Sendable () -> UInt64,
        _ hasDeliveries: Relay
    ) -> AlertRecorder {
        AlertRecorder(
            router: configuration.alerts.router,
            silences: Silences(configured: configuration.alerts.silences),
            retentionNanos: configuration.storage.alertsNanos, random: random
        ) { hasDeliveries.call() }
    }

    static func ingestWatch(
        _ configuration: Configuration, _ metrics: SelfMetrics, _ recorder: AlertRecorder
    ) -> IngestWatch {
        IngestWatch(
            afterNanos: configuration.alerts.stalledNanos, metrics: metrics, recorder: recorder)
    }

    static func budgets(
        _ configuration: Configuration, _ names: Names, _ time: any TimeSource,
        _ recorder: AlertRecorder, _ governance: GovernanceLog, _ log: Logger
    ) -> BudgetEngine {
        BudgetEngine(
            definitions: configuration.budgets, catalogue: catalogue(configuration, log),
            names: names, now: time.unixNanos, log: log,
            reconcile: { open, budgets, database, now throws(SQLiteError) in
                try recorder.reconcile(open, budgets: budgets, in: database, now: now)
            },
            tellPause: { pause, isReleased, database, now throws(SQLiteError) in
                if isReleased {
                    try recorder.record(release: pause, in: database, now: now)
                } else {
                    try recorder.record(pause: pause, in: database, now: now)
                }
            }
        ) { events, database, now throws(SQLiteError) in
            try recorder.record(events, in: database, now: now)
            try record(events, governance, in: database, now: now)
        }
    }

    static func page(_ configuration: Configuration, _ names: Names) -> MetricsPage {
        MetricsPage(
            labels: configuration.ledger.labels, names: names,
            writesCreated: configuration.writesCreated)
    }

    /// Starts the threads that requests need, then listens; stops them when that cannot be.
    static func up(
        _ configuration: Configuration, _ services: APIServices, _ ledger: Ledger,
        _ queues: [WorkQueue], _ client: HTTPClient, _ log: Logger
    ) throws(SidecarError) -> (HTTPServer, HTTPServer?, HTTPServer?) {
        ledger.start()
        for queue in queues { queue.start() }
        client.start()
        do throws(HTTPServerError) {
            return try listen(configuration, services, log)
        } catch {
            ledger.stop()
            client.stop()
            for queue in queues { queue.stop() }
            throw SidecarError(
                description: advice(for: error, configuration), mayPass: error.certificate == nil)
        }
    }

    static func deliverer(
        _ configuration: Configuration, client: HTTPClient, ledger: Ledger, budgets: BudgetEngine,
        recorder: AlertRecorder, path: String, random: @escaping @Sendable () -> UInt64,
        link: PageLink, log: Logger
    ) -> Deliverer {
        let top = TopSpenders(budgets: budgets)
        return Deliverer(
            receivers: configuration.alerts.receivers, heartbeat: configuration.alerts.heartbeat,
            services: DelivererServices(
                transport: client, time: ledger.time, random: random, recorder: recorder,
                open: { () throws(SQLiteError) in try Database(path: path, mode: .readOnly) },
                write: { job, completion in ledger.write(job, completion: completion) },
                top: { alert, database in top.find(alert, in: database) },
                link: { link.alert($0) }, isHealthy: { ledger.isWritable }, log: log))
    }
}

extension Sidecar {
    static func tail(
        _ configuration: Configuration, _ positions: TailPositions, intake: EventIntake,
        ledger: Ledger, metrics: SelfMetrics, log: Logger
    ) -> FileTail {
        FileTail(
            sources: configuration.sources, positions: positions,
            directory: configuration.storage.path,
            services: TailServices(
                intake: intake, queue: ledger.queue, metrics: metrics, time: ledger.time, log: log,
                write: { job, completion in ledger.write(job, completion: completion) }))
    }
}

/// Calls what is attached later: the rooms that know each other both ways are built one by one.
final class Relay: Sendable {
    private let target = Mutex<(@Sendable () -> Void)?>(nil)

    func attach(_ target: @escaping @Sendable () -> Void) { self.target.withLock { $0 = target } }

    func call() { target.withLock { $0 }?() }
}

/// Where people find what a notification is about.
final class PageLink: Sendable {
    private let base: Mutex<String>

    init(_ base: String) { self.base = Mutex(base) }

    /// The address that was bound, when no other was configured.
    func setDefault(_ base: String) {
        self.base.withLock { if $0.isEmpty { $0 = base } }
    }

    func alert(_ id: String) -> String? {
        let base = base.withLock { $0 }
        return base.isEmpty ? nil : "\(base)/#/alerts/\(id)"
    }
}
