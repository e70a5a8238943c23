/// What a token allows: each role may do what those before it may.
public enum Role: String, CaseIterable, Comparable, Sendable {
    case viewer, editor, admin

    public static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .editor: 1
        case .admin: 2
        }
    }
}

/// Who asks.
public struct Principal: Equatable, Sendable {
    /// Of the token, for the audit; never the token itself.
    public let name: String
    public let role: Role
    /// The one tenant that is seen and changed; nil: all.
    public let tenant: String?

    public init(name: String, role: Role, tenant: String? = nil) {
        self.name = name
        self.role = role
        self.tenant = tenant
    }

    /// Whoever asks where no tokens are configured.
    public static let anonymous = Principal(name: "anonymous", role: .admin)
}
