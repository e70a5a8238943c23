internal import Aggregation
internal import Ledger
internal import Usage
internal import Wire

/// The domain metrics: money, tokens and requests by label set.
struct LedgerPage {
    private var usage: LabelCache
    private var unpriced = LabelCache(labels: [.provider, .model])
    private var failed = LabelCache(labels: [.stage, .provider])
    private var requestCost = LabelCache(labels: [.provider, .model])
    private let cost = [SampleColumn(UsageSeries.Slot.cost, isAmount: true)]
    private let credit = [SampleColumn(UsageSeries.Slot.credit, isAmount: true)]
    private let tokens = TokenKind.allCases.map { kind in
        SampleColumn(UsageSeries.Slot.tokens(kind), extra: labelBytes([("kind", kind.word)]))
    }
    private let requests: [SampleColumn]
    private let buckets = (CostBuckets.labels + ["+Inf"]).map { labelBytes([("le", $0)]) }
    private let windows = Dictionary(
        uniqueKeysWithValues: LedgerSnapshot.Window.allCases.map {
            ($0, labelBytes([("window", $0.rawValue)]))
        })
    private let names: Names

    init(labels: [Dimension], names: Names) {
        usage = LabelCache(labels: labels)
        let statuses = Status.allCases.map { status in
            SampleColumn(
                UsageSeries.Slot.requests(status), extra: labelBytes([("status", status.word)]))
        }
        // With status among the labels there is one sample a set, not one a status.
        requests =
            labels.contains(.status)
            ? [
                SampleColumn(
                    values: statuses.reduce(0) { $0 | $1.values }, extra: [], isAmount: false)
            ] : statuses
        self.names = names
    }

    /// Makes the labels of rows that have come since the last page.
    mutating func extend(to snapshot: LedgerSnapshot) {
        usage.extend(to: snapshot.usage, names)
        unpriced.extend(to: snapshot.unpriced, names)
        failed.extend(to: snapshot.failedCost, names)
        requestCost.extend(to: snapshot.requestCost, names)
    }

    /// The counters of label sets: most of a large page.
    func writeUsage(_ snapshot: LedgerSnapshot, to page: inout PageWriter) {
        let rows = SampleRows(
            labels: usage.text, values: snapshot.usage.values, width: snapshot.usage.valueWidth,
            shown: UsageSeries.Slot.shown, created: snapshot.usage.created)
        page.begin(
            MetricFamily(
                "costgauge_cost_usd", .counter, unit: "usd", "Cost of calls in US dollars."))
        page.samples(rows, cost)
        page.begin(
            MetricFamily(
                "costgauge_cost_credit_usd", .counter, unit: "usd",
                "What re-pricing took back in US dollars; cost minus credit is what the ledger holds."
            ))
        page.samples(rows, credit)
        page.begin(
            MetricFamily("costgauge_tokens", .counter, "Tokens by kind; the kinds do not overlap."))
        page.samples(rows, tokens)
        page.begin(MetricFamily("costgauge_requests", .counter, "Calls by how they ended."))
        page.samples(rows, requests)
    }

    func writeRest(_ snapshot: LedgerSnapshot, to page: inout PageWriter) {
        writeRequestCost(snapshot, &page)
        writePairs(snapshot, &page)
        writeWindows(snapshot, &page)
    }

    private func writeRequestCost(_ snapshot: LedgerSnapshot, _ page: inout PageWriter) {
        page.begin(
            MetricFamily(
                "costgauge_request_cost_usd", .histogram, unit: "usd",
                "Cost of single calls in US dollars."))
        for row in 0..<snapshot.requestCost.count {
            let labels = requestCost[row]
            var total: Int64 = 0
            for bucket in buckets.indices {
                total += snapshot.requestCost.value(bucket, of: row)
                page.sample(suffix: "_bucket", labels, extra: buckets[bucket]) {
                    $0.appendDecimal(total)
                }
            }
            page.sample(suffix: "_sum", labels) {
                NanoUSD(nanos: snapshot.requestCost.value(CostBuckets.sum, of: row)).append(to: &$0)
            }
            page.sample(suffix: "_count", labels) { $0.appendDecimal(total) }
            page.created(labels, unixNanos: snapshot.requestCost.created[row])
        }
    }

    private func writePairs(_ snapshot: LedgerSnapshot, _ page: inout PageWriter) {
        page.begin(
            MetricFamily(
                "costgauge_unpriced_events", .counter,
                "Calls whose model has no known price: their tokens count, their cost is missing."))
        for row in 0..<snapshot.unpriced.count {
            page.sample(unpriced[row]) { $0.appendDecimal(snapshot.unpriced.value(0, of: row)) }
            page.created(unpriced[row], unixNanos: snapshot.unpriced.created[row])
        }
        page.begin(
            MetricFamily(
                "costgauge_failed_cost_usd", .counter, unit: "usd",
                "Cost of calls that did not end ok, by the stage they reached, in US dollars."))
        for row in 0..<snapshot.failedCost.count {
            page.sample(failed[row]) {
                NanoUSD(nanos: snapshot.failedCost.value(0, of: row)).append(to: &$0)
            }
            page.created(failed[row], unixNanos: snapshot.failedCost.created[row])
        }
    }

    private func writeWindows(_ snapshot: LedgerSnapshot, _ page: inout PageWriter) {
        let families = [
            (
                false,
                MetricFamily(
                    "costgauge_window_cost_usd", .gauge, unit: "usd",
                    "Cost in a rolling window, by event time, in US dollars.")
            ),
            (
                true,
                MetricFamily(
                    "costgauge_top_cost_usd", .gauge, unit: "usd",
                    "The largest spenders of a dimension without label, in US dollars.")
            ),
        ]
        for (isTop, family) in families {
            page.begin(family)
            var labels: [UInt8] = []
            var last: LedgerSnapshot.WindowSpend?
            for entry in snapshot.windows where entry.isTop == isTop {
                // The windows of a value mostly stand together.
                if last?.dimension != entry.dimension || last?.value != entry.value {
                    labels = labelBytes([
                        ("dimension", entry.dimension.description),
                        ("value", names.text(entry.value)),
                    ])
                }
                last = entry
                page.sample(labels[...], extra: windows[entry.window] ?? [], amount: entry.amount)
            }
        }
    }
}

extension SampleColumn {
    fileprivate init(_ slot: Int, extra: [UInt8] = [], isAmount: Bool = false) {
        self.init(values: 1 << Int64(slot), extra: extra, isAmount: isAmount)
    }
}
