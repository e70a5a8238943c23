internal import Ledger
internal import SelfMetrics
internal import Wire

/// Readings that the sidecar takes when the page is made.
public struct SelfReadings: Sendable {
    public var version = ""
    public var swiftVersion = ""
    public var queueEvents = 0
    public var series = 0
    public var names = 0
    public var namesFolded: Int64 = 0
    public var storeBytes: Int64 = 0
    public var dedupWindowNanos: Int64 = 0
    public var dedupCount = 0
    public var isStoreWritable = true
    public var clockSkewNanos: Int64 = 0
    /// From the youngest committed event's time of arrival to now; nil without events.
    public var ingestLagNanos: Int64?
    /// Bytes of tailed files that are not committed yet.
    public var tailUnread: [(path: String, bytes: Int64)] = []
    public var catalogueModels = 0
    /// The last reading of the price files took effect.
    public var catalogueIsCurrent = true
    public var catalogueSeconds: Int64 = 0
    public var alerts = AlertReadings()

    public init() {}
}

/// The metrics about costgauge itself.
struct SelfPage {
    let readings: SelfReadings
    let metrics: SelfMetrics.Snapshot
    let foldedCount: Int64
    let samplesUsed: Int

    func write(to page: inout PageWriter) {
        writeEvents(&page)
        writeGauges(&page)
        writeHTTP(&page)
        writeProcess(&page)
    }

    private func writeEvents(_ page: inout PageWriter) {
        page.begin(
            MetricFamily(
                "costgauge_ingest_events", .counter, "Events received, by what became of them."))
        let keys = metrics.events.keys.sorted {
            ($0.source.rawValue, $0.outcome.rawValue, $0.reason)
                < ($1.source.rawValue, $1.outcome.rawValue, $1.reason)
        }
        for key in keys {
            page.sample(
                [
                    ("source", key.source.rawValue), ("outcome", key.outcome.rawValue),
                    ("reason", key.reason),
                ], integer: Int64(metrics.events[key] ?? 0))
        }
        page.begin(
            MetricFamily(
                "costgauge_otlp_ignored", .counter,
                "Spans, points and records that are no call of their own."))
        let ignored = metrics.ignored.keys.sorted {
            ($0.signal, $0.reason) < ($1.signal, $1.reason)
        }
        for key in ignored {
            page.sample(
                [("signal", key.signal), ("reason", key.reason)],
                integer: Int64(metrics.ignored[key] ?? 0))
        }
        page.begin(
            MetricFamily("costgauge_otlp_pushes", .counter, "Requests with our own metrics."))
        page.sample([("outcome", "taken")], integer: Int64(metrics.pushesTaken))
        page.sample([("outcome", "failed")], integer: Int64(metrics.pushesFailed))
        page.begin(
            MetricFamily(
                "costgauge_otlp_rejected_points", .counter,
                "Points of our own metrics that the receiver did not take."))
        page.sample(integer: Int64(metrics.rejectedPoints))
        page.begin(
            MetricFamily(
                "costgauge_ingest_late_events", .counter, "Events dated more than an hour back."))
        page.sample(integer: Int64(metrics.lateEvents))
        histogram(
            MetricFamily(
                "costgauge_commit_duration_seconds", .histogram, unit: "seconds",
                "From taking a group of batches to its commit."), metrics.commit, &page)
        page.begin(
            MetricFamily(
                "costgauge_commit_failures", .counter, "Commits that the store refused."))
        page.sample(integer: Int64(metrics.commitFailures))
        writeFolded(&page)
    }

    private func writeFolded(_ page: inout PageWriter) {
        page.begin(
            MetricFamily(
                "costgauge_series_folded", .counter,
                "Increments that went to __other__ because the page was full."))
        page.sample(integer: foldedCount)
        page.begin(
            MetricFamily(
                "costgauge_names_folded", .counter,
                "Dimension values that found no room among the names and count as __other__."))
        page.sample(integer: readings.namesFolded)
    }

