public import Usage

/// What is watched, and from when on it is worth a word.
public struct AnomalySettings: Equatable, Sendable {
    public static let dimensionsMax = 6
    /// Windows must divide an hour, so that hours and days are made of whole ones.
    public static let windowSecondsMin: Int64 = 60
    public static let windowSecondsMax: Int64 = 3600

    public var isEnabled = true
    public var windowSeconds: Int64 = 300
    /// How long after its end a window still takes events.
    public var latenessNanos: Int64 = 90_000_000_000
    public var dimensions: [Dimension] = [.tenant, .user, .feature, .model]
    /// Values of each dimension with a series of their own, largest spenders first; the rest share
    /// one.
    public var seriesMax = 1000
    public var spend = SpendPolicy()
    /// Without rules the detector decides about spikes; rules decide beside it.
    public var rules: [SpendRule] = []
    /// What somebody new may spend within a day before it is told.
    public var newSpenderDollars = 30.0
    /// Age at which frozen windows are deleted; hours live five times as long, days fifty times.
    public var snapshotNanos: Int64 = 7 * 86_400_000_000_000
    /// Age at which anomalies that are over are deleted; 0 keeps them.
    public var anomalyNanos: Int64 = 90 * 86_400_000_000_000

    public init() {}

    var model: SpendModel { SpendModel(bucketSeconds: windowSeconds, policy: spend) }
}
