internal import Alerts
internal import Anomalies
internal import Configuration
internal import Ledger
internal import SQLite
internal import Usage

extension Sidecar {
    /// Watches committed spend; nil when nothing is to be watched.
    static func anomalies(
        _ configuration: Configuration, names: Names, time: any TimeSource,
        recorder: AlertRecorder
    ) -> AnomalyEngine? {
        guard configuration.anomalies.isEnabled else { return nil }
        return AnomalyEngine(
            settings: configuration.anomalies, names: names, time: time
        ) { events, database, now throws(SQLiteError) in
            try recorder.record(events, in: database, now: now)
        }
    }

    static func watching(_ engine: AnomalyEngine?) -> [any CommitParticipant] {
        engine.map { [$0] } ?? []
    }
}
