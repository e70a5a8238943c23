public import Anomalies
public import SQLite
public import Usage

/// The words and keys of alerts about anomalies.
public enum AnomalyAlerts {
    /// What an anomaly says when it fires or grows; nil when it is over.
    public static func alert(_ event: AnomalyEvent, id: String, now: Int64) -> Alert? {
        if case .ended = event.change { return nil }
        let anomaly = event.anomaly
        var details = [
            Alert.Detail("anomaly", "\(anomaly.id)"),
            Alert.Detail("anomaly_kind", anomaly.kind.description),
            Alert.Detail("grade", anomaly.grade.word),
            Alert.Detail("dimension", anomaly.dimension.description),
            Alert.Detail("value", anomaly.value),
            Alert.Detail(anomaly.dimension.description, anomaly.value),
            Alert.Detail("observed_usd", anomaly.observed.decimal),
            Alert.Detail("expected_usd", anomaly.expected.decimal),
        ]
        // Routes may ask for a tenant also where a user is abnormal.
        for contributor in anomaly.top where contributor.shareMille >= 500 {
            details.append(Alert.Detail(contributor.dimension.description, contributor.value))
        }
        return Alert(
            id: id, dedupKey: anomaly.dedupKey, kind: .anomaly, severity: severity(anomaly.grade),
            title: anomaly.title, summary: anomaly.summary, startsAt: now, details: details)
    }

    /// Low is worth knowing, medium a look, high and critical somebody's attention.
    public static func severity(_ grade: AnomalyGrade) -> Severity {
        switch grade {
        case .low: .info
        case .medium: .warning
        case .high, .critical: .critical
        }
    }
}

extension AlertRecorder {
    /// Turns what anomalies tell into alerts. A grade that is reached later ends the alert of the
    /// one before.
    public func record(
        _ events: [AnomalyEvent], in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for event in events {
            switch event.change {
            case .ended(let reason):
                try resolve(event.anomaly.dedupKey, reason, in: database, now: now)
                continue
            case .escalated(let key):
                try resolve(key, "it has grown", in: database, now: now)
            case .fired: break
            }
            if let alert = AnomalyAlerts.alert(event, id: newID("alr_"), now: now) {
                try raise(alert, in: database, now: now)
            }
        }
    }
}
