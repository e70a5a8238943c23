internal import Crypto
public import Usage

/// Somebody who may look, with a name and a password: the users of `--web.config.file`.
public struct BasicUser: Equatable, Sendable {
    public static let usersMax = 1000
    /// A dearer hash would hold up other requests for longer than a quarter of a second.
    public static let costMax = 12

    public let name: String
    /// bcrypt.
    public let hash: Secret

    public init(name: String, hash: Secret) {
        self.name = name
        self.hash = hash
    }

    /// The cost of a bcrypt hash, as a power of two; nil when the text is none.
    public static func cost(_ hash: String) -> Int? { PasswordHash.cost(hash) }
}

/// What is known about passwords that were tried. Checking one costs as much as thousands of
/// requests, so each is checked once, and only some of them in a second.
struct PasswordChecks {
    /// Of each kind; with more all are forgotten.
    static let knownMax = 1000
    /// Checks that may come at once, and how many more every second.
    static let burst: Int64 = 20
    static let perSecond: Int64 = 2

    private var good: Set<[UInt8]> = []
    private var bad: Set<[UInt8]> = []
    /// In thousandths of a check.
    private var left = burst * 1000
    private var filledAt: UInt64 = 0

    enum Answer { case known(Bool), mustCheck, tooMany }

    /// - Parameter now: monotonic nanoseconds.
    mutating func ask(_ key: [UInt8], now: UInt64) -> Answer {
        if good.contains(key) { return .known(true) }
        if bad.contains(key) { return .known(false) }
        let millis = Int64(clamping: (now &- filledAt) / 1_000_000)
        left = min(Self.burst * 1000, left + min(millis, 1_000_000) * Self.perSecond)
        filledAt = now
        guard left >= 1000 else { return .tooMany }
        left -= 1000
        return .mustCheck
    }

    mutating func note(_ key: [UInt8], isGood: Bool) {
        if isGood {
            if good.count >= Self.knownMax { good.removeAll() }
            good.insert(key)
        } else {
            if bad.count >= Self.knownMax { bad.removeAll() }
            bad.insert(key)
        }
    }

    /// Stands for a user, the hash in force and a password.
    static func key(_ user: BasicUser, _ password: [UInt8]) -> [UInt8] {
        let message = Array(user.name.utf8) + [0] + password
        return Digest.hmacSHA256(key: Array(user.hash.reveal().utf8).span, message.span)
    }
}
