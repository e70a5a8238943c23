internal import API
public import Configuration
internal import Exposition
internal import Glibc
public import HTTPServer
internal import Intake
internal import Ledger
public import Logging
internal import Pricing
internal import SQLite
internal import SelfMetrics
internal import Store
internal import Synchronization
internal import Threading
public import Usage
internal import Wire

/// Why the sidecar did not start: one line that says what and what to do.
public struct SidecarError: Error, CustomStringConvertible {
    public let description: String
}

/// The whole process but its command line: opens the store, recovers, wires the rooms, listens.
///
///     HTTP -> API -> Intake -> Pricer -> Ledger's queue -> writer -> LedgerState -> MetricsPage
public final class Sidecar: Sendable {
    /// As started: what needs a restart is told against it at every reload.
    private let started: Configuration
    private let log: Logger
    private let time: any TimeSource
    private let metrics: SelfMetrics
    private let directory: DataDirectory
    private let ledger: Ledger
    private let intake: EventIntake
    private let control = ControlQueue()
    private let server: HTTPServer
    private let metricsServer: HTTPServer?
    /// Reads the configuration again; set by the command that knows its source.
    private let source: @Sendable () throws(ConfigurationFaults) -> Configuration

    /// Everything is up when it returns: events can be posted to `address`.
    ///
    /// - Parameter source: reads the configuration again for a reload.
    /// - Parameter seed: makes hashes unpredictable.
    public init(
        configuration: Configuration, time: any TimeSource, seed: UInt64, log: Logger,
        source: @escaping @Sendable () throws(ConfigurationFaults) -> Configuration
    ) throws(SidecarError) {
        started = configuration
        self.log = log
        self.time = time
        self.source = source
        metrics = SelfMetrics(rejectReasons: RejectReason.allCases.map(\.rawValue))
        metrics.note(configIsCurrent: true, unixSeconds: time.unixNanos / 1_000_000_000)
        let hash = SeededHash(seed: seed)
        let names = Names(hash: hash)
        (directory, ledger) = try Self.openLedger(
            configuration, names: names, hash: hash, time: time, metrics: metrics, log: log)
        let pricer = Pricer(book: BuiltInPrices.book(), names: names)
        intake = EventIntake(
            settings: IntakeSettings(defaultTenant: configuration.defaultTenant), names: names,
            hash: hash, time: ledger.time, sink: ledger.queue, price: { pricer.price(&$0, $1) },
            metrics: metrics)
        let page = MetricsPage(
            labels: configuration.ledger.labels, names: names,
            writesCreated: configuration.writesCreated)
        let readings = Readings(
            ledger: ledger, databasePath: directory.databasePath, pricer: pricer, names: names,
            time: time)
        let reloader = Reloader()
        let services = APIServices(
            intake: intake, ledger: ledger, metrics: metrics, page: page, control: control,
            time: time, readings: { readings.read() }, reload: { reloader.reload() })
        ledger.start()
        control.start()
        do throws(HTTPServerError) {
            (server, metricsServer) = try Self.listen(configuration, services, log)
        } catch {
            ledger.stop()
            control.stop()
            throw SidecarError(description: Self.advice(for: error, configuration))
        }
        reloader.attach(self)
    }

    /// As bound.
    public var address: ListenAddress { server.address }
    public var metricsAddress: ListenAddress? { metricsServer?.address }

    /// The sum of all amounts ever committed.
    public var totalCost: NanoUSD {
        NanoUSD(nanos: ledger.withState { $0.grandTotal })
    }

    /// Takes a body of events as `POST /v1/events` would, and waits for its commit. Answers how
    /// many events were kept and why the others were not.
    public func ingest(_ body: [UInt8]) -> (accepted: Int, rejections: [String]) {
        let done = WakeSignal()
        let result = Mutex((accepted: 0, rejections: [String]()))
        var body = body
        intake.read(&body, from: .demo) { report, outcome in
            var rejections = report.rejections.map { "line \($0.line): \($0.field) \($0.message)" }
            if let failure = outcome.failure { rejections.append("\(failure)") }
            let final = (accepted: outcome.accepted, rejections: rejections)
            result.withLock { $0 = final }
            done.notify()
        }
        done.wait()
        return result.withLock { $0 }
    }

    /// Stops taking requests, commits what was accepted, answers who waits, closes the store.
    public func stop() {
        server.stopAccepting()
        metricsServer?.stopAccepting()
        ledger.stop()
        control.stop()
        server.stop()
        metricsServer?.stop()
        log.info("stopped", ("path", directory.path))
    }

