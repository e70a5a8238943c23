internal import Protobuf
internal import Usage
internal import Wire

/// What one body tells: calls, and how the spans in it are nested.
struct BodyReading {
    var calls: [Call] = []
    var resources: [ResourceReading] = []
    var ignored: [IgnoreReason: Int] = [:]
    /// What was refused, with the field; told to the sender.
    var faults: [(field: String, message: String)] = []
    /// Key and parent's key of every span.
    var spans: [(key: UInt64, parent: UInt64)] = []
    /// Index into `calls` by the span's key.
    var callBySpan: [UInt64: Int] = [:]
    /// The points of counters that were not stale, in order.
    var counters: [CounterSeries.Step] = []

    mutating func ignore(_ reason: IgnoreReason, _ count: Int = 1) {
        ignored[reason, default: 0] += count
    }

    /// Keeps the call, of the newest resource, if it counts; answers whether.
    @discardableResult
    mutating func take(
        _ call: inout Call, of record: String, _ mapping: GenAIMapping, scope: Range<Int>,
        name: Range<Int>, _ bytes: Span<UInt8>
    ) -> Bool {
        do throws(FactFault) {
            let verdict = try mapping.read(
                &call, scope: bytes.extracting(scope), name: bytes.extracting(name), bytes)
            switch verdict {
            case .ignored(let reason):
                ignore(reason)
                return false
            case .counts:
                call.resource = resources.count - 1
                calls.append(call)
                return true
            }
        } catch {
            faults.append((record, error.message))
            return false
        }
    }
}

struct ResourceReading {
    var facts = Facts()
    /// Tells services apart: the hash of `service.name`, or of all there is without one.
    var service: UInt64 = 0
    var hasCalls = false
}

/// Reads an `ExportTraceServiceRequest`.
/// trace/v1/trace.proto of https://github.com/open-telemetry/opentelemetry-proto
struct TraceReader {
    let table: AttributeTable
    let mapping: GenAIMapping
    let hash: SeededHash

    func read(_ bytes: Span<UInt8>, length: Int) throws(ProtobufFault) -> BodyReading {
        var reading = BodyReading()
        var fields = ProtobufReader(0..<length)
        var call = Call()
        while let range = try fields.next(bytes, message: 1) {
            reading.resources.append(try resource(bytes, range))
            var scopes = ProtobufReader(range)
            while let scope = try scopes.next(bytes, message: 2) {
                try readScope(bytes, scope, &call, &reading)
            }
        }
        return reading
    }

    /// A resource stands in field 1, before or behind what it made.
    func resource(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(ProtobufFault) -> ResourceReading {
        var result = ResourceReading()
        var fields = ProtobufReader(range)
        while let message = try fields.next(bytes, message: 1) {
            result.service ^= hash.narrow(bytes.extracting(message))
            var attributes = ProtobufReader(message)
            while let attribute = try attributes.next(bytes, message: 1) {
                try result.facts.read(bytes, attribute, table)
            }
        }
        let name = result.facts[.serviceName]
        if name.kind == .text { result.service = hash.narrow(bytes.extracting(name.range)) }
        return result
    }

    /// The name of the instrumentation, wherever it stands.
    func scopeName(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(ProtobufFault) -> Range<Int> {
        var fields = ProtobufReader(range)
        var name = 0..<0
        while let message = try fields.next(bytes, message: 1) {
            var scope = ProtobufReader(message)
            while let text = try scope.next(bytes, message: 1) { name = text }
        }
        return name
    }

    private func readScope(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ call: inout Call, _ reading: inout BodyReading
    ) throws(ProtobufFault) {
        let scope = try scopeName(bytes, range)
        var fields = ProtobufReader(range)
        while let span = try fields.next(bytes, message: 2) {
            call.facts.clear()
            let name = try readSpan(bytes, span, &call)
            reading.spans.append(
                (call.span.key, call.parent == 0 ? 0 : call.span.key(of: call.parent)))
            guard reading.take(&call, of: "span", mapping, scope: scope, name: name, bytes) else {
                continue
            }
            reading.resources[call.resource].hasCalls = true
            if !call.span.isNone { reading.callBySpan[call.span.key] = reading.calls.count - 1 }
        }
    }

    /// Fills `call` anew, but for its facts, which are clear. Answers the span's name.
    private func readSpan(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ call: inout Call
    ) throws(ProtobufFault) -> Range<Int> {
        var fields = ProtobufReader(range)
        var name = 0..<0
        var (start, end): (UInt64, UInt64) = (0, 0)
        var isError = false
        call.tokens = TokenCounts()
        call.hasTokens = false
        call.amount = nil
        call.span = SpanIdentity()
        call.parent = 0
        while let field = try fields.next(bytes) {
            switch field.number {
            case 1:
                let trace = try field.message()
                call.span.traceHigh = Self.word(bytes, trace, 0)
                call.span.traceLow = Self.word(bytes, trace, 8)
            case 2: call.span.span = Self.word(bytes, try field.message(), 0)
            case 4: call.parent = Self.word(bytes, try field.message(), 0)
            case 5: name = try field.message()
            case 7: start = try field.fixed64()
            case 8: end = try field.fixed64()
            case 9: try call.facts.read(bytes, try field.message(), table)
            case 15: isError = try self.isError(bytes, try field.message())
            default: break
            }
        }
        call.startNanos = Int64(clamping: start != 0 ? start : end)
        call.durationMillis =
            end > start && start != 0 ? UInt32(clamping: (end - start) / 1_000_000) : 0
        call.status = StatusReader.status(call.facts, isError: isError, bytes)
        return name
    }

    private func isError(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(ProtobufFault) -> Bool {
        var fields = ProtobufReader(range)
        var code: UInt64 = 0
        while let field = try fields.next(bytes) {
            if field.number == 3 { code = try field.varint() }
        }
        return code == 2
    }

    /// Eight bytes of an id, big-endian, as ids are printed; those past its end count as zero.
    static func word(_ bytes: Span<UInt8>, _ range: Range<Int>, _ offset: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<8 {
            let at = range.lowerBound + offset + index
            value = value << 8 | (at < range.upperBound ? UInt64(bytes[at]) : 0)
        }
        return value
    }
}

enum StatusReader {
    /// `error.type` is an exception's name, an HTTP status or a word of the provider.
    static func status(_ facts: Facts, isError: Bool, _ bytes: Span<UInt8>) -> Status {
        guard isError || facts.has(.errorType) else { return .ok }
        return status(
            ofError: facts.text(.errorType, bytes) ?? "", code: facts.text(.httpStatus, bytes))
    }

    static func status(ofError text: String, code: String?) -> Status {
        let text = text.lowercased()
        func has(_ words: String...) -> Bool { words.contains { text.contains($0) } }
        if has("ratelimit", "rate_limit", "too_many", "toomany", "throttl", "429") || code == "429"
        {
            return .rateLimited
        }
        if has("timeout", "timed_out", "deadline", "408", "504") || code == "408" || code == "504" {
            return .timeout
        }
        if has("cancel", "abort") { return .cancelled }
        return .error
    }
}
