/// Finds spans that tell a call which a span inside them tells too: a client and the gateway behind
/// it, a framework and the SDK that it calls. The innermost counts.
///
/// Two spans with response ids that differ are two calls, however they are nested.
struct NestedSpans {
    /// Key of a span that contains a counted one, to the hash of that one's response id (0: none).
    /// Parents end after their children and so are mostly sent after them, in another body.
    private var recent: [UInt64: UInt64] = [:]
    private var older: [UInt64: UInt64] = [:]

    /// Two generations of so many spans are remembered: minutes of traffic at some hundred calls a
    /// second.
    static let generationMax = 32_768
    /// Spans are followed upwards so far, no more: a cycle of parents must end.
    static let depthMax = 64

    /// Marks the calls of a body that are covered by others. `responseID` gives a call's hash.
    mutating func cover(_ reading: inout BodyReading, responseID: (Call) -> UInt64) {
        let isAlone = reading.calls.allSatisfy { $0.parent == 0 }
        if isAlone, recent.isEmpty, older.isEmpty { return }
        var parents: [UInt64: UInt64] = [:]
        if !isAlone {
            for span in reading.spans where span.parent != 0 { parents[span.key] = span.parent }
        }
        for index in reading.calls.indices where !reading.calls[index].span.isNone {
            let call = reading.calls[index]
            let own = responseID(call)
            var key = call.parent == 0 ? 0 : call.span.key(of: call.parent)
            for _ in 0..<Self.depthMax where key != 0 {
                if let outer = reading.callBySpan[key], outer != index {
                    let other = responseID(reading.calls[outer])
                    if Self.mayBeOne(own, other) { reading.calls[outer].ignored = .repeatedBySpan }
                }
                remember(key, own)
                key = parents[key] ?? 0
            }
        }
        coverByEarlier(&reading, responseID: responseID)
    }

    private mutating func coverByEarlier(
        _ reading: inout BodyReading, responseID: (Call) -> UInt64
    ) {
        guard !recent.isEmpty || !older.isEmpty else { return }
        for span in reading.spans {
            guard let inner = find(span.key) else { continue }
            if let index = reading.callBySpan[span.key],
                Self.mayBeOne(inner, responseID(reading.calls[index]))
            {
                reading.calls[index].ignored = .repeatedBySpan
            }
            // The span around this one contains the call too.
            if span.parent != 0 { remember(span.parent, inner) }
        }
    }

    private static func mayBeOne(_ left: UInt64, _ right: UInt64) -> Bool {
        left == 0 || right == 0 || left == right
    }

    private func find(_ key: UInt64) -> UInt64? { recent[key] ?? older[key] }

    private mutating func remember(_ key: UInt64, _ responseID: UInt64) {
        if recent.count >= Self.generationMax, recent[key] == nil {
            older = recent
            recent = [:]
        }
        recent[key] = responseID
    }
}
