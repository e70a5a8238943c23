public import Usage
internal import Wire

/// An event that another room has decoded. Texts come from `EventFeed.text`.
public struct EventDraft: BitwiseCopyable, Sendable {
    /// Everything but the names; a `timestamp` of 0 means the time of arrival.
    public var event = CostEvent()
    public var tenant = TextRef.none
    public var user = TextRef.none
    public var feature = TextRef.none
    public var agent = TextRef.none
    public var operation = TextRef.none
    public var provider = TextRef.none
    public var model = TextRef.none
    public var tags = TextRef.none
    /// Token counts were there, be they zero.
    public var hasTokens = false

    public init() {}
}

/// Takes the events of one body of another format. Valid within `EventIntake.feed` only.
public struct EventFeed {
    var session: ReadSession
    private var decoded: [DecodedEvent] = []

    init(session: ReadSession) {
        self.session = session
    }

    /// A text of the next event, valid until it is added. What is longer than a dimension may be is
    /// cut, and what is not UTF-8 replaced: an amount is not refused for the looks of a name.
    public mutating func text(_ bytes: Span<UInt8>) -> TextRef {
        var length = bytes.count
        if length > Limits.textBytes {
            length = Limits.textBytes
            while length > 0, bytes[length] & 0xc0 == 0x80 { length -= 1 }
        }
        var isASCII = true
        for index in 0..<length where bytes[index] >= 0x80 { isASCII = false }
        if isASCII { return session.rows.append(bytes.extracting(first: length)) }
        var copy: [UInt8] = []
        copy.append(copying: bytes.extracting(first: length))
        let repaired = Array(copy.text.utf8)
        guard repaired.count > Limits.textBytes else { return session.rows.append(repaired.span) }
        return text(repaired.span)
    }

    /// The canonical JSON of some tags; what is past the bounds of an event's tags is left out.
    public mutating func tags(_ tags: [(key: String, value: String)]) -> TextRef {
        var kept: [String: String] = [:]
        for tag in tags where !tag.key.isEmpty && tag.key.utf8.count <= Limits.tagKeyBytes {
            guard kept.count < Limits.tagsPerEvent || kept[tag.key] != nil else { continue }
            kept[tag.key] = tag.value.utf8.count <= Limits.textBytes ? tag.value : nil
        }
        guard !kept.isEmpty else { return .none }
        var json: [UInt8] = [UInt8(ascii: "{")]
        for tag in kept.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            json.appendJSONString(tag.key)
            json.append(UInt8(ascii: ":"))
            json.appendJSONString(tag.value)
            if json.count >= Limits.tagsBytes { return .none }
        }
        json.append(UInt8(ascii: "}"))
        return session.rows.append(json.span)
    }

    /// Checks the event as `POST /v1/events` would. One that is not taken is in the report.
    public mutating func add(_ draft: EventDraft) {
        session.beginEvent()
        var event = DecodedEvent()
        event.index = session.currentIndex
        event.event = draft.event
        event.event.isObserved = true
        let names: [(NamedDimension, TextRef)] = [
            (.tenant, draft.tenant), (.user, draft.user), (.feature, draft.feature),
            (.agent, draft.agent), (.operation, draft.operation), (.provider, draft.provider),
            (.model, draft.model), (.tags, draft.tags),
        ]
        for (dimension, text) in names { event.texts[dimension.rawValue] = SourceText(batch: text) }
        if draft.event.timestamp != 0 { event.note(.timestamp) }
        if draft.hasTokens { event.note(.inputTokens) }
        if draft.event.amount != nil { event.note(.costUSD) }
        do throws(EventFault) {
            try session.check(&event)
            decoded.append(event)
        } catch {
            refuse(error)
        }
        if session.needsRoom(decoded.count) { session.take(&decoded, NoBody(), [UInt8]().span) }
    }

    /// An event that could not even become a draft.
    public mutating func reject(field: String, _ reason: RejectReason, _ message: String) {
        session.beginEvent()
        refuse(.field(field, reason, message))
    }

    private mutating func refuse(_ fault: EventFault) {
        let body: [UInt8] = []
        switch fault {
        case .text(let fault): session.reject(text: fault, body.span)
        case .field(let field, let reason, let message):
            session.reject(field: field, reason, message, at: 0, body.span)
        }
    }

    mutating func finish() {
        session.take(&decoded, NoBody(), [UInt8]().span)
        session.finish(unknownFields: [])
    }
}

extension DecodedEvent {
    fileprivate mutating func note(_ field: EventField) {
        seen |= 1 << UInt64(field.rawValue)
    }
}
