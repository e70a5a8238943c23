import Synchronization
import Testing
import Usage

/// Time that moves only when a test says so.
public final class ManualTime: TimeSource {
    private let state: Mutex<(unix: Int64, monotonic: UInt64)>
    private let monotonicStandsStill = Mutex(false)

    /// Simulated time: the wall clock runs, and no real time passes.
    public var standsStill: Bool {
        get { monotonicStandsStill.withLock { $0 } }
        set { monotonicStandsStill.withLock { $0 = newValue } }
    }

    /// 2026-11-20T10:00:00Z unless told otherwise.
    public init(unixNanos: Int64 = 1_795_168_800_000_000_000) {
        state = Mutex((unixNanos, 1_000_000_000))
    }

    public var unixNanos: Int64 { state.withLock { $0.unix } }
    public var monotonicNanos: UInt64 { state.withLock { $0.monotonic } }

    public func advance(seconds: Int64) { advance(nanos: seconds * 1_000_000_000) }

    public func advance(nanos: Int64) {
        let isReal = !standsStill
        state.withLock {
            $0.unix += nanos
            if isReal { $0.monotonic += UInt64(nanos) }
        }
    }

    /// The wall clock alone, as when somebody sets it.
    public func step(seconds: Int64) {
        state.withLock { $0.unix += seconds * 1_000_000_000 }
    }
}

/// Fails the test that looks at it.
public struct UnusedTime: TimeSource {
    public init() {}

    public var unixNanos: Int64 {
        Issue.record("the wall clock was read")
        return 0
    }

    public var monotonicNanos: UInt64 {
        Issue.record("the monotonic clock was read")
        return 0
    }
}
