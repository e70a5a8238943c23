internal import Usage

/// What a budget does about calls that ask first. Without it a budget watches and tells.
public struct Enforcement: Equatable, Sendable {
    public enum Mode: String, CaseIterable, Sendable {
        case enforce
        /// Counts what it would have said; every call goes ahead.
        case observe
    }

    /// What to say when the store cannot answer.
    public enum WhenUnsure: String, CaseIterable, Sendable { case allow, deny }

    public var mode = Mode.enforce
    /// Parts of the limit in thousand-millionths. From the first on calls are slowed down, past the
    /// second they are denied.
    public var throttleAt: Int64 = 800_000_000
    public var denyAt: Int64 = 1_000_000_000
    /// Above `denyAt`: spend that goes on for so much more pauses the scope.
    public var grace: Int64 = 0
    public var pausesAutomatically = false
    public var whenUnsure = WhenUnsure.allow

    public init() {}

    /// True when `amount` is more than this part of the limit.
    static func exceeds(_ amount: Int64, _ part: Int64, of limit: NanoUSD) -> Bool {
        Int128(amount) * 1_000_000_000 > Int128(limit.nanos) * Int128(part)
    }

    static func reaches(_ amount: Int64, _ part: Int64, of limit: NanoUSD) -> Bool {
        Int128(amount) * 1_000_000_000 >= Int128(limit.nanos) * Int128(part)
    }
}
