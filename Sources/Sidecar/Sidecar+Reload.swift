internal import API
internal import Access
internal import Alerts
internal import Budgets
internal import Configuration
internal import Delivery
internal import Intake
internal import Ledger
internal import Logging
internal import OTLP
internal import SQLite
internal import SelfMetrics
internal import Synchronization
internal import Threading
internal import Usage

// Reading the configuration again.
extension Sidecar {
    /// Reads the configuration again; what is wrong with it is in the log, and the running one
    /// stays.
    public func reload() { _ = readAgain() }

    /// Refusals come first, then the store, then what cannot fail: a configuration is in force as a
    /// whole or not at all.
    func readAgain() -> ReloadOutcome {
        let new: Configuration
        do throws(ConfigurationFaults) {
            new = try source()
        } catch {
            metrics.note(configIsCurrent: false, unixSeconds: 0)
            for fault in error.faults {
                log.error("the configuration was not read", ("fault", fault.description))
            }
            return .refused(error.description)
        }
        let lists: Prices.Lists
        switch prices.read(new.pricing) {
        case .success(let read): lists = read
        case .failure(let fault):
            metrics.note(configIsCurrent: false, unixSeconds: 0)
            return .refused(fault.description)
        }
        if let fault = redefine(new.budgets) { return .refused(fault) }
        prices.take(lists)
        access.configure(new.access)
        recorder.configure(new.alerts.router)
        recorder.silences.configure(new.alerts.silences)
        deliverer.configure(new.alerts.receivers, heartbeat: new.alerts.heartbeat)
        ingestWatch.configure(afterNanos: new.alerts.stalledNanos)
        log.configure(level: new.logLevel, format: new.logFormat)
        intake.configure(new.intake)
        otlp.configure(new.otlpReceiver.settings)
        let keys = Self.keysThatNeedRestart(started, new)
        for key in keys {
            log.warn("a changed key takes effect at the next start", ("key", key))
        }
        metrics.note(configIsCurrent: true, unixSeconds: time.unixNanos / 1_000_000_000)
        log.info("the configuration was read again")
        return .done(atNextStart: keys)
    }

    /// Puts new budgets into force through the writer. Answers nil, or why they are not.
    private func redefine(_ definitions: [BudgetDefinition]) -> String? {
        let (budgets, catalogue) = (budgets, budgets.catalogue)
        guard budgets.definitions != catalogue.definitions(with: definitions) else {
            catalogue.configure(definitions)
            return nil
        }
        let now = ledger.now
        let isDone =
            ledger.isWritable
            && waitForAnswer { tell in
                ledger.write(afterCheckpoint: true) { database throws(SQLiteError) in
                    try budgets.redefine(
                        catalogue.definitions(with: definitions), in: database, now: now)
                } completion: { isDurable in
                    if isDurable { catalogue.configure(definitions) }
                    budgets.redefined(isDurable: isDurable)
                    tell(isDurable)
                }
            }
        guard !isDone else { return nil }
        metrics.note(configIsCurrent: false, unixSeconds: 0)
        log.error("the new budgets could not be stored; the old ones stay in force")
        return "the store cannot write; nothing of the new configuration is in force"
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
        compare("storage.retention.alerts", \.storage.alertsNanos)
        compare("storage.retention.audit", \.storage.auditNanos)
        compare("web.listen", \.web.listen)
        compare("web.metrics_listen", \.web.metricsListen)
        compare("web.external_url", \.web.externalURL)
        compare("web.body_bytes_max.events", \.web.eventsBytesMax)
        compare("web.body_bytes_max.otlp", \.web.otlpBytesMax)
        compare("web.body_bytes_max.litellm", \.web.litellmBytesMax)
        compare("authz", \.authzHeaders)
        compare("tls_server_config of --web.config.file", \.web.tls)
        compare("http_server_config of --web.config.file", \.web.headers)
        compare("otlp", \.push)
        compare("otlp_receiver.listen", \.otlpReceiver.listen)
        compare("intake.queue_events", \.ledger.queueEventsMax)
        compare("intake.dedup_window", \.ledger.dedupAgeNanos)
        compare("intake.dedup_ids", \.ledger.dedupCountMax)
        compare("sources", \.sources)
        compare("metrics.labels", \.ledger.labels)
        compare("metrics.max_series", \.ledger.maxSeries)
        compare("metrics.top", \.ledger.top)
        compare("metrics.created", \.writesCreated)
        compare("anomalies", \.anomalies)
        return keys
    }
}

/// Lets the HTTP surface, which is built first, reload the sidecar that owns it.
final class Reloader: Sendable {
    private struct Target {
        weak var sidecar: Sidecar?
    }

    private let target = Mutex(Target())

    func attach(_ sidecar: Sidecar) {
        target.withLock { $0.sidecar = sidecar }
    }

    func reload() -> ReloadOutcome {
        guard let sidecar = target.withLock({ $0.sidecar }) else {
            return .refused("costgauge is starting")
        }
        return sidecar.readAgain()
    }
}
