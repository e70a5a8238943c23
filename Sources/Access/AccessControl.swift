internal import Crypto
internal import Synchronization
public import Usage
internal import Wire

/// Tells who asks by the token of a request, and slows down who guesses.
public final class AccessControl: Sendable {
    public enum Refusal: Error, Equatable, Sendable {
        /// Without a token where one is needed.
        case missing
        /// With one that nobody was given.
        case unknown
        /// Too many wrong ones from this address; seconds until the next may be tried.
        case tooMany(retryAfterSeconds: Int64)
    }

    /// Wrong tokens from one address in a minute; after that none from it is looked at.
    static let failuresMax = 20
    private static let failureNanos: UInt64 = 60_000_000_000
    /// Addresses remembered; with more the eldest are forgotten.
    static let addressesMax = 10_000

    private struct Failures {
        var count: Int
        let since: UInt64
    }

    private struct State {
        var settings: AccessSettings
        var failures: [String: Failures] = [:]
        var passwords = PasswordChecks()
    }

    private let state: Mutex<State>
    private let time: any TimeSource

    public init(settings: AccessSettings, time: any TimeSource) {
        state = Mutex(State(settings: settings))
        self.time = time
    }

    public func configure(_ settings: AccessSettings) { state.withLock { $0.settings = settings } }

    /// False where everybody may do everything.
    public var isNeeded: Bool {
        state.withLock { !$0.settings.tokens.isEmpty || !$0.settings.users.isEmpty }
    }

    /// There are passwords, so that metrics are open nowhere.
    public var hasUsers: Bool { state.withLock { !$0.settings.users.isEmpty } }

    /// - Parameter authorization: the header of that name.
    /// - Parameter address: where the request comes from.
    public func principal(
        authorization: String?, address: @autoclosure () -> String
    ) throws(Refusal) -> Principal {
        let (tokens, users) = state.withLock { ($0.settings.tokens, $0.settings.users) }
        guard !tokens.isEmpty || !users.isEmpty else { return .anonymous }
        guard let authorization else { throw .missing }
        let address = address()
        let now = time.monotonicNanos
        if let wait = state.withLock({ Self.wait(for: address, $0, now) }) {
            throw .tooMany(retryAfterSeconds: wait)
        }
        if let (name, secret) = Self.credentials(in: authorization) {
            if let principal = Self.find(secret, among: tokens) { return principal }
            if let name, !users.isEmpty,
                let principal = try find(name, password: secret, among: users, now)
            {
                return principal
            }
        }
        state.withLock { Self.note(address, &$0, now) }
        throw .unknown
    }

    /// Every token is compared to its end, so that the time taken tells nothing.
    private static func find(_ secret: [UInt8], among tokens: [AccessToken]) -> Principal? {
        let digest = Digest.sha256(secret.span)
        var found: Principal?
        for token in tokens {
            var difference: UInt8 = 0
            for index in digest.indices { difference |= digest[index] ^ token.digest[index] }
            if difference == 0, found == nil { found = token.principal }
        }
        return found
    }

    /// A name that nobody has takes as long as a wrong password.
    private func find(
        _ name: [UInt8], password: [UInt8], among users: [BasicUser], _ now: UInt64
    ) throws(Refusal) -> Principal? {
        let known = users.first { Array($0.name.utf8) == name }
        guard let user = known ?? users.first else { return nil }
        let key = PasswordChecks.key(user, known == nil ? name + [0] + password : password)
        let isGood: Bool
        switch state.withLock({ $0.passwords.ask(key, now: now) }) {
        case .known(let answer): isGood = answer
        case .tooMany: throw .tooMany(retryAfterSeconds: 1)
        case .mustCheck:
            isGood = PasswordHash.matches(password, user.hash.reveal()) && known != nil
            state.withLock { $0.passwords.note(key, isGood: isGood) }
        }
        return isGood ? Principal(name: user.name, role: .viewer) : nil
    }

    /// `Bearer TOKEN`, or `Basic` with a token or a user's password: what a browser can send.
    private static func credentials(
        in authorization: String
    ) -> (name: [UInt8]?, secret: [UInt8])? {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        switch parts[0].lowercased() {
        case "bearer": return (nil, Array(parts[1].utf8))
        case "basic":
            guard let pair = Base64.decode(String(parts[1])),
                let colon = pair.firstIndex(of: UInt8(ascii: ":"))
            else { return nil }
            return (Array(pair[..<colon]), Array(pair[(colon + 1)...]))
        default: return nil
        }
    }

    private static func wait(for address: String, _ state: State, _ now: UInt64) -> Int64? {
        guard let known = state.failures[address], known.count >= failuresMax,
            now < known.since + failureNanos
        else { return nil }
        return Int64((known.since + failureNanos - now) / 1_000_000_000) + 1
    }

    private static func note(_ address: String, _ state: inout State, _ now: UInt64) {
        if let known = state.failures[address], now < known.since + failureNanos {
            state.failures[address]?.count = known.count + 1
            return
        }
        if state.failures.count >= addressesMax {
            state.failures = state.failures.filter { now < $0.value.since + failureNanos }
            if state.failures.count >= addressesMax { state.failures.removeAll() }
        }
        state.failures[address] = Failures(count: 1, since: now)
    }
}
