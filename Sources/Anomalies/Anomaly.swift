public import Usage
internal import Wire

/// What is abnormal.
public enum AnomalyKind: Hashable, Sendable, CustomStringConvertible {
    /// More than usual: `user_spike`, `feature_spike`.
    case spike(Dimension)
    /// Spend that stopped.
    case drop
    /// The price of a thousand tokens moved.
    case priceShift
    /// Somebody who was not there before spends a lot.
    case newSpender

    public var description: String {
        switch self {
        case .spike(let dimension): dimension.labelName + "_spike"
        case .drop: "drop"
        case .priceShift: "price_shift"
        case .newSpender: "new_spender"
        }
    }

    public init?(_ text: String, of dimension: Dimension) {
        switch text {
        case "drop": self = .drop
        case "price_shift": self = .priceShift
        case "new_spender": self = .newSpender
        case dimension.labelName + "_spike": self = .spike(dimension)
        default: return nil
        }
    }
}

/// Where an anomaly stands.
public enum AnomalyStatus: String, CaseIterable, Sendable {
    /// Still going on.
    case active
    case resolved

    /// The word in the store, where it has another one.
    init?(stored word: String) {
        self.init(rawValue: word == "over" ? Self.resolved.rawValue : word)
    }

    var stored: String { self == .resolved ? "over" : rawValue }
}

/// Why nobody was told of an anomaly.
public enum AnomalySilence: String, CaseIterable, Sendable {
    /// One like it was acknowledged, and this one is not larger.
    case acknowledged
    case snoozed
    /// It is the shadow of another: most of it is that one's spend.
    case explained
}

/// Something abnormal in one series, from the window that showed it to the one that ended it.
public struct Anomaly: Equatable, Sendable {
    /// Grows; part of keys and paths.
    public let id: Int64
    public let kind: AnomalyKind
    public let dimension: Dimension
    public let value: String
    public var grade: AnomalyGrade
    public var status = AnomalyStatus.active
    /// Unix seconds: begin of the window that showed it.
    public let startsAt: Int64
    /// Unix nanoseconds: when that window was frozen.
    public let detectedAt: Int64
    public var endsAt: Int64?
    /// In the span that showed it.
    public var observed: NanoUSD
    public var expected: NanoUSD
    public var ratio: Double
    public var spanSeconds: Int64
    /// `support.chat spends 6.3x its usual`.
    public var title: String
    /// A sentence: what, how much, against what, and who is behind it.
    public var summary: String
    public var top: [Contributor] = []
    public var silence: AnomalySilence?
    /// The anomaly that explains this one.
    public var cause: Int64?
    public var acknowledged: Acknowledgement?
    /// Unix nanoseconds.
    public var snoozedUntil: Int64?

    /// Who is behind it: the largest value of another dimension in the window that showed it.
    public struct Contributor: Equatable, Sendable {
        public let dimension: Dimension
        public let value: String
        /// Thousandths of the series' spend.
        public let shareMille: Int64

        public init(dimension: Dimension, value: String, shareMille: Int64) {
            self.dimension = dimension
            self.value = value
            self.shareMille = shareMille
        }
    }

    public struct Acknowledgement: Equatable, Sendable {
        public var at: Int64
        public var by: String
        public var note: String

        public init(at: Int64, by: String, note: String) {
            self.at = at
            self.by = by
            self.note = note
        }
    }

    /// One for each grade that it reaches: `anomaly/user_spike/user=u-17/1767225600/high`.
    public var dedupKey: String {
        "anomaly/\(kind)/\(dimension)=\(PercentEncoding.encode(value))/\(startsAt)/\(grade.word)"
    }
}

/// What an alert is made of.
public struct AnomalyEvent: Equatable, Sendable {
    public enum Change: Equatable, Sendable {
        case fired
        /// It fired before with a lower grade, under that key.
        case escalated(from: String)
        case ended(reason: String)
    }

    public let change: Change
    public let anomaly: Anomaly
}
