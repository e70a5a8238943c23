public import Usage
internal import Wire

/// Spend per dimension value in rings by event time: 60 minutes, 24 hours, 35 days (UTC).
///
/// Most values are seldom active, so a ring begins as a short list of the buckets that hold
/// something and becomes a full ring, indexed by bucket modulo size, when eight do not suffice:
///
///     scope   minutes -> full 60  [10:00 -] [10:01 $0.2] [10:02 $0.1] ...
///             hours   -> list 4   [10h   $0.3]
///             days    -> list 4   [20th  $0.3]
///
/// About 260 bytes for a value that was active once, 2 KiB for one that always is. Values are named
/// by small integers of the caller: a dimension's names, a budget's scopes.
public struct SpendRings: Sendable {
    public enum Level: Int, CaseIterable, Sendable {
        case minute, hour, day

        public var seconds: Int64 {
            switch self {
            case .minute: 60
            case .hour: 3600
            case .day: 86_400
            }
        }

        public var size: UInt32 {
            switch self {
            case .minute: 60
            case .hour: 24
            case .day: 35
            }
        }

        @inlinable
        public func bucket(_ unixNanos: Int64) -> UInt32 {
            UInt32(clamping: unixNanos / (seconds &* 1_000_000_000))
        }
    }

    struct Entry: BitwiseCopyable, Equatable {
        var bucket: UInt32
        var nanos: Int64

        static let empty = Entry(bucket: 0, nanos: 0)
    }

    private struct Ring: BitwiseCopyable {
        /// Where its entries begin in the pool.
        var start: UInt32 = 0
        /// The bucket that was added to last, and its place: the next event mostly has the same.
        var lastBucket: UInt32 = 0
        var lastPlace: UInt32 = 0
        /// 0 and 1 are lists, 2 to 4 full rings.
        var kind: UInt8 = 0
        /// Entries of a list.
        var count: UInt8 = 0
    }

    private struct Scope: BitwiseCopyable {
        var name: UInt32
        var isDirty = false
        var rings: InlineArray<3, Ring>
    }

    /// Lists of four and of eight, then the full rings of the three levels.
    private static let blockSizes = [4, 8] + Level.allCases.map { Int($0.size) }

    private var scopes: [Scope] = []
    /// Name id -> scope number plus one.
    private var index: [UInt32] = []
    /// The entries of all rings, in blocks of `blockSizes`.
    private var pool: [Entry] = []
    private var freeBlocks: [[UInt32]] = Array(repeating: [], count: 5)
    /// Changed since `markClean`, each once.
    public private(set) var dirtyScopes: [Int] = []

    private let levels: [Level]
    /// The same by the level's number.
    private let keeps: InlineArray<3, Bool>
    private var warmth: Int64 = 0

    /// Other levels than these are not kept and answer 0.
    public init(levels: [Level] = Level.allCases) {
        self.levels = levels
        keeps = InlineArray { number in levels.contains { $0.rawValue == number } }
    }

    public var count: Int { scopes.count }

    public var memoryBytes: Int {
        scopes.count * MemoryLayout<Scope>.stride + index.count * 4
            + pool.count * MemoryLayout<Entry>.stride
    }

    /// Adds an amount of time `unixNanos`. `now` is the time of arrival: a bucket that no window
    /// reaches any more at that time is not kept. 0 keeps all.
    public mutating func add(
        _ nanos: Int64, name: UInt32, at unixNanos: Int64, now: Int64 = 0
    ) {
        add(nanos, name: name, at: Buckets(unixNanos), now: Buckets(now))
    }

    /// One moment in all levels: a division by a constant each, which are multiplications.
    private struct Buckets {
        let minute: UInt32
        var hour: UInt32 { minute / 60 }
        var day: UInt32 { minute / 1440 }

        @inline(__always)
        init(_ unixNanos: Int64) {
            minute = UInt32(clamping: unixNanos / 60_000_000_000)
        }
    }

    @inline(__always)
    private mutating func add(_ nanos: Int64, name: UInt32, at time: Buckets, now: Buckets) {
        let scope = scope(of: name)
        add(nanos, to: .minute, of: scope, bucket: time.minute, now: now.minute)
        add(nanos, to: .hour, of: scope, bucket: time.hour, now: now.hour)
        add(nanos, to: .day, of: scope, bucket: time.day, now: now.day)
        if !scopes[scope].isDirty { markDirty(scope) }
    }

