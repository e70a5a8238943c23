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
    private let kinds = TokenKind.allCases.map { labelBytes([("kind", $0.word)]) }
    private let statuses: [[UInt8]]
    /// Status is one of the labels: then there is one sample a set, not one a status.
    private let hasStatusLabel: Bool
    private let buckets = (CostBuckets.labels + ["+Inf"]).map { labelBytes([("le", $0)]) }
    private let names: Names

    init(labels: [Dimension], names: Names) {
        usage = LabelCache(labels: labels)
        statuses = Status.allCases.map { labelBytes([("status", $0.word)]) }
        hasStatusLabel = labels.contains(.status)
        self.names = names
    }

    mutating func write(_ snapshot: LedgerSnapshot, to page: inout PageWriter) {
        usage.extend(to: snapshot.usage, names)
        unpriced.extend(to: snapshot.unpriced, names)
        failed.extend(to: snapshot.failedCost, names)
        requestCost.extend(to: snapshot.requestCost, names)
        page.begin(
            MetricFamily(
                "costgauge_cost_usd", .counter, unit: "usd", "Cost of calls in US dollars."))
        writeAmounts(UsageSeries.Slot.cost, snapshot, &page)
        page.begin(
            MetricFamily(
                "costgauge_cost_credit_usd", .counter, unit: "usd",
                "What re-pricing took back in US dollars; cost minus credit is what the ledger holds."
            ))
        writeAmounts(UsageSeries.Slot.credit, snapshot, &page)
        page.begin(
            MetricFamily("costgauge_tokens", .counter, "Tokens by kind; the kinds do not overlap."))
        for row in 0..<snapshot.usage.count {
            for kind in TokenKind.allCases {
                writeCount(
                    UsageSeries.Slot.tokens(kind), row, snapshot, kinds[Int(kind.rawValue)], &page)
            }
        }
        page.begin(MetricFamily("costgauge_requests", .counter, "Calls by how they ended."))
        for row in 0..<snapshot.usage.count {
            if hasStatusLabel {
                writeRequests(row, snapshot, &page)
                continue
            }
            for status in Status.allCases {
                writeCount(
                    UsageSeries.Slot.requests(status), row, snapshot,
                    statuses[Int(status.rawValue)], &page)
            }
        }
        writeRequestCost(snapshot, &page)
        writePairs(snapshot, &page)
        writeWindows(snapshot, &page)
    }

    private func writeAmounts(_ slot: Int, _ snapshot: LedgerSnapshot, _ page: inout PageWriter) {
        for row in 0..<snapshot.usage.count where snapshot.isShown(slot, row) {
            page.sample(usage[row]) {
                NanoUSD(nanos: snapshot.usage.value(slot, of: row)).append(to: &$0)
            }
            page.created(usage[row], unixNanos: snapshot.usage.created[row])
        }
    }

    private func writeCount(
        _ slot: Int, _ row: Int, _ snapshot: LedgerSnapshot, _ extra: [UInt8],
        _ page: inout PageWriter
    ) {
        guard snapshot.isShown(slot, row) else { return }
        page.sample(usage[row], extra: extra) {
            $0.appendDecimal(snapshot.usage.value(slot, of: row))
        }
        page.created(usage[row], extra: extra, unixNanos: snapshot.usage.created[row])
    }

    private func writeRequests(_ row: Int, _ snapshot: LedgerSnapshot, _ page: inout PageWriter) {
        let shown = Status.allCases.map { UsageSeries.Slot.requests($0) }.filter {
            snapshot.isShown($0, row)
        }
        guard !shown.isEmpty else { return }
        page.sample(usage[row]) {
            $0.appendDecimal(
                shown.reduce(Int64(0)) { $0 + snapshot.usage.value($1, of: row) })
        }
        page.created(usage[row], unixNanos: snapshot.usage.created[row])
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
            for entry in snapshot.windows where entry.isTop == isTop {
                page.sample(
                    [
                        ("dimension", entry.dimension.description),
                        ("value", names.text(entry.value)), ("window", entry.window.rawValue),
                    ], entry.amount.nanos, scale: NanoUSD.scale)
            }
        }
    }
}

extension LedgerSnapshot {
    fileprivate func isShown(_ slot: Int, _ row: Int) -> Bool {
        usage.value(UsageSeries.Slot.shown, of: row) & (1 << Int64(slot)) != 0
    }
}
