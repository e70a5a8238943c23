internal import Aggregation
internal import Usage

/// When calls of each scope were denied, as far as it takes to tell that they keep coming.
struct DenialLog: Sendable {
    /// So many denials of one scope within the window are told.
    static let countMin = 10
    static let windowNanos: Int64 = 300 * 1_000_000_000
    /// Scopes that are remembered; with more, those whose denials are over are forgotten, and then
    /// new ones are not watched.
    static let scopesMax = 10_000

    struct Place: Hashable, Sendable {
        let budget: String
        let values: LabelKey
    }

    struct Entry: Sendable {
        var limit: NanoUSD
        /// The last denials, the oldest overwritten first.
        private(set) var times: [Int64] = []
        private var next = 0

        init(limit: NanoUSD) { self.limit = limit }

        mutating func note(_ now: Int64) {
            if times.count < DenialLog.countMin {
                times.append(now)
            } else {
                times[next] = now
                next = (next + 1) % DenialLog.countMin
            }
        }

        /// Up to `countMin`.
        func count(now: Int64) -> Int {
            times.reduce(0) { $0 + ($1 > now - DenialLog.windowNanos ? 1 : 0) }
        }
    }

    private(set) var entries: [Place: Entry] = [:]

    mutating func note(_ place: Place, limit: NanoUSD, now: Int64) {
        if entries[place] == nil, entries.count >= Self.scopesMax {
            entries = entries.filter { $0.value.count(now: now) > 0 }
            guard entries.count < Self.scopesMax else { return }
        }
        entries[place, default: Entry(limit: limit)].limit = limit
        entries[place]?.note(now)
    }

    /// What is over long enough to say so.
    mutating func forget(_ places: [Place]) {
        for place in places { entries[place] = nil }
    }
}
