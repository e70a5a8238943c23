internal import JSON
internal import Usage
internal import Wire

/// What a request for admission may say about a call, in the order in which it is looked at.
enum AdmissionField: UInt8, CaseIterable, Sendable {
    case tenant, user, feature, agent, conversation, task, request, operation, provider, model, id
    case tags
    case inputTokens, cachedInputTokens, cacheWriteTokens, maxOutputTokens, outputTokens
    case cost, expiry

    /// Those that are dimensions of the call.
    static let dimensions: [AdmissionField] = [
        .tenant, .user, .feature, .agent, .conversation, .task, .request, .operation, .provider,
        .model,
    ]

    var name: String {
        switch self {
        case .tenant: "tenant"
        case .user: "user"
        case .feature: "feature"
        case .agent: "agent"
        case .conversation: "conversation"
        case .task: "task"
        case .request: "request"
        case .operation: "operation"
        case .provider: "provider"
        case .model: "model"
        case .id: "id"
        case .tags: "tags"
        case .inputTokens: "input_tokens"
        case .cachedInputTokens: "cached_input_tokens"
        case .cacheWriteTokens: "cache_write_tokens"
        case .maxOutputTokens: "max_output_tokens"
        case .outputTokens: "output_tokens"
        case .cost: "cost_usd"
        case .expiry: "expires_in_seconds"
        }
    }
}

/// The members of a request as they were found, not yet looked at: where each value stands in
/// `bytes`.
struct AdmissionMembers {
    enum Kind: UInt8 { case absent, string, number, other }

    struct Value: BitwiseCopyable {
        var kind = Kind.absent
        var text = TextRef.none
    }

    var bytes: [UInt8] = []
    private var values = InlineArray<19, Value>(repeating: Value())
    /// Nil when there are none.
    var tags: JSONValue?
    var unknown = UnknownMembers()

    init() {}

    // Mutating, so that one value is read where it stands and not from a copy of all.
    subscript(field: AdmissionField) -> Value {
        mutating get { values[Int(field.rawValue)] }
        set { values[Int(field.rawValue)] = newValue }
    }

    /// Nil when it is no number, or none without fraction.
    mutating func integer(_ field: AdmissionField) -> Int? {
        let value = self[field]
        guard value.kind == .number else { return nil }
        return bytes.span.extracting(value.text.range).integer
    }

    /// Adds a value that stands in no body.
    mutating func add(_ field: AdmissionField, _ kind: Kind, _ text: String) {
        let start = UInt32(bytes.count)
        bytes.append(text)
        self[field] = Value(
            kind: kind, text: TextRef(offset: start, length: UInt32(bytes.count) - start))
    }
}
