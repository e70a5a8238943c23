internal import JSON
internal import Usage
internal import Wire

/// Stands in for a missing tenant; id 0: none does.
struct DefaultTenant {
    let id: NameID
    let hash: UInt64
}

/// One body on its way into batches: the open batch, the receipt, and what was refused.
struct ReadSession {
    let names: Names
    let hash: SeededHash
    let sink: any BatchSink
    let price: PriceEvents
    let receipt: Receipt
    let now: Int64
    let defaultTenant: DefaultTenant
    /// One event a line, as files have them: no arrays, nothing over several lines.
    let isLines: Bool

    /// Events without a price are not taken.
    let refusesUnpriced: Bool
    /// The only tenant whose events are taken; nil: any.
    let owner: [UInt8]?
    /// What ids are made of for events without; nil: they have none.
    var key: [UInt8]?

    private var batch: EventBatch
    /// The batch's rows, taken out while this session fills them: a field of a class would be
    /// checked for overlapping access at every touch.
    var rows = EventRows()
    /// Where this body's events begin in `rows`.
    private var partStart = 0
    private(set) var report = IntakeReport()
    /// Events begun so far; the current one has the number before it.
    private var begun = 0
    private var lines = LineCounter()
    /// A second one: events without a price are found after a whole chunk was decoded.
    var pricedLines = LineCounter()

    init(
        names: Names, hash: SeededHash, sink: any BatchSink, price: @escaping PriceEvents,
        receipt: Receipt, now: Int64, defaultTenant: DefaultTenant, isLines: Bool,
        refusesUnpriced: Bool, owner: [UInt8]?
    ) {
        self.names = names
        self.hash = hash
        self.sink = sink
        self.price = price
        self.receipt = receipt
        self.now = now
        self.defaultTenant = defaultTenant
        self.isLines = isLines
        self.refusesUnpriced = refusesUnpriced
        self.owner = owner
        batch = sink.checkout()
        takeRows()
    }

    /// More events than a body may hold have been read.
    var isFull: Bool { begun > Limits.eventsPerBody }

    func needsRoom(_ pending: Int) -> Bool {
        rows.events.count + pending >= EventBatch.capacity
    }

    mutating func beginEvent() { begun += 1 }

    /// Of the event that was begun last, from 0.
    var currentIndex: UInt32 { UInt32(truncatingIfNeeded: begun &- 1) }

    /// The event's text is broken; whoever reports it counts it again.
    mutating func retractEvent() { begun -= 1 }

    private mutating func takeRows() {
        swap(&rows, &batch.rows)
        partStart = rows.events.count
    }

    /// A token for one tenant sends no events of another.
    func checkOwner(
        _ decoded: DecodedEvent, _ document: borrowing JSONDocument
    ) throws(EventFault) {
        let source = decoded.texts[NamedDimension.tenant.rawValue]
        guard let owner, source.length > 0 else { return }
        var bytes: [UInt8] = []
        if source.isInBatch {
            bytes.append(contentsOf: rows.text[source.range])
        } else {
            document.withBytes(source.range) { bytes.append(copying: $0) }
        }
        guard bytes != owner else { return }
        throw .field(.tenant, .foreignTenant, "is not the one that the token is for")
    }

    /// What one field alone cannot tell.
    mutating func check(_ decoded: inout DecodedEvent) throws(EventFault) {
        if isFull {
            throw .field(
                "", .tooMany,
                "a body holds at most \(Limits.eventsPerBody) events; send the rest apart")
        }
        if decoded.texts[NamedDimension.tenant.rawValue].length == 0, defaultTenant.id == 0 {
            throw .field(
                .tenant, .missing,
                "is required; send it or set attribution.defaults.tenant in the configuration")
        }
        try checkQuantity(decoded)
        try checkTokens(decoded.event.tokens)
        if decoded.event.cacheWriteHour > decoded.event.tokens.cacheWrite {
            throw .field(
                .cacheWriteHourTokens, .inconsistent,
                "(\(decoded.event.cacheWriteHour)) is part of cache_write_tokens "
                    + "(\(decoded.event.tokens.cacheWrite)) and exceeds it")
        }
        decoded.event.received = now
        if !decoded.has(.timestamp) {
            decoded.event.timestamp = now
        } else if decoded.event.timestamp > now + Limits.aheadNanos {
            throw .field(
                .timestamp, .future,
                "is more than 10 minutes ahead of this machine's clock, \(RFC3339.text(unixNanos: now))"
            )
        } else if decoded.event.timestamp < now - Limits.lateNanos {
            report.late += 1
        }
        if decoded.event.amount != nil {
            decoded.event.costSource = .reported
            decoded.event.flags.insert(.priced)
        }
    }

