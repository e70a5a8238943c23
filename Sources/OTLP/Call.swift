internal import Usage

/// A model call as a span, a log record or a point tells it, before it is decided whether it is
/// counted. Texts are ranges of the body.
struct Call {
    var tokens = TokenCounts()
    var hasTokens = false
    var amount: NanoUSD?
    var status = Status.ok
    var startNanos: Int64 = 0
    var durationMillis: UInt32 = 0
    var facts = Facts()
    /// Index into the resources of the body.
    var resource = 0
    var span = SpanIdentity()
    var parent: UInt64 = 0
    /// Tells a log record that has no id of its own from others; 0: it has one, or is none.
    var record: UInt128 = 0
    /// Why it is not counted after all.
    var ignored: IgnoreReason?
}

/// Zero: the record has none.
struct SpanIdentity: Hashable, BitwiseCopyable {
    var traceHigh: UInt64 = 0
    var traceLow: UInt64 = 0
    var span: UInt64 = 0

    var isNone: Bool { span == 0 }

    /// Spans of one trace are random 64-bit numbers, and so is the trace; mixed they make a key
    /// that is as good for a table.
    func key(of span: UInt64) -> UInt64 {
        (traceHigh ^ traceLow &* 0x9e37_79b9_7f4a_7c15) ^ span
    }

    var key: UInt64 { key(of: span) }

    /// `trace-span` in hexadecimal, as logs print them.
    var text: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(49)
        for (index, word) in [traceHigh, traceLow, span].enumerated() {
            if index == 2 { text.append(UInt8(ascii: "-")) }
            for shift in stride(from: 60, through: 0, by: -4) {
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift) & 15)
                text.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
            }
        }
        return text
    }
}

/// Why something that was understood is not counted; the values of the `reason` label.
public enum IgnoreReason: String, CaseIterable, Sendable {
    /// It tells of no tokens: HTTP calls, tools, and most of what traces consist of.
    case noUsage = "no_usage"
    /// It sums up calls that are told on their own: agents, workflows, chains.
    case aggregate
    /// A span inside it tells the same call.
    case repeatedBySpan = "repeated_by_span"
    /// The service has told these calls by spans or logs already.
    case otherSource = "other_source"
    /// The source is switched off in the configuration.
    case switchedOff = "switched_off"
    /// The first value of a counter that was running before costgauge saw it.
    case baseline
    /// A point that came before, or out of order.
    case stale
}
