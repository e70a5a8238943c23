/// Which services tell their calls one by one, and up to when counters have told them.
///
/// The same usage often comes three times: as spans, as log records and as counters. Spans and
/// records are matched by their ids; counters have none. So a service that sends calls has its
/// counters left out, and calls that ended before the last counted point are left out too: that
/// point has them.
struct ServiceSources {
    /// Start of the latest call of a service.
    private var calls: [UInt64: Int64] = [:]
    /// Time of the latest point that was counted.
    private var points: [UInt64: Int64] = [:]

    /// Services remembered; past it the memory starts again.
    static let countMax = 16_384
    /// A service whose last call is this much older than a point has gone over to counters.
    static let silenceNanos: Int64 = 3_600_000_000_000

    mutating func note(_ reading: inout BodyReading) {
        for index in reading.calls.indices {
            let call = reading.calls[index]
            let service = reading.resources[call.resource].service
            let end = call.startNanos + Int64(call.durationMillis) * 1_000_000
            if let counted = points[service], end <= counted {
                reading.calls[index].ignored = .otherSource
                continue
            }
            if calls.count >= Self.countMax, calls[service] == nil { calls.removeAll() }
            calls[service] = max(calls[service] ?? 0, end)
        }
    }

    func hasCalls(_ service: UInt64, at time: Int64) -> Bool {
        guard let last = calls[service] else { return false }
        return time - last < Self.silenceNanos
    }

    mutating func counted(_ service: UInt64, until time: Int64) {
        if points.count >= Self.countMax, points[service] == nil { points.removeAll() }
        points[service] = max(points[service] ?? 0, time)
    }
}
