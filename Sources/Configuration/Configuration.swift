public import Access
internal import Aggregation
public import Anomalies
public import Budgets
public import HTTPServer
public import Ledger
public import Logging
public import OTLPPush
public import Pricing
public import Store
public import Tail
internal import Usage
internal import YAML

/// A validated configuration: each room's settings.
public struct Configuration: Equatable, Sendable {
    public struct Storage: Equatable, Sendable {
        /// Relative to the working directory.
        public var path = "./costgauge-data"
        public var sync = Synchronous.full
        /// Age at which raw events are deleted; 0 keeps them.
        public var eventsNanos = 30 * nanosPerDay
        /// Age at which alerts that are over are deleted; 0 keeps them.
        public var alertsNanos = 90 * nanosPerDay
        /// Age at which entries of the audit are deleted; 0 keeps them.
        public var auditNanos = 365 * nanosPerDay
    }

    public struct Web: Equatable, Sendable {
        public var listen = ListenAddress(host: "127.0.0.1", port: 10838)
        /// Metrics and health for the network; nil: none.
        public var metricsListen: ListenAddress?
        public var eventsBytesMax = 16 << 20
        public var otlpBytesMax = 64 << 20
        public var litellmBytesMax = 64 << 20
        /// How people reach the page: what links in notifications begin with. Empty: as listened
        /// on.
        public var externalURL = ""
        /// Nil: plain HTTP. This and the headers come from `--web.config.file`.
        public var tls: TLSSettings?
        public var headers: [WebConfiguration.Header] = []

        public var scheme: String { tls == nil ? "http" : "https" }
    }

    public var storage = Storage()
    public var web = Web()
    public var access = AccessSettings()
    /// Which headers of a gateway say whose call it is.
    public var authzHeaders = AdmissionHeaders()
    /// Empty: events must name their tenant.
    public var defaultTenant = "default"
    public var otlpReceiver = OTLPReceiverSection()
    /// Nil: metrics are not pushed.
    public var push: PushSettings?
    public var ledger = LedgerSettings()
    public var budgets = Configuration.defaultBudgets
    public var alerts = AlertSettings()
    public var pricing = PricingSettings()
    /// Files that are tailed.
    public var sources: [TailSource] = []
    public var anomalies = AnomalySettings()
    /// `_created` samples in OpenMetrics.
    public var writesCreated = false
    public var logLevel = LogLevel.info
    public var logFormat = LogFormat.logfmt
    /// Told to the operator once the logger works.
    public var warnings: [String] = []

    public init() {}

    static let nanosPerDay: Int64 = 86_400_000_000_000
}

extension Configuration {
    /// Reads a file's text, with overrides from the environment. An empty text gives the defaults.
    public static func read(
        _ text: [UInt8], file: String, environment: [String: String],
        secretFiles: SecretFiles = .none
    ) throws(ConfigurationFaults) -> Configuration {
        let reader = ConfigurationReader(
            file: file, environment: environment, secretFiles: secretFiles)
        let root: YAMLNode
        do throws(YAMLError) {
            root = try YAMLDocument.read(text)
        } catch {
            let fault = ConfigurationFault(
                source: file, mark: error.mark, key: "", message: "not YAML: \(error.message)")
            throw ConfigurationFaults(faults: [fault])
        }
        var configuration = decode(root, reader)
        guard reader.faults.isEmpty else {
            throw ConfigurationFaults(faults: reader.sortedFaults)
        }
        configuration.warnings += reader.unusedVariables.map {
            "the environment variable \($0) names no key of the configuration"
        }
        return configuration
    }

    /// Every key that `read` looks at, with its path; `[]` stands for an entry of a list.
    public static func knownKeys() -> Set<String> {
        let reader = ConfigurationReader(
            file: "", environment: [:], secretFiles: .none, isListingKeys: true)
        _ = decode(YAMLNode(.mapping([]), mark: YAMLMark(line: 1, column: 1)), reader)
        return reader.knownKeys
    }

    private static func decode(
        _ root: YAMLNode, _ reader: ConfigurationReader
    ) -> Configuration {
        var configuration = Configuration()
        var map = ConfigurationMap(root, path: "", reader: reader)
        readStorage(&map, &configuration)
        readAccess(&map, &configuration)
        readWeb(&map, &configuration)
        readAuthz(&map, &configuration)
        readAttribution(&map, &configuration)
        readIntake(&map, &configuration)
        readOTLPReceiver(&map, &configuration)
        configuration.push = readPush(&map, reader.environment, &configuration.warnings)
        readMetrics(&map, &configuration)
        configuration.budgets = readBudgets(&map)
        configuration.alerts = readAlerts(&map)
        configuration.pricing = readPricing(&map)
        configuration.sources = readSources(&map)
        configuration.anomalies = readAnomalies(&map)
        configuration.anomalies.anomalyNanos = configuration.storage.alertsNanos
        var log = map.map("log")
        configuration.logLevel = log.word("level", default: configuration.logLevel)
        configuration.logFormat = log.word("format", default: configuration.logFormat)
        log.finish()
        map.finish()
        return configuration
    }

