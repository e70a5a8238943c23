internal import Protobuf
internal import Wire

/// One request of a push, and what it says of the series in it.
struct PushChunk {
    var body: [UInt8] = []
    var points = 0
    /// Series and the value that was sent as a delta up to now, for when it is acknowledged.
    var values: [(series: UInt64, total: DeltaTotal)] = []
}

/// What of a series has been told.
struct DeltaTotal {
    var value: Double
    var count: Int64 = 0
    var buckets: [Int64] = []
}

/// Turns a page into OTLP: `costgauge_cost_usd_total{model="m"}` becomes the monotonic sum
/// `costgauge.cost.usd` of unit `{USD}` with `gen_ai.request.model`. Translated back by
/// Prometheus's rules the names are the old ones.
/// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
struct MetricsEncoder {
    /// Receivers refuse requests over 4 MiB by default (gRPC's limit, which many share).
    static let chunkBytesMax = 4 << 20
    /// One more point, its metric and the envelope fit into what is left.
    private static let pointsBytesMax = chunkBytesMax - 64 * 1024

    let resource: [(name: String, value: String)]
    let version: String
    let temporality: PushSettings.Temporality
    /// When this process began: the start of counters that do not outlive it.
    let startedNanos: Int64
    let nowNanos: Int64
    let hash: SeededHash
    /// Of series that were told: what has been acknowledged, and until when.
    let told: [UInt64: DeltaTotal]
    let toldNanos: Int64

    private var chunks: [PushChunk] = []
    private var chunk = PushChunk()
    private var scope: [UInt8] = []
    private var point: [UInt8] = []

    init(
        settings: PushSettings, version: String, startedNanos: Int64, nowNanos: Int64,
        hash: SeededHash, told: [UInt64: DeltaTotal], toldNanos: Int64
    ) {
        resource = settings.resource
        self.version = version
        temporality = settings.temporality
        self.startedNanos = startedNanos
        self.nowNanos = nowNanos
        self.hash = hash
        self.told = told
        self.toldNanos = toldNanos
    }

    mutating func encode(_ page: Span<UInt8>) -> [PushChunk] {
        for family in MetricsPageReader.read(page) where family.kind != .other {
            encode(family, page)
        }
        finishChunk()
        return chunks
    }

    private mutating func encode(_ family: MetricsPageReader.Family, _ page: Span<UInt8>) {
        var points: [UInt8] = []
        for item in family.points {
            // The points of one family may fill several requests.
            if scope.count + points.count > Self.pointsBytesMax {
                append(points, family, page)
                points.removeAll(keepingCapacity: true)
                finishChunk()
            }
            point.removeAll(keepingCapacity: true)
            let isTold =
                family.kind == .histogram
                ? encodeHistogram(item, family, page) : encodeNumber(item, family, page)
            guard isTold else { continue }
            points.appendField(1, bytes: point)
            chunk.points += 1
        }
        append(points, family, page)
    }

    private mutating func append(
        _ points: [UInt8], _ family: MetricsPageReader.Family, _ page: Span<UInt8>
    ) {
        guard !points.isEmpty else { return }
        let name = MetricName(page.extracting(family.name), family.kind)
        var metric: [UInt8] = []
        metric.appendField(1, text: name.dotted)
        if !name.unit.isEmpty { metric.appendField(3, text: name.unit) }
        let aggregation: UInt64 = temporality == .delta ? 1 : 2
        var data = points
        switch family.kind {
        case .counter:
            data.appendField(2, varint: aggregation)
            data.appendField(3, varint: 1)
            metric.appendField(7, bytes: data)
        case .histogram:
            data.appendField(2, varint: aggregation)
            metric.appendField(9, bytes: data)
        default: metric.appendField(5, bytes: data)
        }
        scope.appendField(2, bytes: metric)
    }

    private mutating func finishChunk() {
        guard !scope.isEmpty else { return }
        let (resource, version) = (resource, version)
        var scoped: [UInt8] = []
        scoped.appendMessage(1) { scope in
            scope.appendField(1, text: "costgauge")
            scope.appendField(2, text: version)
        }
        scoped.append(contentsOf: scope)
        var owned: [UInt8] = []
        owned.appendMessage(1) { bytes in
            for (name, value) in resource {
                bytes.appendMessage(1) { Self.append(name, value.utf8, to: &$0) }
            }
        }
        owned.appendField(2, bytes: scoped)
        chunk.body.appendField(1, bytes: owned)
        chunks.append(chunk)
        chunk = PushChunk()
        scope.removeAll(keepingCapacity: true)
    }

    private static func append(
        _ key: String, _ value: some Collection<UInt8>, to bytes: inout [UInt8]
    ) {
        bytes.appendField(1, text: key)
        bytes.appendMessage(2) { $0.appendField(1, bytes: value) }
    }
}

// Single points.
extension MetricsEncoder {
    private mutating func appendTimes(start: Int64) {
        // A gauge has none, and zeros are left out.
        if start != 0 { point.appendField(2, fixed64: UInt64(bitPattern: start)) }
        point.appendField(3, fixed64: UInt64(bitPattern: nowNanos))
    }

