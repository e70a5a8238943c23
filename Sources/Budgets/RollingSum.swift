internal import Wire

/// Spend of the last so many seconds, in buckets of one sixtieth of that length:
///
///     now - length                                now
///          |----+----+----+---- ... ----+----+----|
///     [bucket: counts as long as any part of it is in the window]
///
/// So it counts at least the whole window and at most one bucket more; nothing leaves early. At
/// most 61 buckets, and those of events that are dated ahead.
struct RollingSum: Equatable, Sendable {
    struct Bucket: Equatable, Sendable {
        /// Unix seconds by the width.
        let number: Int64
        var nanos: Int64
    }

    /// Ascending.
    private(set) var buckets: [Bucket] = []

    static let bucketsPerWindow: Int64 = 60

    static func width(_ length: Int64) -> Int64 {
        max(1, (length + bucketsPerWindow - 1) / bucketsPerWindow)
    }

    /// Whether an amount of that time is within the window.
    static func counts(_ second: Int64, now: Int64, length: Int64) -> Bool {
        let width = width(length)
        return (floorDivide(second, width) + 1) * width > now - length
    }

    mutating func add(_ nanos: Int64, at second: Int64, length: Int64) {
        let number = floorDivide(second, Self.width(length))
        var place = buckets.endIndex
        while place > 0, buckets[place - 1].number > number { place -= 1 }
        if place > 0, buckets[place - 1].number == number {
            buckets[place - 1].nanos += nanos
        } else {
            buckets.insert(Bucket(number: number, nanos: nanos), at: place)
        }
    }

    func sum(now: Int64, length: Int64) -> Int64 {
        let width = Self.width(length)
        return buckets.reduce(0) { sum, bucket in
            (bucket.number + 1) * width > now - length ? sum + bucket.nanos : sum
        }
    }

    /// True when a bucket has left the window.
    func isStale(now: Int64, length: Int64) -> Bool {
        buckets.first.map { ($0.number + 1) * Self.width(length) <= now - length } ?? false
    }

    mutating func forget(now: Int64, length: Int64) {
        let width = Self.width(length)
        let first = buckets.firstIndex { ($0.number + 1) * width > now - length }
        buckets.removeFirst(first ?? buckets.count)
    }

    /// Unix seconds at which at least `nanos` of what counts now has left; the end of a whole
    /// window when that never happens.
    func relief(of nanos: Int64, now: Int64, length: Int64) -> Int64 {
        let width = Self.width(length)
        var left: Int64 = 0
        for bucket in buckets where (bucket.number + 1) * width > now - length {
            left += bucket.nanos
            if left >= nanos { return (bucket.number + 1) * width + length }
        }
        return now + length
    }
}

// Stored as bucket number and nano-dollars, eight bytes each, little-endian.
extension RollingSum {
    var blob: [UInt8] {
        var blob: [UInt8] = []
        for bucket in buckets {
            blob.append(littleEndian: UInt64(bitPattern: bucket.number), bytes: 8)
            blob.append(littleEndian: UInt64(bitPattern: bucket.nanos), bytes: 8)
        }
        return blob
    }

    init(blob: [UInt8]) {
        var at = 0
        while at + 16 <= blob.count {
            buckets.append(
                Bucket(
                    number: Int64(bitPattern: blob.littleEndian(at: at, bytes: 8)),
                    nanos: Int64(bitPattern: blob.littleEndian(at: at + 8, bytes: 8))))
            at += 16
        }
    }
}

/// What a scope of a rolling budget has spent, and what of that was forgiven by resets.
struct RollingSpend: Equatable, Sendable {
    var spent = RollingSum()
    var forgiven = RollingSum()
    /// Unix seconds at which the sums of its scope were taken last.
    var countedAt: Int64 = 0

    func net(now: Int64, length: Int64) -> Int64 {
        spent.sum(now: now, length: length) - forgiven.sum(now: now, length: length)
    }

    /// Everything counted so far counts no more.
    mutating func forgive() { forgiven = spent }

    /// See `RollingSum.relief`; what is forgiven has left already.
    func relief(of nanos: Int64, now: Int64, length: Int64) -> Int64 {
        let past = forgiven.sum(now: now, length: length)
        return spent.relief(of: nanos + past, now: now, length: length)
    }

    mutating func forget(now: Int64, length: Int64) {
        spent.forget(now: now, length: length)
        forgiven.forget(now: now, length: length)
    }
}