    private static func readStorage(_ map: inout ConfigurationMap, _ result: inout Configuration) {
        var storage = map.map("storage")
        result.storage.path = storage.path("path", default: result.storage.path)
        if result.storage.path.isEmpty {
            storage.fault("path", "must not be empty; write a directory, such as ./costgauge-data")
        }
        result.storage.sync = storage.word("sync", default: result.storage.sync)
        var retention = storage.map("retention")
        result.storage.eventsNanos = retention.nanos(
            "events", default: result.storage.eventsNanos, in: 0...(3660 * nanosPerDay))
        result.storage.alertsNanos = retention.nanos(
            "alerts", default: result.storage.alertsNanos, in: 0...(3660 * nanosPerDay))
        result.storage.auditNanos = retention.nanos(
            "audit", default: result.storage.auditNanos, in: 0...(3660 * nanosPerDay))
        retention.finish()
        storage.finish()
    }

    private static func readWeb(_ map: inout ConfigurationMap, _ result: inout Configuration) {
        var web = map.map("web")
        let expected = "an address such as 127.0.0.1:10838 or [::1]:10838"
        result.web.listen = web.scalar("listen", default: result.web.listen, expected: expected) {
            ListenAddress($0)
        }
        if let refusal = refusal(of: result.web.listen, result.access) {
            web.fault("listen", refusal)
        }
        result.web.metricsListen = web.scalar(
            "metrics_listen", default: nil, expected: expected
        ) { text -> ListenAddress?? in
            text.isEmpty ? .some(nil) : ListenAddress(text).map { .some($0) }
        }
        if let metrics = result.web.metricsListen, metrics == result.web.listen, metrics.port != 0 {
            web.fault("metrics_listen", "\(metrics) is web.listen already; name another address")
        }
        result.web.externalURL = web.scalar(
            "external_url", default: "",
            expected: "an address such as https://costgauge.example.com"
        ) { text in
            text.isEmpty || text.hasPrefix("http://") || text.hasPrefix("https://")
                ? text.hasSuffix("/") ? String(text.dropLast()) : text : nil
        }
        var sizes = web.map("body_bytes_max")
        result.web.eventsBytesMax = sizes.bytes(
            "events", default: result.web.eventsBytesMax, in: 1024...(256 << 20))
        readForeignSizes(&sizes, &result)
        sizes.finish()
        web.finish()
    }

    private static func readAttribution(
        _ map: inout ConfigurationMap, _ result: inout Configuration
    ) {
        var attribution = map.map("attribution")
        var defaults = attribution.map("defaults")
        result.defaultTenant = defaults.string(
            "tenant", default: result.defaultTenant, bytesMax: Limits.textBytes)
        defaults.finish()
        readAttributes(&attribution, &result)
    }

    private static func readIntake(_ map: inout ConfigurationMap, _ result: inout Configuration) {
        var intake = map.map("intake")
        result.ledger.queueEventsMax = intake.integer(
            "queue_events", default: result.ledger.queueEventsMax, in: 1000...10_000_000)
        result.ledger.dedupAgeNanos = intake.nanos(
            "dedup_window", default: result.ledger.dedupAgeNanos,
            in: 60_000_000_000...(30 * nanosPerDay))
        result.ledger.dedupCountMax = intake.integer(
            "dedup_ids", default: result.ledger.dedupCountMax, in: 1000...100_000_000)
        let retention = result.storage.eventsNanos
        if retention > 0, retention < result.ledger.dedupAgeNanos {
            intake.fault(
                "dedup_window",
                "\(DurationText.text(result.ledger.dedupAgeNanos)) is longer than "
                    + "storage.retention.events (\(DurationText.text(retention))): after a restart ids of "
                    + "deleted events would not be recognised; keep events at least as long")
        }
        intake.finish()
    }

    private static func readMetrics(_ map: inout ConfigurationMap, _ result: inout Configuration) {
        var metrics = map.map("metrics")
        let names = Dimension.fixed.filter(\.isLabel).map(\.description).joined(separator: ", ")
        result.ledger.labels = metrics.list(
            "labels", default: result.ledger.labels, countMax: LabelKey.widthMax,
            expected: "a dimension with few values: \(names) or tags.NAME"
        ) { text in
            Dimension(text).flatMap { $0.isLabel ? $0 : nil }
        }
        let labelNames = result.ledger.labels.map(\.labelName)
        if let twice = labelNames.first(where: { name in
            labelNames.filter { $0 == name }.count > 1
        }) {
            metrics.fault("labels", "two entries give the label \(twice); keep one")
        }
        result.ledger.maxSeries = metrics.integer(
            "max_series", default: result.ledger.maxSeries, in: 100...10_000_000)
        result.writesCreated = metrics.boolean("created", default: false)
        var top = metrics.map("top")
        result.ledger.top = [Dimension.user, .agent].compactMap { dimension in
            let count = top.integer(dimension.description, default: 50, in: 0...1000)
            return count == 0
                ? nil : LedgerSettings.TopDimension(dimension: dimension, count: count)
        }
        top.finish()
        metrics.finish()
    }
}