    /// False for a delta of nothing.
    private mutating func encodeNumber(
        _ item: MetricsPageReader.Point, _ family: MetricsPageReader.Family, _ page: Span<UInt8>
    ) -> Bool {
        let text = page.extracting(item.value)
        let isCounter = family.kind == .counter
        if isCounter, temporality == .delta {
            let total = DeltaTotal(value: double(text))
            let series = series(family, item, page)
            let before = told[series]?.value ?? 0
            guard total.value != before else { return false }
            appendTimes(start: toldNanos)
            let increase = total.value >= before ? total.value - before : total.value
            point.appendField(4, double: increase)
            chunk.values.append((series, total))
        } else {
            appendTimes(start: isCounter ? start(of: item) : 0)
            if let whole = Int64(text), isInteger(text) {
                point.appendField(6, fixed64: UInt64(bitPattern: whole))
            } else {
                point.appendField(4, double: double(text))
            }
        }
        appendAttributes(item.labels, field: 7, page)
        return true
    }

    private mutating func encodeHistogram(
        _ item: MetricsPageReader.Point, _ family: MetricsPageReader.Family, _ page: Span<UInt8>
    ) -> Bool {
        var counts: [Int64] = []
        var below: Int64 = 0
        for bucket in item.buckets {
            counts.append(bucket.count - below)
            below = bucket.count
        }
        var total = DeltaTotal(
            value: double(page.extracting(item.value)), count: item.count, buckets: counts)
        var start = start(of: item)
        if temporality == .delta {
            let series = series(family, item, page)
            let sent = total
            if let before = told[series], before.buckets.count == counts.count {
                guard before.count != total.count else { return false }
                total.value -= before.value
                total.count -= before.count
                for index in counts.indices { total.buckets[index] -= before.buckets[index] }
            }
            guard total.count > 0 else { return false }
            start = toldNanos
            chunk.values.append((series, sent))
        }
        appendTimes(start: start)
        if total.count != 0 {
            point.appendField(4, fixed64: UInt64(bitPattern: total.count))
        }
        point.appendField(5, double: total.value)
        point.appendMessage(6) { bytes in
            for count in total.buckets {
                bytes.append(littleEndian: UInt64(bitPattern: count), bytes: 8)
            }
        }
        // The last bucket has no bound.
        let bounds = item.buckets.dropLast().map { double(page.extracting($0.bound)) }
        point.appendMessage(7) { bytes in
            for bound in bounds { bytes.append(littleEndian: bound.bitPattern, bytes: 8) }
        }
        appendAttributes(item.labels, field: 9, page)
        return true
    }

    private func start(of item: MetricsPageReader.Point) -> Int64 {
        item.startNanos > 0 ? item.startNanos : startedNanos
    }

    private func series(
        _ family: MetricsPageReader.Family, _ item: MetricsPageReader.Point, _ page: Span<UInt8>
    ) -> UInt64 {
        let name = hash.narrow(page.extracting(family.name))
        return hash.narrow(page.extracting(item.labels)) &+ name &* 0x9e37_79b9_7f4a_7c15
    }

    private func isInteger(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where text[index] == UInt8(ascii: ".") { return false }
        return true
    }

    private func double(_ text: Span<UInt8>) -> Double {
        var bytes: [UInt8] = []
        bytes.append(copying: text)
        return Double(bytes.text) ?? 0
    }

    /// `tenant="a",model="m"`, with the page's escapes.
    private mutating func appendAttributes(
        _ labels: Range<Int>, field: Int, _ page: Span<UInt8>
    ) {
        var at = labels.lowerBound
        var value: [UInt8] = []
        while at < labels.upperBound {
            let keyStart = at
            while at < labels.upperBound, page[at] != UInt8(ascii: "=") { at += 1 }
            let key = page.extracting(keyStart..<at)
            at += 2
            value.removeAll(keepingCapacity: true)
            while at < labels.upperBound, page[at] != UInt8(ascii: "\"") {
                if page[at] == UInt8(ascii: "\\"), at + 1 < labels.upperBound {
                    at += 1
                    value.append(
                        page[at] == UInt8(ascii: "n") ? UInt8(ascii: "\n") : page[at])
                } else {
                    value.append(page[at])
                }
                at += 1
            }
            at += 2
            point.appendMessage(field) { bytes in
                if key.equals("provider") {
                    bytes.appendField(1, text: "gen_ai.provider.name")
                } else if key.equals("model") {
                    bytes.appendField(1, text: "gen_ai.request.model")
                } else {
                    bytes.appendTag(1, .bytes)
                    bytes.appendVarint(UInt64(key.count))
                    bytes.append(copying: key)
                }
                bytes.appendMessage(2) { $0.appendField(1, bytes: value) }
            }
        }
    }
}

/// A name with dots, and its unit apart where the conventions have one.
struct MetricName {
    let dotted: String
    let unit: String

    init(_ name: Span<UInt8>, _ kind: MetricsPageReader.Kind) {
        var bytes: [UInt8] = []
        bytes.append(copying: name)
        var text = bytes.text
        // The unit's word comes back with the translation; braces make it vanish there.
        func cut(_ suffix: String) -> Bool {
            guard text.hasSuffix(suffix) else { return false }
            text.removeLast(suffix.count)
            return true
        }
        if text.hasSuffix("_usd") {
            unit = "{USD}"
        } else if text.hasSuffix("_tokens") {
            unit = "{token}"
        } else if cut("_seconds") {
            unit = "s"
        } else if cut("_bytes") {
            unit = "By"
        } else if kind == .gauge, cut("_ratio") {
            unit = "1"
        } else {
            unit = ""
        }
        dotted = String(text.map { $0 == "_" ? "." : $0 })
    }
}
