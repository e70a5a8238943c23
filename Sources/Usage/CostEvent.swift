/// Bytes of the batch's text: ids and other values that are kept as they are.
public struct TextRef: BitwiseCopyable, Sendable, Equatable {
    public var offset: UInt32
    public var length: UInt32

    public static let none = TextRef(offset: 0, length: 0)

    @inlinable
    public init(offset: UInt32, length: UInt32) {
        self.offset = offset
        self.length = length
    }

    @inlinable public var isEmpty: Bool { length == 0 }
    @inlinable public var range: Range<Int> { Int(offset)..<Int(offset) + Int(length) }
}

/// A dimension value, interned in `Names`. Zero means absent.
public typealias NameID = UInt32

/// Token counts as events carry them: input includes cached and cache-written tokens, output
/// includes reasoning (the OpenTelemetry GenAI rule).
public struct TokenCounts: BitwiseCopyable, Sendable, Equatable {
    public var input: UInt32 = 0
    public var cachedInput: UInt32 = 0
    public var cacheWrite: UInt32 = 0
    public var output: UInt32 = 0
    public var reasoning: UInt32 = 0
    public var audioInput: UInt32 = 0
    public var audioOutput: UInt32 = 0

    public init() {}

    /// Input that was neither cached nor written to the cache.
    @inlinable var fresh: UInt32 { input.saturatingMinus(cachedInput).saturatingMinus(cacheWrite) }

    /// The count without overlap: the kinds of input add up to `input`, those of output to
    /// `output`. Audio that was cached counts as cached.
    @inlinable
    public func disjoint(_ kind: TokenKind) -> UInt32 {
        switch kind {
        case .input: fresh.saturatingMinus(audioInput)
        case .cachedInput: cachedInput
        case .cacheWrite: cacheWrite
        case .output: output.saturatingMinus(reasoning).saturatingMinus(audioOutput)
        case .reasoning: reasoning
        case .audioInput: min(audioInput, fresh)
        case .audioOutput: audioOutput
        }
    }
}

extension UInt32 {
    @inlinable
    public func saturatingMinus(_ other: UInt32) -> UInt32 { self > other ? self &- other : 0 }
}

/// One call, decoded, in a form that needs no allocation: names are interned, other text refers
/// into the batch, amounts are integers.
public struct CostEvent: BitwiseCopyable, Sendable {
    public struct Flags: OptionSet, BitwiseCopyable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Seen before.
        public static let duplicate = Flags(rawValue: 1)
        /// Its amount would take the ledger past 64 bits.
        public static let refused = Flags(rawValue: 8)
        /// Stepped over by the insert and by every sum.
        public static let skipped: Flags = [.duplicate, .refused]
        /// `cost` holds an amount; without it the event is unpriced.
        public static let priced = Flags(rawValue: 2)
        /// The stream broke off: the counts are what was measured until then.
        public static let incomplete = Flags(rawValue: 4)
        /// Its tokens are priced and its web searches are not. Known until the commit.
        public static let lacksSearchPrice = Flags(rawValue: 16)
    }

    /// Nano-dollars that stand for "no amount" in the store.
    public static let noCost = Int64.min

    /// Unix nanoseconds at which the call happened, and at which it was taken in.
    public var timestamp: Int64 = 0
    public var received: Int64 = 0
    /// Hash of (tenant, id); meaningful when `id` is not empty.
    public var identity: UInt128 = 0
    /// Of the model call, across all sources; 0 without a response id. See `CallIdentity`.
    public var call: UInt128 = 0

    public var id = TextRef.none
    public var conversation = TextRef.none
    public var task = TextRef.none
    public var request = TextRef.none
    public var reservation = TextRef.none
    /// Seldom used facts as JSON; see `EventDetail`.
    public var detail = TextRef.none

    public var tenant: NameID = 0
    public var user: NameID = 0
    public var feature: NameID = 0
    public var agent: NameID = 0
    public var operation: NameID = 0
    public var provider: NameID = 0
    public var model: NameID = 0
    /// The canonical JSON of the tags, interned whole: few sets occur often.
    public var tags: NameID = 0
    public var resource: NameID = 0

    public var tokens = TokenCounts()
    public var textInputChars: UInt32 = 0
    public var textOutputChars: UInt32 = 0
    public var durationMillis: UInt32 = 0
    /// Where the call was served, when that has a price: `eu`, `europe-west4`.
    public var region: NameID = 0

    /// Nano-dollars, or `noCost`.
    public var cost = CostEvent.noCost
    /// Compute: running time in microseconds, size in thousandths of a vCPU and of a GiB.
    public var computeMicros: Int64 = 0
    public var vcpuMilli: UInt32 = 0
    public var gibMilli: UInt32 = 0

    /// Of `tokens.cacheWrite`: kept for an hour, which costs more than five minutes.
    public var cacheWriteHour: UInt32 = 0
    /// Made by the provider and billed beside the tokens.
    public var webSearches: UInt32 = 0

    /// The row of the event that this one adjusts.
    public var adjustedSeq: Int64 = 0

    /// `Status`, `Stage` and `CostSource` packed for one column: bits 0-3, 4-7, 8-11; bit 12:
    /// incomplete; bit 13: observed; 14-16: `ServiceTier`; 17: an adjustment; 18: the first amount.
    public var facts: UInt32 = 0
    public var flags: Flags = []

    public init() {}
}