    @inline(__always)
    private mutating func add(
        _ nanos: Int64, to level: Level, of scope: Int, bucket: UInt32, now: UInt32
    ) {
        guard keeps[level.rawValue], now == 0 || bucket &+ level.size > now else { return }
        add(nanos, to: level, of: scope, bucket: bucket)
    }

    /// Adds the amounts of a batch by one of its dimensions.
    public mutating func add(_ rows: EventRows, by dimension: Dimension) {
        switch dimension {
        case .tenant: add(rows) { $0.tenant }
        case .feature: add(rows) { $0.feature }
        case .model: add(rows) { $0.model }
        case .user: add(rows) { $0.user }
        case .agent: add(rows) { $0.agent }
        default: break
        }
    }

    @inline(__always)
    private mutating func add(_ rows: EventRows, _ name: (borrowing CostEvent) -> NameID) {
        warm(rows, name)
        for index in rows.events.indices {
            let name = name(rows.events[index])
            guard name != 0, !rows.events[index].isSkipped, let amount = rows.events[index].amount
            else { continue }
            add(
                amount.nanos, name: name, at: Buckets(rows.events[index].timestamp),
                now: Buckets(rows.events[index].received))
        }
    }

    /// Touches what the batch will change: these reads wait for memory side by side, those of the
    /// additions would wait one after the other.
    @inline(__always)
    private mutating func warm(_ rows: EventRows, _ name: (borrowing CostEvent) -> NameID) {
        guard scopes.count > 1024 else { return }
        var touched: Int64 = 0
        for place in rows.events.indices {
            guard let scope = find(name(rows.events[place])) else { continue }
            let rings = scopes[scope].rings
            touched &+= pool[Int(rings[0].lastPlace)].nanos
            touched &+= pool[Int(rings[1].lastPlace)].nanos
            touched &+= pool[Int(rings[2].lastPlace)].nanos
        }
        // Kept, so that the reads are not left out.
        warmth = touched
    }

    private mutating func markDirty(_ scope: Int) {
        scopes[scope].isDirty = true
        dirtyScopes.append(scope)
    }

    /// The spend of one value in the last `count` buckets of a level, the current one included.
    public func sum(_ level: Level, last count: UInt32, of scope: Int, now: Int64) -> NanoUSD {
        guard levels.contains(level) else { return .zero }
        let current = level.bucket(now)
        let ring = scopes[scope].rings[level.rawValue]
        var total: Int64 = 0
        for entry in entries(of: ring)
        where entry.bucket <= current && entry.bucket &+ count > current {
            total += entry.nanos
        }
        return NanoUSD(nanos: total)
    }

    public func name(of scope: Int) -> UInt32 { scopes[scope].name }

    public func find(_ name: UInt32) -> Int? {
        guard Int(name) < index.count, index[Int(name)] != 0 else { return nil }
        return Int(index[Int(name)] - 1)
    }

    private mutating func scope(of name: UInt32) -> Int {
        if let known = find(name) { return known }
        while index.count <= Int(name) {
            index.append(contentsOf: repeatElement(0, count: max(1024, index.count)))
        }
        scopes.append(Scope(name: name, rings: InlineArray(repeating: Ring())))
        index[Int(name)] = UInt32(scopes.count)
        for level in levels {
            scopes[scopes.count - 1].rings[level.rawValue].start = allocate(0)
        }
        return scopes.count - 1
    }

    @inline(__always)
    private mutating func add(_ nanos: Int64, to level: Level, of scope: Int, bucket: UInt32) {
        let ring = scopes[scope].rings[level.rawValue]
        if ring.lastBucket == bucket, bucket != 0 {
            pool[Int(ring.lastPlace)].nanos &+= nanos
        } else {
            addElsewhere(nanos, level, scope, bucket)
        }
    }

    private mutating func addElsewhere(
        _ nanos: Int64, _ level: Level, _ scope: Int, _ bucket: UInt32
    ) {
        var ring = scopes[scope].rings[level.rawValue]
        let place =
            ring.kind < 2
            ? placeInList(&ring, level, bucket) : placeInFull(ring, level, bucket)
        if let place {
            pool[place].nanos &+= nanos
            ring.lastBucket = bucket
            ring.lastPlace = UInt32(place)
        }
        scopes[scope].rings[level.rawValue] = ring
    }

