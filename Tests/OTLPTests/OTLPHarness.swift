import Foundation
import Intake
import Pricing
import Protobuf
import SelfMetrics
import Synchronization
import TestSupport
import Usage
import Wire

@testable import OTLP

/// Takes batches as the ledger would, duplicates and all, and commits them at once.
final class KeepingSink: BatchSink {
    private struct State {
        var events: [(CostEvent, EventRows)] = []
        var keys: Set<UInt128> = []
    }

    private let state = Mutex(State())

    var hasRoom: Bool { true }
    var isClosed: Bool { false }
    func checkout() -> EventBatch { EventBatch() }

    func checkoutEmpty() -> EventBatch { EventBatch() }
    func submit(together batches: [EventBatch]) { for batch in batches { submit(batch) } }
    func discard(_ batches: [EventBatch]) {}

    func submit(_ batch: EventBatch) {
        for part in batch.parts {
            var duplicates = 0
            state.withLock { state in
                for index in part.range {
                    let event = batch.rows.events[index]
                    let isKnown =
                        state.keys.contains(event.identity)
                        || event.call != 0 && state.keys.contains(event.call)
                    if isKnown {
                        duplicates += 1
                        continue
                    }
                    if !event.id.isEmpty { state.keys.insert(event.identity) }
                    if event.call != 0 { state.keys.insert(event.call) }
                    state.events.append((event, batch.rows))
                }
            }
            part.receipt.settle(accepted: part.range.count - duplicates, duplicates: duplicates)
        }
    }

    var events: [(CostEvent, EventRows)] { state.withLock { $0.events } }
}

/// One call as it was booked.
struct Booked: Equatable, CustomStringConvertible {
    var tenant = "default"
    var user = ""
    var feature = ""
    var agent = ""
    var operation = ""
    var provider = ""
    var model = ""
    var input: UInt32 = 0
    var cached: UInt32 = 0
    var written: UInt32 = 0
    var output: UInt32 = 0
    var reasoning: UInt32 = 0
    var cost: String?
    var source = CostSource.computed
    var status = Status.ok
    var request = ""

    var description: String {
        "\(tenant)/\(user)/\(feature)/\(agent) \(operation) \(provider) \(model) \(input)(\(cached),\(written))"
            + " \(output)(\(reasoning)) \(cost ?? "-") \(source) \(status) \(request)"
    }
}

/// Read once: it takes a debug build a second.
let builtInPrices = BuiltInPrices.book()

/// Reads bodies of OTLP and gives back what they came to, priced from the built-in list.
struct OTLPHarness {
    let sink = KeepingSink()
    let names = Names(hash: SeededHash(seed: 5))
    let time = ManualTime()
    let metrics = SelfMetrics(rejectReasons: [])
    let receiver: OTLPReceiver

    init(_ settings: OTLPSettings = OTLPSettings()) {
        let pricer = Pricer(book: builtInPrices, names: names)
        let hash = SeededHash(seed: 5)
        @Sendable func row(_ provider: String, _ model: String) -> PriceRow? {
            pricer.book.find(provider: provider, model: model, at: 1_795_218_400).map {
                pricer.book.rows[$0.row]
            }
        }
        let intake = EventIntake(
            settings: IntakeSettings(defaultTenant: "default"), names: names, hash: hash,
            time: time, sink: sink, price: { pricer.price(&$0, $1) }, metrics: metrics)
        receiver = OTLPReceiver(
            settings: settings, intake: intake, hash: hash, metrics: metrics,
            marks: CounterMarks(), startedNanos: time.unixNanos,
            prices: PriceLookup(
                isKnown: { row($0, $1) != nil },
                areEqual: { provider, model, other in
                    guard let left = row(provider, model), let right = row(provider, other) else {
                        return false
                    }
                    return left.hasPrices(of: right)
                }))
        // The fixtures were sent half a day after the manual clock starts.
        time.advance(seconds: 86_400)
    }

    @discardableResult
    func send(
        _ body: [UInt8], _ signal: OTLPSignal = .traces, _ encoding: OTLPEncoding = .protobuf
    ) -> OTLPAnswer {
        let result = Mutex<OTLPAnswer?>(nil)
        receiver.read(body, signal, encoding) { answer in result.withLock { $0 = answer } }
        return result.withLock { $0 }
            ?? OTLPAnswer.refused(encoding, status: 599, "no completion")
    }

