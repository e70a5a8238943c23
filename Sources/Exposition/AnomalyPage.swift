internal import Anomalies
internal import Usage

/// What is abnormal, and how far the detectors are.
struct AnomalyPage {
    let readings: AnomalyReadings

    func write(to page: inout PageWriter) {
        page.begin(
            MetricFamily(
                "costgauge_anomalies", .counter, "Anomalies found, told or not, at each grade."))
        let counts = readings.counts.keys.sorted { ($0.kind, $0.grade) < ($1.kind, $1.grade) }
        for count in counts {
            page.sample(
                [("kind", count.kind), ("severity", count.grade.word)],
                integer: readings.counts[count] ?? 0)
        }
        page.begin(
            MetricFamily("costgauge_anomaly_active", .gauge, "1 while it is going on."))
        for active in readings.active {
            page.sample(
                [
                    ("kind", active.kind), ("dimension", active.dimension.description),
                    ("value", active.value), ("severity", active.grade.word),
                ], integer: 1)
        }
        page.begin(
            MetricFamily(
                "costgauge_anomaly_warmup_remaining_seconds", .gauge, unit: "seconds",
                "History that the detectors still need before they speak."))
        page.sample(integer: readings.warmupSeconds)
        page.begin(
            MetricFamily(
                "costgauge_anomaly_series", .gauge, "Values with a baseline of their own."))
        page.sample(integer: Int64(readings.series))
        page.begin(
            MetricFamily(
                "costgauge_snapshot_frozen_timestamp_seconds", .gauge, unit: "seconds",
                "End of the last window that detectors have seen."))
        page.sample(integer: readings.frozenUntil)
    }
}