extension CostEvent {
    @inlinable public var status: Status {
        get { Status(rawValue: UInt8(facts & 15)) ?? .error }
        set { facts = facts & ~15 | UInt32(newValue.rawValue) }
    }

    @inlinable public var stage: Stage {
        get { Stage(rawValue: UInt8(facts >> 4 & 15)) ?? .unknown }
        set { facts = facts & ~(15 << 4) | UInt32(newValue.rawValue) << 4 }
    }

    @inlinable public var costSource: CostSource {
        get { CostSource(rawValue: UInt8(facts >> 8 & 15)) ?? .unpriced }
        set { facts = facts & ~(15 << 8) | UInt32(newValue.rawValue) << 8 }
    }

    @inlinable public var isComplete: Bool {
        get { facts & (1 << 12) == 0 }
        set { facts = newValue ? facts & ~(1 << 12) : facts | (1 << 12) }
    }

    /// Told by a span or a gateway that saw the call, not by the application itself.
    @inlinable public var isObserved: Bool {
        get { facts & (1 << 13) != 0 }
        set { facts = newValue ? facts | (1 << 13) : facts & ~(1 << 13) }
    }

    @inlinable public var serviceTier: ServiceTier {
        get { ServiceTier(rawValue: UInt8(facts >> 14 & 7)) ?? .standard }
        set { facts = facts & ~(7 << 14) | UInt32(newValue.rawValue) << 14 }
    }

    /// No call, but the difference between what one cost by older prices and by newer ones.
    @inlinable public var isAdjustment: Bool {
        get { facts & (1 << 17) != 0 }
        set { facts = newValue ? facts | (1 << 17) : facts & ~(1 << 17) }
    }

    /// An adjustment of a call that was unpriced until then.
    @inlinable public var isFirstAmount: Bool {
        get { facts & (1 << 18) != 0 }
        set { facts = newValue ? facts | (1 << 18) : facts & ~(1 << 18) }
    }

    @inlinable public var isDuplicate: Bool { flags.contains(.duplicate) }
    @inlinable public var isSkipped: Bool { !flags.isDisjoint(with: .skipped) }

    /// A sandbox or other machine time, priced by its size and seconds instead of tokens. `seconds`
    /// alone does not make one: any call may say how long it ran.
    @inlinable public var isCompute: Bool { resource != 0 || vcpuMilli != 0 || gibMilli != 0 }

    /// Nil while no price is known.
    @inlinable public var amount: NanoUSD? {
        get { cost == Self.noCost ? nil : NanoUSD(nanos: cost) }
        set { cost = newValue?.nanos ?? Self.noCost }
    }
}
