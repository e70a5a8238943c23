public import Usage

/// What the page of metrics and the API show of the engine.
public struct AnomalyReadings: Sendable {
    public struct Active: Equatable, Sendable {
        public let kind: String
        public let dimension: Dimension
        public let value: String
        public let grade: AnomalyGrade
    }

    /// A window that still takes events.
    public struct OpenWindow: Equatable, Sendable {
        /// Unix seconds.
        public let start: Int64
        public let events: Int64
        public let cost: NanoUSD
    }

    /// Since the data directory was made.
    public var counts: [AnomalyCount: Int64] = [:]
    /// At most `activeMax`, highest grade first.
    public var active: [Active] = []
    /// Until the detectors know enough of the usual to speak; 0 once they do.
    public var warmupSeconds: Int64 = 0
    public var series = 0
    /// Unix seconds: end of the last frozen window.
    public var frozenUntil: Int64 = 0
    public var windowSeconds: Int64 = 0
    /// Oldest first, at most `openMax`.
    public var open: [OpenWindow] = []

    public init() {}

    public static let activeMax = 1000
    public static let openMax = 100
}
