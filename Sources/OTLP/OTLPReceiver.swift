public import Intake
internal import JSON
internal import Protobuf
public import SelfMetrics
internal import Synchronization
internal import Usage
public import Wire

/// Reads what OpenTelemetry exporters send and hands the model calls in it to intake.
///
///     bytes --(JSON: transcoded)--> protobuf --> calls --> [nested? told already?] --> events
///
/// A body is decoded whole before any of it is taken: a malformed one leaves no trace.
public final class OTLPReceiver: Sendable {
    private struct State {
        var settings: OTLPSettings
        var table: AttributeTable
        var nested = NestedSpans()
        var models = ModelChoices()
        var services = ServiceSources()
        var series: CounterSeries
    }

    private let intake: EventIntake
    private let hash: SeededHash
    private let metrics: SelfMetrics
    private let prices: PriceLookup
    private let state: Mutex<State>
    private let marks: CounterMarks
    private let recordHash: SeededHash
    private let startedNanos: Int64

    /// - Parameters:
    /// - marks: recovered by the ledger, in which they take part.
    /// - startedNanos: when costgauge first began to listen; counters that are older and not known
    ///     begin with what they show first.
    public init(
        settings: OTLPSettings, intake: EventIntake, hash: SeededHash, metrics: SelfMetrics,
        marks: CounterMarks, startedNanos: Int64, prices: PriceLookup
    ) {
        self.intake = intake
        self.hash = hash
        self.metrics = metrics
        self.prices = prices
        self.marks = marks
        recordHash = marks.hash
        // What began while nobody listened has told nobody yet.
        self.startedNanos = marks.lastNanos == 0 ? startedNanos : marks.lastNanos
        state = Mutex(
            State(
                settings: settings, table: AttributeTable(settings.attributes, hash: hash),
                series: CounterSeries(marks: marks.takeKnown())))
    }

    /// Takes effect with the next body; also after the price list has changed.
    public func configure(_ settings: OTLPSettings) {
        let table = AttributeTable(settings.attributes, hash: hash)
        state.withLock { state in
            state.settings = settings
            state.table = table
            state.models = ModelChoices()
        }
    }

    /// `completion` runs once: at once for a body that is refused, else after the commit.
    public func read(
        _ body: [UInt8], _ signal: OTLPSignal, _ encoding: OTLPEncoding,
        completion: @escaping @Sendable (OTLPAnswer) -> Void
    ) {
        var body = body
        if encoding == .json {
            do throws(JSONFault) {
                body = try OTLPTranscoder.protobuf(from: body, signal)
            } catch {
                return completion(.refused(encoding, status: 400, error.description))
            }
        }
        let reading: BodyReading
        do throws(ProtobufFault) {
            reading = try decode(body.span, length: body.count, signal)
        } catch {
            return completion(
                .refused(encoding, status: 400, "not a request of OTLP: \(error.description)"))
        }
        for (reason, count) in reading.ignored {
            metrics.countIgnored(count, signal: signal.rawValue, reason: reason.rawValue)
        }
        submit(reading, body.span, signal, encoding, completion)
    }

    private func decode(
        _ bytes: Span<UInt8>, length: Int, _ signal: OTLPSignal
    ) throws(ProtobufFault) -> BodyReading {
        let (settings, table) = state.withLock { ($0.settings, $0.table) }
        let mapping = GenAIMapping(trustsReportedCost: settings.trustsReportedCost)
        let traces = TraceReader(table: table, mapping: mapping, hash: hash)
        var reading: BodyReading
        switch signal {
        case .traces: reading = try traces.read(bytes, length: length)
        case .logs:
            let reader = LogReader(
                traces: traces, hash: recordHash, isOn: settings.sources.logs)
            reading = try reader.read(bytes, length: length)
        case .metrics:
            let points = try MetricReader(traces: traces, hash: recordHash).read(
                bytes, length: length)
            return state.withLock { state in
                state.series.read(
                    points, bytes, isOn: settings.sources.metrics, startedNanos: startedNanos,
                    services: &state.services)
            }
        }
        state.withLock { state in
            state.nested.cover(&reading) { responseHash($0, bytes) }
            state.services.note(&reading)
        }
        return reading
    }

    private func responseHash(_ call: Call, _ bytes: Span<UInt8>) -> UInt64 {
        let id = call.facts[.responseID]
        return id.kind == .text ? hash.narrow(bytes.extracting(id.range)) | 1 : 0
    }

    private func submit(
        _ reading: BodyReading, _ bytes: Span<UInt8>, _ signal: OTLPSignal,
        _ encoding: OTLPEncoding, _ completion: @escaping @Sendable (OTLPAnswer) -> Void
    ) {
        let choices = state.withLock { state in
            reading.calls.map { state.models.choose($0, bytes, hash, prices) }
        }
        let counters = reading.counters
        let isCarried = intake.feed(
            from: .otlp, marks: counters.map(\.mark),
            { feed in
                for (index, call) in reading.calls.enumerated() {
                    guard call.ignored == nil else { continue }
                    let draft = CallWriter.draft(
                        call, resource: reading.resources[call.resource].facts, choices[index],
                        bytes, &feed)
                    feed.add(draft)
                }
                for fault in reading.faults {
                    feed.reject(field: fault.field, .outOfRange, fault.message)
                }
            },
            completion: { [self] report, outcome in
                if outcome.failure != nil { state.withLock { $0.series.undo(counters) } }
                completion(Self.answer(report, outcome, signal, encoding))
            })
        if !isCarried { marks.keep(counters.map(\.mark)) }
        for call in reading.calls {
            guard let reason = call.ignored else { continue }
            metrics.countIgnored(1, signal: signal.rawValue, reason: reason.rawValue)
        }
    }

    private static func answer(
        _ report: IntakeReport, _ outcome: Receipt.Outcome, _ signal: OTLPSignal,
        _ encoding: OTLPEncoding
    ) -> OTLPAnswer {
        switch outcome.failure {
        case .storeUnwritable?:
            return .refused(
                encoding, status: 503, "the store cannot write; send again later",
                retryAfterSeconds: 5)
        case .stopping?:
            return .refused(
                encoding, status: 503, "costgauge is stopping; send again", retryAfterSeconds: 5)
        case .ledgerFull?:
            return .refused(
                encoding, status: 422,
                "the sum of all amounts would pass what 64-bit nano-dollars hold")
        case nil: break
        }
        let reasons = report.rejections.prefix(5).map { "\($0.field) \($0.message)" }
        let rest = report.rejectedCount - reasons.count
        let message =
            reasons.joined(separator: "; ") + (rest > 0 ? "; and \(rest) more" : "")
        return .taken(encoding, signal, rejected: report.rejectedCount, message: message)
    }
}
