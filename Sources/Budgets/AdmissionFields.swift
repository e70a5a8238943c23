public import JSON
public import Usage
internal import Wire

/// Why a request for admission cannot be read.
public struct AdmissionFault: Error, Equatable {
    /// Empty when the text itself is broken.
    public let field: String
    public let message: String
}

/// What a call that asks for admission tells about itself: the fields of an event, and
/// `max_output_tokens`.
public struct AdmissionFields: Sendable {
    public private(set) var texts: [(dimension: Dimension, value: String)] = []
    /// Canonical JSON, keys sorted; empty: none.
    public private(set) var tags = ""
    public private(set) var tokens = TokenCounts()
    /// What the caller says that the call costs at most.
    public private(set) var cost: NanoUSD?
    /// Chosen by the caller, so that the request can be repeated.
    public private(set) var id: String?
    public private(set) var expirySeconds: Int64 = Self.expiryDefault

    public static let expiryDefault: Int64 = 300
    public static let expiryMax: Int64 = 3600

    private static let dimensions: [Dimension] = [
        .tenant, .user, .feature, .agent, .conversation, .task, .request, .operation, .provider,
        .model,
    ]

    public init(_ json: JSONValue) throws(AdmissionFault) {
        guard json.members != nil else {
            throw AdmissionFault(field: "", message: "the body must be one JSON object")
        }
        for dimension in Self.dimensions {
            if let text = try Self.text(json, dimension.description) {
                texts.append((dimension, text))
            }
        }
        id = try Self.text(json, "id")
        try readTags(json["tags"])
        tokens.input = try Self.count(json, "input_tokens") ?? 0
        tokens.cachedInput = try Self.count(json, "cached_input_tokens") ?? 0
        tokens.cacheWrite = try Self.count(json, "cache_write_tokens") ?? 0
        let (most, counted) = (
            try Self.count(json, "max_output_tokens"), try Self.count(json, "output_tokens")
        )
        tokens.output = most ?? counted ?? 0
        guard UInt64(tokens.cachedInput) + UInt64(tokens.cacheWrite) <= UInt64(tokens.input) else {
            throw AdmissionFault(
                field: "cached_input_tokens",
                message: "and cache_write_tokens are part of input_tokens and exceed it")
        }
        cost = try Self.amount(json["cost_usd"])
        if let value = json["expires_in_seconds"], value != .null {
            guard let seconds = value.integer, (1...Int(Self.expiryMax)).contains(seconds) else {
                throw AdmissionFault(
                    field: "expires_in_seconds",
                    message: "must be an integer from 1 to \(Self.expiryMax)")
            }
            expirySeconds = Int64(seconds)
        }
    }

    public var tenant: String? { texts.first { $0.dimension == .tenant }?.value }
    public var model: String? { texts.first { $0.dimension == .model }?.value }

    /// Replaces or adds the tenant.
    public mutating func setTenant(_ tenant: String) {
        texts.removeAll { $0.dimension == .tenant }
        texts.insert((.tenant, tenant), at: 0)
    }

    /// Adds the value of a dimension, as a gateway's header gave it.
    public mutating func set(_ dimension: Dimension, _ value: String) {
        texts.removeAll { $0.dimension == dimension }
        texts.append((dimension, value))
    }

    /// The dimensions as the members of an event.
    public var body: [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (index, entry) in texts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.appendJSONString(entry.dimension.description)
            bytes.append(UInt8(ascii: ":"))
            bytes.appendJSONString(entry.value)
        }
        if !tags.isEmpty {
            if !texts.isEmpty { bytes.append(UInt8(ascii: ",")) }
            bytes.append("\"tags\":\(tags)")
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// As an event that matchers can look at. A missing amount is left to the price list.
    public func event(names: Names) -> (CostEvent, EventRows) {
        var (event, rows) = (CostEvent(), EventRows())
        event.tokens = tokens
        event.amount = cost
        for (dimension, value) in texts {
            switch dimension {
            case .tenant: event.tenant = names.intern(value)
            case .user: event.user = names.intern(value)
            case .feature: event.feature = names.intern(value)
            case .agent: event.agent = names.intern(value)
            case .operation: event.operation = names.intern(value)
            case .provider: event.provider = names.intern(value)
            case .model: event.model = names.intern(value)
            case .conversation: event.conversation = rows.append(Array(value.utf8).span)
            case .task: event.task = rows.append(Array(value.utf8).span)
            case .request: event.request = rows.append(Array(value.utf8).span)
            default: break
            }
        }
        if !tags.isEmpty { event.tags = names.intern(tags) }
        return (event, rows)
    }

    private static func text(_ json: JSONValue, _ name: String) throws(AdmissionFault) -> String? {
        guard let value = json[name], value != .null else { return nil }
        guard let text = value.string, text.utf8.count <= Limits.textBytes else {
            throw AdmissionFault(
                field: name, message: "must be a string of at most \(Limits.textBytes) bytes")
        }
        return text.isEmpty ? nil : text
    }

    private static func count(_ json: JSONValue, _ name: String) throws(AdmissionFault) -> UInt32? {
        guard let value = json[name], value != .null else { return nil }
        guard let number = value.integer, let count = UInt32(exactly: number) else {
            throw AdmissionFault(
                field: name, message: "must be an integer from 0 to \(Limits.tokensMax)")
        }
        return count
    }

    private static func amount(_ value: JSONValue?) throws(AdmissionFault) -> NanoUSD? {
        guard let value, value != .null else { return nil }
        guard let text = value.string ?? value.literal,
            case .value(let nanos) = NanoUSD.read(Array(text.utf8).span), nanos >= 0,
            nanos <= Limits.costMax.nanos
        else {
            throw AdmissionFault(
                field: "cost_usd", message: "must be a decimal from 0 to 1000000 dollars")
        }
        return NanoUSD(nanos: nanos)
    }

    private mutating func readTags(_ value: JSONValue?) throws(AdmissionFault) {
        guard let value, value != .null else { return }
        let fault = AdmissionFault(
            field: "tags",
            message: "must be an object of at most \(Limits.tagsPerEvent) strings, keys of up to "
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