    @discardableResult
    func send(fixture name: String) throws -> OTLPAnswer {
        let signal = OTLPSignal.allCases.first { name.hasPrefix($0.rawValue) } ?? .traces
        return send(
            try Self.fixture(name), signal, name.hasSuffix(".json") ? .json : .protobuf)
    }

    /// The body before compression.
    static func fixture(_ name: String) throws -> [UInt8] {
        let path = Costgauge.repository + "/Tests/OTLPTests/Fixtures/" + name
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        guard name.hasSuffix(".gz") || name.hasSuffix(".zlib") else { return bytes }
        return try inflate(bytes)
    }

    var booked: [Booked] {
        sink.events.map { event, rows in
            Booked(
                tenant: names.text(event.tenant), user: names.text(event.user),
                feature: names.text(event.feature), agent: names.text(event.agent),
                operation: names.text(event.operation), provider: names.text(event.provider),
                model: names.text(event.model), input: event.tokens.input,
                cached: event.tokens.cachedInput, written: event.tokens.cacheWrite,
                output: event.tokens.output, reasoning: event.tokens.reasoning,
                cost: event.amount?.decimal, source: event.costSource, status: event.status,
                request: rows.string(event.request))
        }
    }

    var ignored: [String: Int] {
        var counts: [String: Int] = [:]
        for (key, count) in metrics.snapshot.ignored { counts[key.reason, default: 0] += count }
        return counts
    }
}

/// Builds requests of one span each.
enum Request {
    enum Value {
        case text(String)
        case integer(Int64)
        case double(Double)
        case boolean(Bool)
    }

    static func attributes(
        _ values: [(String, Value)], field: Int, to bytes: inout [UInt8]
    ) {
        for (key, value) in values {
            bytes.appendMessage(field) { entry in
                entry.appendField(1, text: key)
                entry.appendMessage(2) { any in
                    switch value {
                    case .text(let text): any.appendField(1, text: text)
                    case .integer(let number):
                        any.appendTag(3, .varint)
                        any.appendVarint(UInt64(bitPattern: number))
                    case .double(let number): any.appendField(4, double: number)
                    case .boolean(let value):
                        any.appendTag(2, .varint)
                        any.append(value ? 1 : 0)
                    }
                }
            }
        }
    }

    struct Span {
        var name = "chat"
        var span: UInt64 = 1
        var parent: UInt64 = 0
        var trace: UInt64 = 7
        var start: UInt64 = 1_795_218_400_000_000_000
        var isError = false
        var scope = "test"
        var attributes: [(String, Value)] = []
    }

    static func traces(
        _ spans: [Span], resource: [(String, Value)] = [("service.name", .text("bot"))]
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.appendMessage(1) { resourceSpans in
            // Scopes first: the order of fields is free.
            for span in spans {
                resourceSpans.appendMessage(2) { scopeSpans in
                    scopeSpans.appendMessage(2) { Self.append(span, to: &$0) }
                    scopeSpans.appendMessage(1) { $0.appendField(1, text: span.scope) }
                }
            }
            resourceSpans.appendMessage(1) { attributes(resource, field: 1, to: &$0) }
        }
        return body
    }

    private static func append(_ span: Span, to bytes: inout [UInt8]) {
        func id(_ value: UInt64) -> [UInt8] {
            (0..<8).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
        }
        bytes.appendField(1, bytes: id(span.trace) + id(span.trace))
        bytes.appendField(2, bytes: id(span.span))
        if span.parent != 0 { bytes.appendField(4, bytes: id(span.parent)) }
        bytes.appendField(5, text: span.name)
        bytes.appendField(7, fixed64: span.start)
        bytes.appendField(8, fixed64: span.start + 250_000_000)
        attributes(span.attributes, field: 9, to: &bytes)
        if span.isError { bytes.appendMessage(15) { $0.appendField(3, varint: 2) } }
    }

    /// What a chat span of the conventions carries.
    static func chat(
        id: String? = nil, input: Int64 = 100, output: Int64 = 10,
        _ more: [(String, Value)] = []
    ) -> [(String, Value)] {
        [
            ("gen_ai.operation.name", .text("chat")), ("gen_ai.provider.name", .text("openai")),
            ("gen_ai.request.model", .text("gpt-4o-mini")),
            ("gen_ai.usage.input_tokens", .integer(input)),
            ("gen_ai.usage.output_tokens", .integer(output)),
        ] + (id.map { [("gen_ai.response.id", .text($0))] } ?? []) + more
    }
}
