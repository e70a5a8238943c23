internal import Protobuf
internal import Usage
internal import Wire

/// Reads an `ExportLogsServiceRequest`: the records that carry the usage of a call.
/// logs/v1/logs.proto of https://github.com/open-telemetry/opentelemetry-proto
struct LogReader {
    let traces: TraceReader
    /// Names records that have no id.
    let hash: SeededHash
    let isOn: Bool

    func read(_ bytes: Span<UInt8>, length: Int) throws(ProtobufFault) -> BodyReading {
        var reading = BodyReading()
        var fields = ProtobufReader(0..<length)
        while let range = try fields.next(bytes, message: 1) {
            reading.resources.append(try traces.resource(bytes, range))
            let resource = try resourceHash(bytes, range)
            var scopes = ProtobufReader(range)
            while let scope = try scopes.next(bytes, message: 2) {
                try readScope(bytes, scope, resource, &reading)
            }
        }
        return reading
    }

    private func readScope(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ resource: UInt64,
        _ reading: inout BodyReading
    ) throws(ProtobufFault) {
        let scope = try traces.scopeName(bytes, range)
        let isClaudeCode = bytes.extracting(scope).hasPrefix("com.anthropic.claude_code")
        var fields = ProtobufReader(range)
        while let record = try fields.next(bytes, message: 2) {
            var call = Call()
            let name = try readRecord(bytes, record, &call)
            let isUsage =
                bytes.extracting(name).hasSuffix("gen_ai.client.inference.operation.details")
                || isClaudeCode && bytes.extracting(name).hasSuffix("api_request")
            guard isUsage else {
                reading.ignore(.noUsage)
                continue
            }
            guard isOn else {
                reading.ignore(.switchedOff)
                continue
            }
            // Sent again it is the same, and its time is in it.
            if call.span.isNone, !call.facts.has(.responseID) {
                call.record = hash.wide(bytes.extracting(record), domain: resource)
            }
            let mapping = GenAIMapping(
                trustsReportedCost: traces.mapping.trustsReportedCost || isClaudeCode)
            reading.take(&call, of: "record", mapping, scope: scope, name: 0..<0, bytes)
        }
    }

    private func resourceHash(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(ProtobufFault) -> UInt64 {
        var fields = ProtobufReader(range)
        return try fields.next(bytes, message: 1).map { hash.narrow(bytes.extracting($0)) } ?? 0
    }

    /// Answers the event's name: a field of its own, an attribute, or the body's text.
    private func readRecord(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ call: inout Call
    ) throws(ProtobufFault) -> Range<Int> {
        var fields = ProtobufReader(range)
        var (name, body) = (0..<0, 0..<0)
        var (time, observed): (UInt64, UInt64) = (0, 0)
        while let field = try fields.next(bytes) {
            switch field.number {
            case 1: time = try field.fixed64()
            case 5:
                if let value = try Facts.value(bytes, try field.message()), value.kind == .text {
                    body = value.range
                }
            case 6: try call.facts.read(bytes, try field.message(), traces.table)
            case 9:
                let trace = try field.message()
                call.span.traceHigh = TraceReader.word(bytes, trace, 0)
                call.span.traceLow = TraceReader.word(bytes, trace, 8)
            case 10: call.span.span = TraceReader.word(bytes, try field.message(), 0)
            case 11: observed = try field.fixed64()
            case 12: name = try field.message()
            default: break
            }
        }
        // Several calls may be told under one span of the application; their ids tell them apart.
        if call.facts.has(.responseID) { call.span = SpanIdentity() }
        call.startNanos = Int64(clamping: time != 0 ? time : observed)
        call.durationMillis = (try? call.facts.count(.durationMillis, bytes)) ?? 0
        call.status = StatusReader.status(call.facts, isError: false, bytes)
        if !name.isEmpty { return name }
        let attribute = call.facts[.eventName]
        return attribute.kind == .text ? attribute.range : body
    }
}