    /// Reads the configuration again. Answers nil, or all faults; then the running one stays.
    public func reload() -> String? {
        let new: Configuration
        do throws(ConfigurationFaults) {
            new = try source()
        } catch {
            metrics.note(configIsCurrent: false, unixSeconds: 0)
            for fault in error.faults {
                log.error("the configuration was not read", ("fault", fault.description))
            }
            return error.description
        }
        log.configure(level: new.logLevel, format: new.logFormat)
        intake.configure(IntakeSettings(defaultTenant: new.defaultTenant))
        for key in Self.keysThatNeedRestart(started, new) {
            log.warn("a changed key takes effect at the next start", ("key", key))
        }
        metrics.note(configIsCurrent: true, unixSeconds: time.unixNanos / 1_000_000_000)
        log.info("the configuration was read again")
        return nil
    }

    private static func keysThatNeedRestart(
        _ old: Configuration, _ new: Configuration
    ) -> [String] {
        var keys: [String] = []
        func compare<Value: Equatable>(_ key: String, _ field: KeyPath<Configuration, Value>) {
            if old[keyPath: field] != new[keyPath: field] { keys.append(key) }
        }
        compare("storage.path", \.storage.path)
        compare("storage.sync", \.storage.sync)
        compare("storage.retention.events", \.storage.eventsNanos)
        compare("web.listen", \.web.listen)
        compare("web.metrics_listen", \.web.metricsListen)
        compare("web.body_bytes_max.events", \.web.eventsBytesMax)
        compare("intake.queue_events", \.ledger.queueEventsMax)
        compare("intake.dedup_window", \.ledger.dedupAgeNanos)
        compare("intake.dedup_ids", \.ledger.dedupCountMax)
        compare("metrics.labels", \.ledger.labels)
        compare("metrics.max_series", \.ledger.maxSeries)
        compare("metrics.top", \.ledger.top)
        compare("metrics.created", \.writesCreated)
        return keys
    }
}

// The steps of starting.
extension Sidecar {
    private static func openLedger(
        _ configuration: Configuration, names: Names, hash: SeededHash, time: any TimeSource,
        metrics: SelfMetrics, log: Logger
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
                    time: time, metrics: metrics, log: log)
                let millis = (time.monotonicNanos - started) / 1_000_000
                log.info(
                    "recovered", ("path", directory.path), ("milliseconds", "\(millis)"),
                    ("dedup_ids", "\(ledger.dedupCount)"))
                return (directory, ledger)
            } catch {
                throw StoreError.sqlite(path: directory.databasePath, error)
            }
        } catch {
            throw SidecarError(description: error.description)
        }
    }

    private static func listen(
        _ configuration: Configuration, _ services: APIServices, _ log: Logger
    ) throws(HTTPServerError) -> (HTTPServer, HTTPServer?) {
        func server(_ address: ListenAddress, isOpen: Bool) throws(HTTPServerError) -> HTTPServer {
            try HTTPServer(
                settings: HTTPServer.Settings(address: address),
                handler: API(
                    services: services, address: address, isOpen: isOpen,
                    eventsBytesMax: configuration.web.eventsBytesMax),
                log: { log.debug("http", ("message", $0)) })
        }
        let main = try server(configuration.web.listen, isOpen: false)
        guard let address = configuration.web.metricsListen else { return (main, nil) }
        do throws(HTTPServerError) {
            return (main, try server(address, isOpen: true))
        } catch {
            main.stop()
            throw error
        }
    }

    private static func advice(
        for error: HTTPServerError, _ configuration: Configuration
    ) -> String {
        let key =
            error.address == configuration.web.metricsListen
                && error.address != configuration.web.listen
            ? "web.metrics_listen" : "--web.listen-address"
        return error.isAddressInUse
            ? "\(error); another program listens there; choose another port with \(key)"
            : "\(error); choose another address with \(key)"
    }
}

/// Lets the HTTP surface, which is built first, reload the sidecar that owns it.
private final class Reloader: Sendable {
    private struct Target {
        weak var sidecar: Sidecar?
    }

    private let target = Mutex(Target())

    func attach(_ sidecar: Sidecar) {
        target.withLock { $0.sidecar = sidecar }
    }

    func reload() -> String? {
        guard let sidecar = target.withLock({ $0.sidecar }) else { return "costgauge is starting" }
        return sidecar.reload()
    }
}
