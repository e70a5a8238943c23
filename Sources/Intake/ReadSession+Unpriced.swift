internal import Usage

// `pricing.unknown: reject`.
extension ReadSession {
    /// Takes the events without an amount out again; `decoded` stands in `rows` from `start` on.
    mutating func refuseUnpriced(
        _ decoded: [DecodedEvent], from start: Int, _ body: Span<UInt8>
    ) {
        var kept = start
        for (index, source) in decoded.enumerated() {
            let event = rows.events[start + index]
            if event.amount != nil, !event.flags.contains(.lacksSearchPrice) {
                rows.events[kept] = event
                kept += 1
                continue
            }
            let what =
                event.isCompute
                ? "machine time of \(Self.quoted(names.text(event.resource)))"
                : "model \(Self.quoted(names.text(event.model)))"
            let provider = names.text(event.provider)
            let field: EventField = event.isCompute ? .resource : .model
            add(
                Rejection(
                    line: pricedLines.number(at: Int(source.offset), in: body),
                    index: Int(source.index),
                    field: field.name, reason: .unpriced,
                    message: "no price for what this event used of \(what)"
                        + (provider.isEmpty ? "" : " of provider \(Self.quoted(provider))")
                        + ", and pricing.unknown is reject; add a price or send cost_usd",
                    offset: nil))
        }
        rows.events.removeLast(rows.events.count - kept)
    }

    private static func quoted(_ text: String) -> String { "\"\(text.prefix(100))\"" }
}
