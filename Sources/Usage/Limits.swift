/// Every bound on what an event may hold, in one place.
public enum Limits {
    /// Bytes of one dimension value or id.
    public static let textBytes = 256
    public static let tagsPerEvent = 32
    public static let tagKeyBytes = 64
    /// Bytes of all tags of an event, as canonical JSON.
    public static let tagsBytes = 4096
    public static let tokensMax: UInt64 = 4_294_967_295
    /// A single call for more than a million dollars is a unit mistake.
    public static let costMax = NanoUSD(nanos: 1_000_000 * 1_000_000_000)
    /// A sandbox that ran for ten years.
    public static let secondsMax: Int64 = 10 * 366 * 86_400
    public static let vcpuMax: Int64 = 10_000
    public static let gibMax: Int64 = 1_000_000
    public static let durationMillisMax: UInt64 = 4_294_967_295
    /// An event may be dated this far ahead of the clock, no more.
    public static let aheadNanos: Int64 = 600 * 1_000_000_000
    /// Past this age an event counts as late in `costgauge_ingest_late_events_total`.
    public static let lateNanos: Int64 = 3600 * 1_000_000_000
    public static let eventsPerBody = 100_000
    public static let eventDepth = 16
}
