internal import Protobuf
internal import Usage
internal import Wire

/// A counter of tokens or dollars that somebody's telemetry keeps.
enum CounterKind: UInt8 {
    /// `gen_ai.token.type` says which kind: `input` includes what was cached.
    case tokens
    /// `type` says which kind; the kinds do not overlap.
    case disjointTokens
    case input, output, cacheRead, cacheWrite, reasoning
    case cost

    /// https://github.com/open-telemetry/semantic-conventions-genai and
    /// https://docs.anthropic.com/en/docs/claude-code/monitoring-usage
    static func named(_ name: Span<UInt8>) -> CounterKind? {
        let names: [(StaticString, CounterKind)] = [
            ("gen_ai.client.token.usage", .tokens), ("claude_code.token.usage", .disjointTokens),
            ("claude_code.cost.usage", .cost),
            ("gen_ai.client.inference.usage.input_tokens", .input),
            ("gen_ai.client.inference.usage.output_tokens", .output),
            ("gen_ai.client.inference.usage.cache_read.input_tokens", .cacheRead),
            ("gen_ai.client.inference.usage.cache_write.input_tokens", .cacheWrite),
            ("gen_ai.client.inference.usage.reasoning.output_tokens", .reasoning),
        ]
        return names.first { name.equals($0.0) }?.1
    }
}

/// A point of such a counter.
struct CounterPoint {
    var kind: CounterKind
    /// Of the series: resource, scope, metric, temporality and all attributes.
    var series: UInt64 = 0
    var isDelta = false
    var resource = 0
    var start: UInt64 = 0
    var time: UInt64 = 0
    /// Tokens, or nano-dollars.
    var value: Int64 = 0
    var facts = Facts()
}

/// Reads the counters in an `ExportMetricsServiceRequest`.
/// metrics/v1/metrics.proto of https://github.com/open-telemetry/opentelemetry-proto
struct MetricReader {
    let traces: TraceReader
    /// Names series.
    let hash: SeededHash

    struct Reading {
        var points: [CounterPoint] = []
        var body = BodyReading()
    }

    func read(_ bytes: Span<UInt8>, length: Int) throws(ProtobufFault) -> Reading {
        var reading = Reading()
        var fields = ProtobufReader(0..<length)
        while let range = try fields.next(bytes, message: 1) {
            reading.body.resources.append(try traces.resource(bytes, range))
            let resource = try attributesHash(bytes, range, in: 1, attributes: 1)
            var scopes = ProtobufReader(range)
            while let scope = try scopes.next(bytes, message: 2) {
                try readScope(bytes, scope, resource, &reading)
            }
        }
        return reading
    }

    private func readScope(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ resource: UInt64, _ reading: inout Reading
    ) throws(ProtobufFault) {
        let scope = hash.narrow(bytes.extracting(try traces.scopeName(bytes, range)))
        var fields = ProtobufReader(range)
        while let metric = try fields.next(bytes, message: 2) {
            try readMetric(bytes, metric, mix(resource, scope), &reading)
        }
    }

    private func readMetric(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ owner: UInt64, _ reading: inout Reading
    ) throws(ProtobufFault) {
        var fields = ProtobufReader(range)
        var name = 0..<0
        var data: (field: Int, range: Range<Int>)?
        while let field = try fields.next(bytes) {
            switch field.number {
            case 1: name = try field.message()
            case 5, 7, 9, 10, 11: data = (field.number, try field.message())
            default: break
            }
        }
        guard let kind = CounterKind.named(bytes.extracting(name)), let data, data.field != 5,
            data.field != 11
        else {
            reading.body.ignore(.noUsage)
            return
        }
        let (temporality, isMonotonic) = try shape(bytes, data.range)
        if data.field == 7, !isMonotonic { return reading.body.ignore(.noUsage) }
        var point = CounterPoint(kind: kind)
        point.isDelta = temporality == 1
        point.resource = reading.body.resources.count - 1
        let series = mix(
            mix(owner, hash.narrow(bytes.extracting(name))),
            UInt64(data.field) << 8 | temporality)
        var points = ProtobufReader(data.range)
        while let range = try points.next(bytes, message: 1) {
            guard temporality == 1 || temporality == 2 else {
                reading.body.faults.append(
                    ("aggregation_temporality", "must be delta or cumulative"))
                continue
            }
            point.facts.clear()
            guard try readPoint(bytes, range, of: data.field, &point, &reading) else { continue }
            point.series = mix(
                series,
                try attributesHash(bytes, range, in: nil, attributes: Self.attributes(data.field)))
            reading.points.append(point)
        }
    }

    /// The field that holds the attributes of a point of a sum, a histogram, an exponential one.
    private static func attributes(_ data: Int) -> Int {
        switch data {
        case 7: 7
        case 9: 9
        default: 1
        }
    }

    /// Temporality and monotonicity may stand behind the points.
    private func shape(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(ProtobufFault) -> (temporality: UInt64, isMonotonic: Bool) {
        var fields = ProtobufReader(range)
        var result: (UInt64, Bool) = (0, false)
        while let field = try fields.next(bytes) {
            if field.number == 2 { result.0 = try field.varint() }
            if field.number == 3 { result.1 = try field.varint() != 0 }
        }
        return result
    }

    /// A point of a sum (7), a histogram (9) or an exponential one (10), of which the sum counts.
    private func readPoint(
        _ bytes: Span<UInt8>, _ range: Range<Int>, of data: Int, _ point: inout CounterPoint,
        _ reading: inout Reading
    ) throws(ProtobufFault) -> Bool {
        let isSum = data == 7
        let (attributes, flags) = (Self.attributes(data), isSum ? 8 : 10)
        var fields = ProtobufReader(range)
        var value = 0.0
        var hasNoValue = false
        (point.start, point.time) = (0, 0)
        while let field = try fields.next(bytes) {
            switch field.number {
            case 2: point.start = try field.fixed64()
            case 3: point.time = try field.fixed64()
            case 4 where isSum, 5 where !isSum: value = try field.double()
            case 6 where isSum: value = Double(Int64(bitPattern: try field.fixed64()))
            case attributes: try point.facts.read(bytes, try field.message(), traces.table)
            case flags: hasNoValue = try field.varint() & 1 != 0
            default: break
            }
        }
        return !hasNoValue && set(value, &point, &reading)
    }

    private func set(
        _ value: Double, _ point: inout CounterPoint, _ reading: inout Reading
    ) -> Bool {
        do throws(FactFault) {
            guard point.kind != .cost else {
                point.value = try Facts.amount(value.description).nanos
                return true
            }
            guard value.isFinite, value >= 0, value < 1e15 else {
                throw FactFault(message: "must be a number of tokens; got \(value)")
            }
            point.value = Int64(value.rounded())
            return true
        } catch {
            reading.body.faults.append(("point", error.message))
            return false
        }
    }

    /// The sum of the hashes of all attributes: their order does not matter. `parent` names the
    /// field whose message holds them.
    private func attributesHash(
        _ bytes: Span<UInt8>, _ range: Range<Int>, in parent: Int?, attributes: Int
    ) throws(ProtobufFault) -> UInt64 {
        var sum: UInt64 = 0
        var fields = ProtobufReader(range)
        while let message = try fields.next(bytes, message: parent ?? attributes) {
            sum &+=
                parent == nil
                ? hash.narrow(bytes.extracting(message))
                : try attributesHash(bytes, message, in: nil, attributes: attributes)
        }
        return sum
    }
}

/// Order matters, and no result is favoured.
func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = (left ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: right | 1)
    return product.high ^ product.low ^ right
}
