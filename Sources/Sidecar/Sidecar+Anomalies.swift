internal import Alerts
internal import Anomalies
internal import Configuration
internal import Governance
internal import Ledger
internal import SQLite
internal import Synchronization
internal import Usage

extension Sidecar {
    /// Watches committed spend; nil when nothing is to be watched.
    static func anomalies(
        _ configuration: Configuration, _ names: Names, _ time: any TimeSource,
        _ recorder: AlertRecorder, _ governance: GovernanceLog, _ hasCaughtUp: Question
    ) -> AnomalyEngine? {
        guard configuration.anomalies.isEnabled else { return nil }
        return AnomalyEngine(
            settings: configuration.anomalies, names: names, time: time,
            readsDowntime: !configuration.sources.isEmpty, isCaughtUp: { hasCaughtUp.answer }
        ) { events, database, now throws(SQLiteError) in
            try recorder.record(events, in: database, now: now)
            for event in events where event.change == .fired {
                governance.note(GovernanceLines.anomaly(event.anomaly, now: now))
            }
        }
    }
}

/// Asks what is attached later; the answer until then is no.
final class Question: Sendable {
    private let target = Mutex<(@Sendable () -> Bool)?>(nil)

    func attach(_ target: @escaping @Sendable () -> Bool) { self.target.withLock { $0 = target } }

    var answer: Bool { target.withLock { $0 }?() ?? false }
}