    private func writeGauges(_ page: inout PageWriter) {
        gauge("costgauge_series", "Counter samples of label sets on the page.", samplesUsed, &page)
        gauge("costgauge_names", "Distinct dimension values known.", readings.names, &page)
        gauge(
            "costgauge_label_sets", "Label sets with counters of their own.", readings.series, &page
        )
        gauge(
            "costgauge_queue_events", "Events that wait for their commit.", readings.queueEvents,
            &page)
        page.begin(
            MetricFamily(
                "costgauge_dedup_window_seconds", .gauge, unit: "seconds",
                "How long a repeated event id is recognised now."))
        page.sample([], readings.dedupWindowNanos, scale: 9)
        gauge("costgauge_dedup_ids", "Event ids remembered.", readings.dedupCount, &page)
        page.begin(
            MetricFamily(
                "costgauge_clock_skew_seconds", .gauge, unit: "seconds",
                "How far the wall clock is behind the last commit."))
        page.sample([], readings.clockSkewNanos, scale: 9)
        if let lag = readings.ingestLagNanos {
            page.begin(
                MetricFamily(
                    "costgauge_ingest_lag_seconds", .gauge, unit: "seconds",
                    "Time since the last event was committed."))
            page.sample([], lag, scale: 9)
        }
        page.begin(
            MetricFamily(
                "costgauge_tail_unread_bytes", .gauge, unit: "bytes",
                "Bytes of a tailed file that are not committed yet."))
        for file in readings.tailUnread { page.sample([("path", file.path)], integer: file.bytes) }
        page.begin(
            MetricFamily(
                "costgauge_store_bytes", .gauge, unit: "bytes", "Size of the database and its log.")
        )
        page.sample(integer: readings.storeBytes)
        gauge(
            "costgauge_store_writable", "1 while the store accepts events.",
            readings.isStoreWritable ? 1 : 0, &page)
        gauge(
            "costgauge_pricing_catalogue_models", "Models with a known price.",
            readings.catalogueModels, &page)
        page.begin(
            MetricFamily(
                "costgauge_pricing_catalogue_timestamp_seconds", .gauge, unit: "seconds",
                "When the price list was gathered."))
        page.sample(integer: readings.catalogueSeconds)
        gauge(
            "costgauge_pricing_catalogue_last_reload_successful",
            "1 when the last reading of the price files took effect.",
            readings.catalogueIsCurrent ? 1 : 0, &page)
        gauge(
            "costgauge_config_last_reload_successful", "1 when the last reload took effect.",
            metrics.isConfigCurrent ? 1 : 0, &page)
        page.begin(
            MetricFamily(
                "costgauge_config_last_reload_success_timestamp_seconds", .gauge, unit: "seconds",
                "When the configuration that is in force was read."))
        page.sample(integer: metrics.configSeconds)
        page.begin(MetricFamily("costgauge_build_info", .gauge, "What is running."))
        page.sample(
            [("version", readings.version), ("swiftversion", readings.swiftVersion)], integer: 1)
    }

    private func writeHTTP(_ page: inout PageWriter) {
        page.begin(MetricFamily("costgauge_http_requests", .counter, "Requests answered."))
        for key in metrics.requests.keys.sorted(by: { ($0.path, $0.code) < ($1.path, $1.code) }) {
            page.sample(
                [("path", key.path), ("code", String(key.code))],
                integer: Int64(metrics.requests[key] ?? 0))
        }
        histogram(
            MetricFamily(
                "costgauge_http_request_duration_seconds", .histogram, unit: "seconds",
                "From the request's head to its answer."), metrics.request, &page)
    }

    private func writeProcess(_ page: inout PageWriter) {
        let process = ProcessMetrics()
        page.begin(
            MetricFamily(
                "process_cpu_seconds", .counter, unit: "seconds", "Processor time used."))
        page.sample([], process.cpuNanos, scale: 9)
        gauge("process_open_fds", "Open file descriptors.", Int(process.openFiles), &page)
        gauge("process_max_fds", "Most file descriptors allowed.", Int(process.openFilesMax), &page)
        page.begin(
            MetricFamily(
                "process_virtual_memory_bytes", .gauge, unit: "bytes", "Virtual memory in use."))
        page.sample(integer: process.virtualBytes)
        page.begin(
            MetricFamily(
                "process_resident_memory_bytes", .gauge, unit: "bytes", "Memory held in RAM."))
        page.sample(integer: process.residentBytes)
        page.begin(
            MetricFamily(
                "process_start_time_seconds", .gauge, unit: "seconds", "When the process started."))
        page.sample([], process.startCentiseconds, scale: 2)
    }

    private func gauge(_ name: String, _ help: String, _ value: Int, _ page: inout PageWriter) {
        page.begin(MetricFamily(name, .gauge, help))
        page.sample(integer: Int64(value))
    }

    private func histogram(
        _ family: MetricFamily, _ histogram: Histogram, _ page: inout PageWriter
    ) {
        page.begin(family)
        var total = 0
        for (index, count) in histogram.counts.enumerated() {
            total += count
            let bound =
                index < histogram.bounds.count
                ? Self.secondsLabel(histogram.bounds[index]) : "+Inf"
            page.sample(suffix: "_bucket", labelBytes([("le", bound)])[...]) {
                $0.appendDecimal(Int64(total))
            }
        }
        page.sample(suffix: "_sum", []) {
            FixedPoint.append(Int64(clamping: histogram.sumNanos), scale: 9, to: &$0)
        }
        page.sample(suffix: "_count", []) { $0.appendDecimal(Int64(total)) }
    }

    /// With a point, so that both formats and every scraper keep the same text.
    private static func secondsLabel(_ nanos: UInt64) -> String {
        var bytes: [UInt8] = []
        FixedPoint.append(Int64(nanos), scale: 9, fractionMin: 1, to: &bytes)
        return bytes.text
    }
}