    /// An amount, or a model with a quantity to price, or a failed call that used nothing.
    private func checkQuantity(_ decoded: DecodedEvent) throws(EventFault) {
        if decoded.has(.costUSD) { return }
        let hasTokens =
            decoded.has(.inputTokens) || decoded.has(.outputTokens)
            || decoded.has(.textInputChars) || decoded.has(.textOutputChars)
        let hasModel = decoded.texts[NamedDimension.model.rawValue].length > 0
        if decoded.has(.seconds), decoded.has(.resource) || decoded.has(.vcpu) || decoded.has(.gib)
        {
            return
        }
        if hasModel, hasTokens || decoded.event.status != .ok { return }
        if hasModel || !hasTokens {
            throw .field(
                hasModel ? .inputTokens : .model, .missing,
                hasModel
                    ? "or output_tokens is required with a model, unless cost_usd is sent"
                    : "with token counts is required, unless cost_usd is sent")
        }
        throw .field(.model, .missing, "is required with token counts, unless cost_usd is sent")
    }

    private func checkTokens(_ tokens: TokenCounts) throws(EventFault) {
        let cached = UInt64(tokens.cachedInput)
        if cached + UInt64(tokens.cacheWrite) > UInt64(tokens.input) {
            let isCached = cached > UInt64(tokens.input)
            throw .field(
                isCached ? .cachedInputTokens : .cacheWriteTokens, .inconsistent,
                (isCached
                    ? "(\(cached)) and cache_write_tokens (\(tokens.cacheWrite))"
                    : "(\(tokens.cacheWrite)) and cached_input_tokens (\(cached))")
                    + " are part of input_tokens (\(tokens.input)); together they exceed it")
        }
        if tokens.audioInput > tokens.input {
            throw .field(
                .audioInputTokens, .inconsistent,
                "(\(tokens.audioInput)) is part of input_tokens (\(tokens.input)) and exceeds it")
        }
        if UInt64(tokens.reasoning) + UInt64(tokens.audioOutput) > UInt64(tokens.output) {
            let isReasoning = tokens.reasoning > tokens.output
            throw .field(
                isReasoning ? .reasoningTokens : .audioOutputTokens, .inconsistent,
                (isReasoning
                    ? "(\(tokens.reasoning)) and audio_output_tokens (\(tokens.audioOutput))"
                    : "(\(tokens.audioOutput)) and reasoning_tokens (\(tokens.reasoning))")
                    + " are part of output_tokens (\(tokens.output)); together they exceed it")
        }
    }
}

// From decoded events to submitted batches.
extension ReadSession {
    /// Interns the names of decoded events and appends them to the batch, which goes to the sink
    /// when full.
    mutating func take<Body: BodyText & ~Copyable>(
        _ decoded: inout [DecodedEvent], _ document: borrowing Body, _ body: Span<UInt8>
    ) {
        guard !decoded.isEmpty else { return }
        if let key { giveIDs(&decoded, key) }
        intern(&decoded, document)
        let start = rows.events.count
        for event in decoded { rows.events.append(event.event) }
        price(&rows, start..<rows.events.count)
        if refusesUnpriced { refuseUnpriced(decoded, from: start, body) }
        decoded.removeAll(keepingCapacity: true)
        report.read += rows.events.count - start
        if rows.events.count >= EventBatch.capacity {
            submit()
            batch = sink.checkout()
            takeRows()
        }
    }

    /// The same ones when the body is sent again.
    private mutating func giveIDs(_ decoded: inout [DecodedEvent], _ key: [UInt8]) {
        for index in decoded.indices where decoded[index].event.id.isEmpty {
            // Ids of the senders' own do not begin so.
            var id = Array("idempotency-key:".utf8)
            id += key
            id.append(UInt8(ascii: "/"))
            id.appendDecimal(Int64(decoded[index].index))
            decoded[index].event.id = rows.append(id.span)
        }
    }

