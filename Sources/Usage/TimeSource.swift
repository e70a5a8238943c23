internal import Glibc

/// Time comes in through `init`, so that tests and the demo can move it.
public protocol TimeSource: Sendable {
    /// Wall clock, Unix nanoseconds.
    var unixNanos: Int64 { get }
    /// Never goes back; for durations and time-outs.
    var monotonicNanos: UInt64 { get }
}

public struct SystemTime: TimeSource {
    public init() {}

    public var unixNanos: Int64 {
        let time = Self.read(CLOCK_REALTIME)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    public var monotonicNanos: UInt64 {
        let time = Self.read(CLOCK_MONOTONIC)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return time
    }
}
