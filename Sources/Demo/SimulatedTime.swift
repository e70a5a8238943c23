internal import Synchronization
public import Usage

/// A wall clock that stands still until `run`, then goes faster than the real one.
public final class SimulatedTime: TimeSource {
    private struct State {
        var unixNanos: Int64
        /// Monotonic time at which `unixNanos` was true; nil while the clock stands still.
        var since: UInt64?
        var speed: Int64 = 1
    }

    private let state: Mutex<State>
    private let real: any TimeSource

    public init(unixNanos: Int64, real: any TimeSource) {
        state = Mutex(State(unixNanos: unixNanos))
        self.real = real
    }

    public var monotonicNanos: UInt64 { real.monotonicNanos }

    public var unixNanos: Int64 {
        let now = real.monotonicNanos
        return state.withLock { state in
            guard let since = state.since else { return state.unixNanos }
            return state.unixNanos + Int64(now - since) * state.speed
        }
    }

    public func set(unixNanos: Int64) {
        state.withLock { $0.unixNanos = unixNanos }
    }

    /// From now on `speed` simulated seconds pass in a real one.
    public func run(speed: Int64) {
        let now = real.monotonicNanos
        state.withLock { state in
            state.since = now
            state.speed = speed
        }
    }
}
