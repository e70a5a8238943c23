internal import Crypto
public import Usage

/// A token as it is kept: its SHA-256, so that a core dump or a log holds no secret.
public struct AccessToken: Equatable, Sendable {
    public let principal: Principal
    let digest: [UInt8]

    public init(_ secret: Secret, for principal: Principal) {
        self.principal = principal
        digest = Digest.sha256(Array(secret.reveal().utf8).span)
    }
}

public struct AccessSettings: Equatable, Sendable {
    public static let tokensMax = 1000

    public var tokens: [AccessToken]
    /// Viewers.
    public var users: [BasicUser] = []
    /// Listens beyond loopback although nobody has to show a token.
    public var allowsAnonymous = false

    public init(tokens: [AccessToken] = []) { self.tokens = tokens }
}
