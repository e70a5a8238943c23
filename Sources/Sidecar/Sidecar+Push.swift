internal import Anomalies
internal import Budgets
internal import Configuration
internal import Exposition
internal import Glibc
internal import HTTPClient
internal import HTTPServer
internal import Ledger
internal import Logging
internal import OTLPPush
internal import SelfMetrics
internal import Usage
internal import Wire

extension Sidecar {
    /// Nil when nobody wants metrics pushed.
    static func pusher(
        _ configuration: Configuration, _ readings: Readings, _ budgets: BudgetEngine,
        _ anomalies: AnomalyEngine?, _ metrics: SelfMetrics, _ client: HTTPClient,
        _ random: @escaping @Sendable () -> UInt64,
        _ hash: SeededHash, _ log: Logger
    ) -> OTLPPusher? {
        guard var settings = configuration.push else { return nil }
        settings.resource.append(("service.version", Version.number))
        let (ledger, names) = (readings.ledger, readings.names)
        // The same after a restart, so that its series go on.
        if !settings.resource.contains(where: { $0.name == "service.instance.id" }) {
            let port = configuration.web.listen.port
            settings.resource.append(("service.instance.id", "\(hostName()):\(port)"))
        }
        let page = MetricsPage(
            labels: configuration.ledger.labels, names: names, writesCreated: true)
        return OTLPPusher(
            settings: settings, version: Version.number, transport: client, time: ledger.time,
            random: random, hash: hash, metrics: metrics, log: log
        ) {
            page.render(
                .openMetrics(echoesEscaping: false), gzip: false, ledger: ledger, budgets: budgets,
                anomalies: anomalies?.readings ?? AnomalyReadings(), metrics: metrics,
                readings: readings.read()
            ).bytes
        }
    }

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
