internal import JSON
internal import Usage
internal import Wire

/// Decodes one JSON object into a `DecodedEvent`, checking each field on the way.
///
/// Nothing is allocated for a good event; messages are built only for a fault.
struct EventDecoder {
    private let fields = EventFieldTable()
    /// Fields that are none, told to the sender once per body.
    var unknown = UnknownMembers()

    /// `token` stands at the opening brace and moves behind the closing one. Text that the event
    /// keeps is appended to `rows.text`.
    @inline(__always)
    mutating func decode(
        _ document: borrowing JSONDocument, _ token: inout Int, into decoded: inout DecodedEvent,
        _ rows: inout EventRows
    ) throws(EventFault) {
        token &+= 1
        if document.kind(token) == UInt8(ascii: "}") {
            token &+= 1
            return
        }
        while true {
            guard let key = document.string(token) else {
                throw .text(fault(document, token, "a field name in quotes is expected"))
            }
            guard document.kind(token &+ 1) == UInt8(ascii: ":") else {
                throw .text(fault(document, token &+ 1, "a colon is expected after a field name"))
            }
            token &+= 2
            if let field = fields.field(document.words(key)) {
                try read(field, document, &token, into: &decoded, &rows)
            } else {
                unknown.note(key, document)
                token = try skip(document, token)
            }
            let kind = document.kind(token)
            token &+= 1
            if kind == UInt8(ascii: "}") { return }
            guard kind == UInt8(ascii: ",") else {
                throw .text(fault(document, token &- 1, "a comma or the closing brace is expected"))
            }
        }
    }

    func skip(
        _ document: borrowing JSONDocument, _ token: Int
    ) throws(EventFault) -> Int {
        do throws(JSONFault) { return try document.skip(token) } catch { throw .text(error) }
    }

    func fault(
        _ document: borrowing JSONDocument, _ token: Int, _ message: String
    ) -> JSONFault {
        JSONFault(offset: document.offset(token), message: message)
    }
}

extension EventDecoder {
    /// `token` stands at the value and moves behind it.
    @inline(__always)
    fileprivate func read(
        _ field: EventField, _ document: borrowing JSONDocument, _ token: inout Int,
        into decoded: inout DecodedEvent, _ rows: inout EventRows
    ) throws(EventFault) {
        // Null is how many serialisers write an absent field.
        if document.isNull(token) {
            token &+= 1
            return
        }
        let bit = 1 as UInt64 &<< UInt64(field.rawValue)
        guard decoded.seen & bit == 0 else {
            throw .field(field, .repeated, "stands twice in one event; keep one")
        }
        decoded.seen |= bit
        if field == .tags {
            decoded.texts[NamedDimension.tags.rawValue] = try TagsDecoder.read(
                document, &token, &rows)
            return
        }
        try set(field, document, token, into: &decoded, &rows)
        token &+= 1
    }

    @inline(__always)
    private func set(
        _ field: EventField, _ document: borrowing JSONDocument, _ token: Int,
        into decoded: inout DecodedEvent, _ rows: inout EventRows
    ) throws(EventFault) {
        switch field {
        case .tenant, .user, .feature, .agent, .operation, .provider, .model, .resource, .region:
            decoded.texts[Self.dimension(field).rawValue] = try name(field, document, token, &rows)
        case .id: decoded.event.id = try text(field, document, token, &rows)
        case .conversation: decoded.event.conversation = try text(field, document, token, &rows)
        case .task: decoded.event.task = try text(field, document, token, &rows)
        case .request: decoded.event.request = try text(field, document, token, &rows)
        case .reservation: decoded.event.reservation = try text(field, document, token, &rows)
        case .timestamp: decoded.event.timestamp = try timestamp(document, token)
        case .inputTokens: decoded.event.tokens.input = try count(field, document, token)
        case .cachedInputTokens:
            decoded.event.tokens.cachedInput = try count(field, document, token)
        case .cacheWriteTokens: decoded.event.tokens.cacheWrite = try count(field, document, token)
        case .outputTokens: decoded.event.tokens.output = try count(field, document, token)
        case .reasoningTokens: decoded.event.tokens.reasoning = try count(field, document, token)
        case .audioInputTokens: decoded.event.tokens.audioInput = try count(field, document, token)
        case .audioOutputTokens:
            decoded.event.tokens.audioOutput = try count(field, document, token)
        case .textInputChars: decoded.event.textInputChars = try count(field, document, token)
        case .textOutputChars: decoded.event.textOutputChars = try count(field, document, token)
        case .durationMillis: decoded.event.durationMillis = try duration(document, token)
        case .costUSD: decoded.event.amount = try cost(document, token)
        case .seconds:
            decoded.event.computeMicros = try quantity(
                field, document, token, scale: 6, max: Limits.secondsMax)
        case .vcpu:
            decoded.event.vcpuMilli = UInt32(
                try quantity(field, document, token, scale: 3, max: Limits.vcpuMax))
        case .gib:
            decoded.event.gibMilli = UInt32(
                try quantity(field, document, token, scale: 3, max: Limits.gibMax))
        case .status: decoded.event.status = try word(field, document, token)
        case .stage: decoded.event.stage = try word(field, document, token)
        case .usageComplete:
            guard let value = document.boolean(token) else {
                throw wrongType(field, document, token, "true or false")
            }
            decoded.event.isComplete = value
        case .serviceTier:
            decoded.event.serviceTier = try tier(document, token)
        case .cacheWriteHourTokens:
            decoded.event.cacheWriteHour = try count(field, document, token)
        case .webSearches: decoded.event.webSearches = try count(field, document, token)
        case .tags: break
        }
    }

    private static func dimension(_ field: EventField) -> NamedDimension {
        switch field {
        case .tenant: .tenant
        case .user: .user
        case .feature: .feature
        case .agent: .agent
        case .operation: .operation
        case .provider: .provider
        case .model: .model
        case .region: .region
        default: .resource
        }
    }
}
