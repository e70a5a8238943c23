internal import Dispatch

/// Wakes one sleeper. A signal that comes while nobody sleeps is kept.
public final class WakeSignal: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    public init() {}

    public func notify() { semaphore.signal() }

    /// True when woken, false after the time-out.
    @discardableResult
    public func wait(nanos: UInt64) -> Bool {
        let deadline = DispatchTime.now() + .nanoseconds(Int(clamping: nanos))
        return semaphore.wait(timeout: deadline) == .success
    }

    public func wait() { semaphore.wait() }
}
