internal import Alerts
internal import Budgets
public import Configuration
internal import Intake
internal import Ledger
public import Logging
internal import Pricing
internal import SQLite
internal import SelfMetrics
internal import Store
internal import Tail
internal import Threading
internal import Usage
internal import Wire

/// The sidecar without its surfaces: takes events into a data directory that no server uses. What
/// budgets say to them is stored and told by the next server.
public final class Loader: Sendable {
    private let directory: DataDirectory
    private let ledger: Ledger
    private let intake: EventIntake

    public init(configuration: Configuration, log: Logger) throws(SidecarError) {
        let time = SystemTime()
        let random: @Sendable () -> UInt64 = { UInt64.random(in: .min ... .max) }
        let hash = SeededHash(seed: random())
        let names = Names(hash: hash)
        let metrics = SelfMetrics(rejectReasons: RejectReason.allCases.map(\.rawValue))
        let recorder = Sidecar.recorder(configuration, random, Relay())
        let governance = Sidecar.governance(configuration, log)
        let budgets = Sidecar.budgets(configuration, names, time, recorder, governance, log)
        let anomalies = Sidecar.anomalies(
            configuration, names, time, recorder, governance, Question())
        let prices = try Prices(
            settings: configuration.pricing, names: names, time: time, log: log)
        let pricer = prices.pricer
        (directory, ledger) = try Sidecar.openLedger(
            configuration, names: names, hash: hash, time: time, metrics: metrics, log: log,
            participants: Sidecar.participants(
                UnpricedAlerts(names, recorder), budgets, anomalies, recorder,
                TailPositions()) + [governance])
        try prices.restore(from: directory.databasePath)
        intake = EventIntake(
            settings: configuration.intake, names: names,
            hash: hash, time: ledger.time, sink: ledger.queue, price: { pricer.price(&$0, $1) },
            metrics: metrics)
        ledger.start()
    }

    /// What became of some lines; `failure` is why the store did not take them.
    public struct Outcome: Sendable {
        public var accepted = 0
        public var duplicates = 0
        public var rejected = 0
        public var rejections: [(line: Int, message: String)] = []
        public var failure: String?
    }

    /// Takes whole lines, one event each; returns when they are durable.
    public func take(lines: [UInt8]) -> Outcome {
        var lines = lines
        return waitForAnswer { tell in
            _ = intake.read(lines: &lines, from: .jsonl, into: ledger.queue) { report, outcome in
                tell(Outcome(report, outcome))
            }
        }
    }

    /// Commits everything and closes the store.
    public func stop() { ledger.stop() }
}

extension Loader.Outcome {
    fileprivate init(_ report: IntakeReport, _ outcome: Receipt.Outcome) {
        accepted = outcome.accepted
        duplicates = outcome.duplicates
        rejected = report.rejectedCount
        rejections = report.rejections.map { rejection in
            let field = rejection.field.isEmpty ? "" : rejection.field + " "
            return (rejection.line, field + rejection.message)
        }
        switch outcome.failure {
        case nil: break
        case .storeUnwritable(let message): failure = message
        case .ledgerFull: failure = "the sum of all amounts would pass what 64 bits hold"
        case .stopping: failure = "stopped"
        }
    }
}