    /// Nil when the bucket is older than the ring reaches: nothing ever reads it.
    private mutating func placeInFull(_ ring: Ring, _ level: Level, _ bucket: UInt32) -> Int? {
        let place = Int(ring.start) &+ Int(bucket % level.size)
        let known = pool[place].bucket
        if known > bucket { return nil }
        if known < bucket { pool[place] = Entry(bucket: bucket, nanos: 0) }
        return place
    }

    private mutating func placeInList(_ ring: inout Ring, _ level: Level, _ bucket: UInt32) -> Int?
    {
        let start = Int(ring.start)
        var newest = bucket
        var at = Int(ring.count) &- 1
        while at >= 0 {
            let entry = pool[start &+ at]
            if entry.bucket == bucket { return start &+ at }
            newest = max(newest, entry.bucket)
            at &-= 1
        }
        if bucket &+ level.size <= newest { return nil }
        if Int(ring.count) == Self.blockSizes[Int(ring.kind)] {
            makeRoom(&ring, level, oldest: newest &- min(newest, level.size &- 1))
            if ring.kind >= 2 { return placeInFull(ring, level, bucket) }
        }
        let place = Int(ring.start) &+ Int(ring.count)
        pool[place] = Entry(bucket: bucket, nanos: 0)
        ring.count &+= 1
        return place
    }

    /// Drops entries before `oldest` from a list; when none is, moves to the longer list or the
    /// full ring.
    private mutating func makeRoom(_ ring: inout Ring, _ level: Level, oldest: UInt32) {
        let entries = Array(entries(of: ring))
        let kept = entries.filter { $0.bucket >= oldest }
        freeBlocks[Int(ring.kind)].append(ring.start)
        if kept.count == entries.count {
            ring.kind = ring.kind == 0 ? 1 : UInt8(2 + level.rawValue)
        }
        ring.start = allocate(Int(ring.kind))
        ring.count = 0
        ring.lastBucket = 0
        for entry in kept {
            if ring.kind >= 2 {
                if let place = placeInFull(ring, level, entry.bucket) {
                    pool[place].nanos &+= entry.nanos
                }
            } else {
                pool[Int(ring.start) + Int(ring.count)] = entry
                ring.count += 1
            }
        }
    }

    private mutating func allocate(_ kind: Int) -> UInt32 {
        let size = Self.blockSizes[kind]
        if let free = freeBlocks[kind].popLast() {
            for place in Int(free)..<Int(free) + size { pool[place] = .empty }
            return free
        }
        let start = UInt32(pool.count)
        pool.append(contentsOf: repeatElement(.empty, count: size))
        return start
    }

    /// Entries that hold nothing have bucket 0, which is before every event that a ring can reach.
    private func entries(of ring: Ring) -> ArraySlice<Entry> {
        let count = ring.kind < 2 ? Int(ring.count) : Self.blockSizes[Int(ring.kind)]
        return pool[Int(ring.start)..<Int(ring.start) + count]
    }
}

// Stored as one blob a value: level, bucket and nano-dollars of each entry, little-endian.
extension SpendRings {
    public func blob(of scope: Int) -> [UInt8] {
        var blob: [UInt8] = []
        for level in levels {
            for entry in entries(of: scopes[scope].rings[level.rawValue]) where entry.bucket > 0 {
                blob.append(UInt8(level.rawValue))
                blob.append(littleEndian: UInt64(entry.bucket), bytes: 4)
                blob.append(littleEndian: UInt64(bitPattern: entry.nanos), bytes: 8)
            }
        }
        return blob
    }

    public mutating func restore(_ name: UInt32, blob: [UInt8]) {
        let scope = scope(of: name)
        var at = 0
        while at + 13 <= blob.count {
            let bucket = UInt32(blob.littleEndian(at: at + 1, bytes: 4))
            let nanos = Int64(bitPattern: blob.littleEndian(at: at + 5, bytes: 8))
            if let level = Level(rawValue: Int(blob[at])), levels.contains(level) {
                add(nanos, to: level, of: scope, bucket: bucket)
            }
            at += 13
        }
    }

    public mutating func markClean() {
        for scope in dirtyScopes { scopes[scope].isDirty = false }
        dirtyScopes.removeAll(keepingCapacity: true)
    }
}
