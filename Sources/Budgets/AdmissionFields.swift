public import JSON
public import Usage
internal import Wire

/// Why a request for admission cannot be read.
public enum AdmissionFault: Error, Equatable {
    /// The text itself is broken.
    case text(JSONFault)
    case notAnObject
    case field(_ name: String, _ message: String)
}

/// What a call that asks for admission tells about itself: the fields of an event, and
/// `max_output_tokens`.
public struct AdmissionFields: Sendable {
    /// The values of the dimensions and the id stand in it.
    private var bytes: [UInt8] = []
    /// By `AdmissionField`.
    private var texts = InlineArray<11, TextRef>(repeating: .none)
    /// Canonical JSON, keys sorted; empty: none.
    public private(set) var tags = ""
    public private(set) var tokens = TokenCounts()
    /// What the caller says that the call costs at most.
    public private(set) var cost: NanoUSD?
    /// Members that are none of these: a misspelt one asks about another call than was meant.
    public private(set) var ignored: [String] = []
    public private(set) var expirySeconds: Int64 = Self.expiryDefault

    public static let expiryDefault: Int64 = 300
    public static let expiryMax: Int64 = 3600

    /// Takes the bytes of `members`.
    init(_ members: inout AdmissionMembers) throws(AdmissionFault) {
        for field in AdmissionField.dimensions { try readText(field, &members) }
        try readText(.id, &members)
        if let value = members.tags { try readTags(value) }
        tokens.input = try Self.count(.inputTokens, &members) ?? 0
        tokens.cachedInput = try Self.count(.cachedInputTokens, &members) ?? 0
        tokens.cacheWrite = try Self.count(.cacheWriteTokens, &members) ?? 0
        let most = try Self.count(.maxOutputTokens, &members)
        let counted = try Self.count(.outputTokens, &members)
        tokens.output = most ?? counted ?? 0
        guard UInt64(tokens.cachedInput) + UInt64(tokens.cacheWrite) <= UInt64(tokens.input) else {
            throw .field(
                "cached_input_tokens",
                "and cache_write_tokens are part of input_tokens and exceed it")
        }
        cost = try Self.amount(&members)
        if members[.expiry].kind != .absent {
            guard let seconds = members.integer(.expiry),
                (1...Int(Self.expiryMax)).contains(seconds)
            else {
                throw .field("expires_in_seconds", "must be an integer from 1 to \(Self.expiryMax)")
            }
            expirySeconds = Int64(seconds)
        }
        ignored = members.unknown.names
        swap(&bytes, &members.bytes)
    }

    public var hasTenant: Bool { !self[.tenant].isEmpty }

    public func isTenant(_ tenant: String) -> Bool {
        bytes.span.extracting(self[.tenant].range).equals(tenant.utf8Span.span)
    }

    /// Replaces or adds the tenant.
    public mutating func setTenant(_ tenant: String) {
        let start = UInt32(bytes.count)
        bytes.append(tenant)
        self[.tenant] = TextRef(offset: start, length: UInt32(bytes.count) - start)
    }

    /// Chosen by the caller, so that the request can be repeated.
    public var id: String? {
        let text = self[.id]
        return text.isEmpty ? nil : String(copying: bytes.span.extracting(text.range))
    }

    /// The dimensions as the members of an event.
    public var body: [UInt8] {
        var json: [UInt8] = [UInt8(ascii: "{")]
        for field in AdmissionField.dimensions where !self[field].isEmpty {
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            json.appendJSONString(field.name)
            json.append(UInt8(ascii: ":"))
            json.appendJSONString(bytes.span.extracting(self[field].range))
        }
        if !tags.isEmpty {
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            json.append("\"tags\":\(tags)")
        }
        json.append(UInt8(ascii: "}"))
        return json
    }

    /// As an event that matchers can look at. A missing amount is left to the price list.
    public func event(names: Names) -> (CostEvent, EventRows) {
        var (event, rows) = (CostEvent(), EventRows())
        event.tokens = tokens
        event.amount = cost
        names.withTable { table in
            func id(_ field: AdmissionField) -> NameID {
                self[field].isEmpty ? 0 : table.intern(bytes.span.extracting(self[field].range))
            }
            event.tenant = id(.tenant)
            event.user = id(.user)
            event.feature = id(.feature)
            event.agent = id(.agent)
            event.operation = id(.operation)
            event.provider = id(.provider)
            event.model = id(.model)
            if !tags.isEmpty { event.tags = table.intern(tags.utf8Span.span) }
        }
        func kept(_ field: AdmissionField) -> TextRef {
            let text = self[field]
            return text.isEmpty ? .none : rows.append(bytes.span.extracting(text.range))
        }
        event.conversation = kept(.conversation)
        event.task = kept(.task)
        event.request = kept(.request)
        return (event, rows)
    }

    private subscript(field: AdmissionField) -> TextRef {
        get { texts[Int(field.rawValue)] }
        set { texts[Int(field.rawValue)] = newValue }
    }
}

// The checks of each kind of value.
extension AdmissionFields {
    private mutating func readText(
        _ field: AdmissionField, _ members: inout AdmissionMembers
    ) throws(AdmissionFault) {
        let value = members[field]
        if value.kind == .absent { return }
        guard value.kind == .string, value.text.length <= Limits.textBytes else {
            throw .field(field.name, "must be a string of at most \(Limits.textBytes) bytes")
        }
        self[field] = value.text
    }

    private static func count(
        _ field: AdmissionField, _ members: inout AdmissionMembers
    ) throws(AdmissionFault) -> UInt32? {
        if members[field].kind == .absent { return nil }
        guard let count = members.integer(field).flatMap({ UInt32(exactly: $0) }) else {
            throw .field(field.name, "must be an integer from 0 to \(Limits.tokensMax)")
        }
        return count
    }

    private static func amount(_ members: inout AdmissionMembers) throws(AdmissionFault) -> NanoUSD?
    {
        let value = members[.cost]
        if value.kind == .absent { return nil }
        guard value.kind != .other,
            case .value(let nanos) = NanoUSD.read(
                members.bytes.span.extracting(value.text.range)),
            nanos >= 0, nanos <= Limits.costMax.nanos
        else { throw .field("cost_usd", "must be a decimal from 0 to 1000000 dollars") }
        return NanoUSD(nanos: nanos)
    }

    private mutating func readTags(_ value: JSONValue) throws(AdmissionFault) {
        let fault = AdmissionFault.field(
            "tags",
            "must be an object of at most \(Limits.tagsPerEvent) strings, keys of up to "
                + "\(Limits.tagKeyBytes) and values of up to \(Limits.textBytes) bytes")
        guard let members = value.members, members.count <= Limits.tagsPerEvent else { throw fault }
        var pairs: [String: String] = [:]
        for member in members {
            guard let text = member.value.string, text.utf8.count <= Limits.textBytes,
                !member.key.isEmpty, member.key.utf8.count <= Limits.tagKeyBytes
            else { throw fault }
            pairs[member.key] = text
        }
        guard !pairs.isEmpty else { return }
        var bytes: [UInt8] = []
        for (key, text) in pairs.sorted(by: { $0.key < $1.key }) {
            bytes.append(UInt8(ascii: bytes.isEmpty ? "{" : ","))
            bytes.appendJSONString(key)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(text)
        }
        bytes.append(UInt8(ascii: "}"))
        guard bytes.count <= Limits.tagsBytes else { throw fault }
        tags = String(decoding: bytes, as: UTF8.self)
    }
}