    private mutating func intern<Body: BodyText & ~Copyable>(
        _ decoded: inout [DecodedEvent], _ document: borrowing Body
    ) {
        let defaultTenant = defaultTenant
        let hash = hash
        let text = rows.text
        var folded: [FoldedName] = []
        names.withTable { table in
            for index in decoded.indices {
                let texts = decoded[index].texts
                func name(_ dimension: NamedDimension) -> NameID {
                    let source = texts[dimension.rawValue]
                    if source.length == 0 { return 0 }
                    let id =
                        source.isInBatch
                        ? table.intern(
                            text.span.extracting(source.range), isCommon: dimension.isCommon)
                        : document.withBytes(source.range) {
                            table.intern($0, isCommon: dimension.isCommon)
                        }
                    if id == NameTable.other {
                        folded.append(
                            FoldedName(event: index, dimension: dimension, source: source))
                    }
                    return id
                }
                let tenant = name(.tenant)
                decoded[index].event.tenant = tenant == 0 ? defaultTenant.id : tenant
                decoded[index].event.user = name(.user)
                decoded[index].event.feature = name(.feature)
                decoded[index].event.agent = name(.agent)
                decoded[index].event.operation = name(.operation)
                decoded[index].event.provider = name(.provider)
                decoded[index].event.model = name(.model)
                decoded[index].event.tags = name(.tags)
                decoded[index].event.resource = name(.resource)
                decoded[index].event.region = name(.region)
                if !decoded[index].event.request.isEmpty {
                    let request = text.span.extracting(decoded[index].event.request.range)
                    let provider = texts[NamedDimension.provider.rawValue]
                    decoded[index].event.call =
                        provider.isInBatch
                        ? CallIdentity.key(
                            request: request, provider: text.span.extracting(provider.range),
                            hash: hash)
                        : document.withBytes(provider.range) {
                            CallIdentity.key(request: request, provider: $0, hash: hash)
                        }
                }
                guard !decoded[index].event.id.isEmpty else { continue }
                // The tenant's text, not its name id: that is the same for all that found no room.
                let source = texts[NamedDimension.tenant.rawValue]
                let domain =
                    source.length == 0
                    ? defaultTenant.hash
                    : source.isInBatch
                        ? table.hash(of: text.span.extracting(source.range))
                        : document.withBytes(source.range) { table.hash(of: $0) }
                decoded[index].event.identity = hash.wide(
                    text.span.extracting(decoded[index].event.id.range), domain: domain)
            }
        }
        writeDetails(&decoded, foldedTexts(folded, document))
    }

    /// A value that found no room among the names; its text stays with the event.
    private struct FoldedName {
        let event: Int
        let dimension: NamedDimension
        let source: SourceText
    }

    private func foldedTexts<Body: BodyText & ~Copyable>(
        _ folded: [FoldedName], _ document: borrowing Body
    ) -> [Int: [(key: String, text: String)]] {
        var texts: [Int: [(key: String, text: String)]] = [:]
        for name in folded {
            var bytes: [UInt8] = []
            if name.source.isInBatch {
                bytes.append(contentsOf: rows.text[name.source.range])
            } else {
                document.withBytes(name.source.range) { bytes.append(copying: $0) }
            }
            // Somebody may send the fold name itself.
            if bytes.text == NameTable.otherText { continue }
            texts[name.event, default: []].append(("\(name.dimension)", bytes.text))
        }
        return texts
    }

    private mutating func writeDetails(
        _ decoded: inout [DecodedEvent], _ folded: [Int: [(key: String, text: String)]]
    ) {
        for index in decoded.indices {
            let texts = folded.isEmpty ? nil : folded[index]
            guard EventDetail.isNeeded(decoded[index].event) || texts != nil else { continue }
            let event = decoded[index].event
            decoded[index].event.detail = EventDetail.write(
                event, resource: names.text(event.resource), region: names.text(event.region),
                folded: texts ?? [], to: &rows)
        }
    }

    private mutating func submit() {
        if rows.events.count > partStart {
            receipt.expectBatch()
            batch.parts.append(
                EventBatch.Part(range: partStart..<rows.events.count, receipt: receipt))
        }
        swap(&rows, &batch.rows)
        sink.submit(batch)
    }

    /// The body has been read: its last batch goes to the sink, whoever else has events in it.
    mutating func finish(unknownFields: [String]) {
        report.unknownFields = unknownFields
        if refusesUnpriced { report.rejections.sort { $0.index < $1.index } }
        submit()
    }
}

// What is told to the sender.
extension ReadSession {
    mutating func reject(text fault: JSONFault, _ body: Span<UInt8>) {
        begun += 1
        report.textFaults += 1
        add(
            Rejection(
                line: lines.number(at: fault.offset, in: body), index: begun - 1, field: "",
                reason: .malformed, message: "not valid JSON: \(fault.message)",
                offset: fault.offset))
    }

    mutating func reject(
        field: String, _ reason: RejectReason, _ message: String, at offset: Int,
        _ body: Span<UInt8>
    ) {
        add(
            Rejection(
                line: lines.number(at: offset, in: body), index: begun - 1, field: field,
                reason: reason, message: message, offset: field.isEmpty ? offset : nil))
    }

    mutating func add(_ rejection: Rejection) {
        report.rejectedCount += 1
        report.reasons[rejection.reason, default: 0] += 1
        if report.rejections.count < IntakeReport.rejectionsMax {
            report.rejections.append(rejection)
        }
    }
}
