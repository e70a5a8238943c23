/// When to push next.
///
/// After a failure the wait grows from 5 s by half each time to 30 s, spread by half to either
/// side, so that many senders do not come back at once; what the receiver asks for is waited out.
/// Nothing is queued meanwhile: the next push tells everything up to then.
struct PushSchedule {
    static let firstDelayNanos: UInt64 = 5_000_000_000
    static let delayNanosMax: UInt64 = 30_000_000_000
    /// A receiver may not silence us for longer.
    static let retryAfterSecondsMax: UInt64 = 300

    let intervalNanos: UInt64
    private var delayNanos: UInt64 = 0

    init(intervalNanos: UInt64) {
        self.intervalNanos = intervalNanos
    }

    /// Nanoseconds until the next push.
    mutating func succeeded() -> UInt64 {
        delayNanos = 0
        return intervalNanos
    }

    mutating func failed(retryAfterSeconds: UInt64?, random: UInt64) -> UInt64 {
        delayNanos =
            delayNanos == 0
            ? Self.firstDelayNanos : min(delayNanos + delayNanos / 2, Self.delayNanosMax)
        let spread = delayNanos / 2 + random % (delayNanos + 1)
        guard let retryAfterSeconds else { return spread }
        return max(spread, min(retryAfterSeconds, Self.retryAfterSecondsMax) * 1_000_000_000)
    }
}
