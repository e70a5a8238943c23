import Testing
import Usage

@testable import OTLP

private typealias Span = Request.Span

/// A call told by a span and by what is around it counts once.
@Suite struct NestingTests {
    @Test func `the innermost of nested spans counts, in whatever order they come`() {
        let spans = [
            Span(span: 3, parent: 2, attributes: Request.chat(output: 13)),
            Span(name: "http", span: 2, parent: 1),
            Span(span: 1, attributes: Request.chat(output: 11)),
        ]
        for order in [spans, spans.reversed()] {
            let harness = OTLPHarness()
            harness.send(Request.traces(order))
            #expect(harness.booked.map(\.output) == [13])
            #expect(harness.ignored["repeated_by_span"] == 1)
        }
    }

    @Test func `a parent that is sent later is recognised, through spans between`() {
        let harness = OTLPHarness()
        harness.send(
            Request.traces([Span(span: 3, parent: 2, attributes: Request.chat(output: 13))]))
        harness.send(Request.traces([Span(name: "http", span: 2, parent: 1)]))
        harness.send(Request.traces([Span(span: 1, attributes: Request.chat(output: 11))]))
        #expect(harness.booked.map(\.output) == [13])
        // Another trace has the same numbers for its spans.
        harness.send(
            Request.traces([Span(span: 1, trace: 8, attributes: Request.chat(output: 12))]))
        #expect(harness.booked.map(\.output) == [13, 12])
    }

    @Test func `two response ids are two calls, however they are nested`() {
        let harness = OTLPHarness()
        harness.send(
            Request.traces([
                Span(span: 2, parent: 1, attributes: Request.chat(id: "chatcmpl-aaaaaaaa")),
                Span(span: 1, attributes: Request.chat(id: "chatcmpl-bbbbbbbb")),
            ]))
        #expect(harness.booked.count == 2)
    }

    @Test func `siblings are calls of their own`() {
        let harness = OTLPHarness()
        harness.send(
            Request.traces([
                Span(span: 2, parent: 1, attributes: Request.chat()),
                Span(span: 3, parent: 1, attributes: Request.chat()),
                Span(name: "agent", span: 1),
            ]))
        #expect(harness.booked.count == 2)
    }

    @Test func `spans that are each other's parents end`() {
        let harness = OTLPHarness()
        harness.send(
            Request.traces([
                Span(span: 1, parent: 2, attributes: Request.chat()),
                Span(span: 2, parent: 1, attributes: Request.chat()),
                Span(span: 3, parent: 3, attributes: Request.chat()),
            ]))
        #expect(harness.booked.count <= 3)
    }

    @Test func `old spans are forgotten after two generations`() {
        var nested = NestedSpans()
        func body(_ span: UInt64, parent: UInt64) -> BodyReading {
            var reading = BodyReading()
            var call = Call()
            call.span = SpanIdentity(traceHigh: 1, traceLow: 1, span: span)
            call.parent = parent
            reading.calls = [call]
            reading.spans = [(call.span.key, call.span.key(of: parent))]
            reading.callBySpan = [call.span.key: 0]
            return reading
        }
        func isCovered(_ span: UInt64) -> Bool {
            var reading = body(span, parent: 0)
            nested.cover(&reading) { _ in 0 }
            return reading.calls[0].ignored != nil
        }
        var first = body(1, parent: 2)
        nested.cover(&first) { _ in 0 }
        #expect(isCovered(2))
        for index in 0..<UInt64(NestedSpans.generationMax) {
            var next = body(1_000_000 + index, parent: 2_000_000 + index)
            nested.cover(&next) { _ in 0 }
        }
        #expect(isCovered(2))
        for index in 0..<UInt64(NestedSpans.generationMax) {
            var next = body(3_000_000 + index, parent: 4_000_000 + index)
            nested.cover(&next) { _ in 0 }
        }
        #expect(!isCovered(2))
    }
}
