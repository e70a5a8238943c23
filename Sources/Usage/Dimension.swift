/// What spend can be broken down by.
public enum Dimension: Hashable, Sendable, CustomStringConvertible {
    case tenant, user, feature, agent, operation, provider, model, status, stage
    /// High-cardinality: kept in the ledger, never a metric label.
    case conversation, task, request
    /// One key of an event's tags, written `tags.team`.
    case tag(String)

    public init?(_ text: String) {
        if text.hasPrefix("tags.") {
            let key = String(text.dropFirst(5))
            guard !key.isEmpty, key.utf8.count <= Limits.tagKeyBytes else { return nil }
            self = .tag(key)
            return
        }
        guard let match = Self.fixed.first(where: { $0.description == text }) else { return nil }
        self = match
    }

    public static let fixed: [Dimension] = [
        .tenant, .user, .feature, .agent, .operation, .provider, .model, .status, .stage,
        .conversation, .task, .request,
    ]

    public var description: String {
        switch self {
        case .tenant: "tenant"
        case .user: "user"
        case .feature: "feature"
        case .agent: "agent"
        case .operation: "operation"
        case .provider: "provider"
        case .model: "model"
        case .status: "status"
        case .stage: "stage"
        case .conversation: "conversation"
        case .task: "task"
        case .request: "request"
        case .tag(let key): "tags.\(key)"
        }
    }

    /// Values are few enough for a Prometheus label.
    public var isLabel: Bool {
        switch self {
        case .conversation, .task, .request: false
        default: true
        }
    }

    /// The name as a Prometheus label: letters, digits and underscores.
    public var labelName: String {
        guard case .tag(let key) = self else { return description }
        return "tag_"
            + String(
                key.unicodeScalars.map { scalar in
                    let isPlain =
                        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
                        || ("0"..."9").contains(scalar)
                    return isPlain ? Character(scalar) : "_"
                })
    }
}
