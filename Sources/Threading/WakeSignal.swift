internal import Glibc

/// Wakes one sleeper. A signal that comes while nobody sleeps is kept.
///
/// On the monotonic clock: setting the wall clock neither shortens nor stretches a sleep.
@safe
public final class WakeSignal: @unchecked Sendable {
    // The three are reached through pthread's calls only; `isSet` under `mutex`.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let isSet = UnsafeMutablePointer<Bool>.allocate(capacity: 1)

    public init() {
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
        unsafe isSet.initialize(to: false)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
        unsafe isSet.deallocate()
    }

    public func notify() {
        unsafe pthread_mutex_lock(mutex)
        unsafe isSet.pointee = true
        unsafe pthread_cond_signal(condition)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// True when woken, false after the time-out.
    @discardableResult
    public func wait(nanos: UInt64) -> Bool {
        var deadline = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
        let end = UInt64(deadline.tv_nsec) + min(nanos, UInt64(Int64.max / 2))
        deadline.tv_sec += Int(end / 1_000_000_000)
        deadline.tv_nsec = Int(end % 1_000_000_000)
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while unsafe !isSet.pointee {
            if unsafe pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { break }
        }
        defer { unsafe isSet.pointee = false }
        return unsafe isSet.pointee
    }

    public func wait() {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while unsafe !isSet.pointee { unsafe pthread_cond_wait(condition, mutex) }
        unsafe isSet.pointee = false
    }
}
