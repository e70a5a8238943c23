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
        var slab: UInt32 = 0
        /// Index into `slabs`: 0 and 1 are lists, 2 to 4 full rings.
        var kind: UInt8 = 0
        /// Entries of a list.
        var count: UInt8 = 0
    }

    private struct Scope: BitwiseCopyable {
        var name: UInt32
        var rings: InlineArray<3, Ring>
    }

    /// Lists of four and of eight, then the full rings of the three levels.
    private static let slabSizes = [4, 8] + Level.allCases.map { Int($0.size) }

    private var scopes: [Scope] = []
    /// Name id -> scope number plus one.
    private var index: [UInt32] = []
    private var slabs: [[Entry]] = Array(repeating: [], count: 5)
    private var freeSlabs: [[UInt32]] = Array(repeating: [], count: 5)
    /// Changed since `markClean`, each once.
    public private(set) var dirtyScopes: [Int] = []
    private var isDirty: [Bool] = []

    private let levels: [Level]

    /// Other levels than these are not kept and answer 0.
    public init(levels: [Level] = Level.allCases) {
        self.levels = levels
    }

    public var count: Int { scopes.count }

    public var memoryBytes: Int {
        scopes.count * (MemoryLayout<Scope>.stride + 1) + index.count * 4
            + slabs.reduce(0) { $0 + $1.count * MemoryLayout<Entry>.stride }
    }

    public mutating func add(_ nanos: Int64, name: UInt32, at unixNanos: Int64) {
        let scope = scope(of: name)
        for level in levels {
            add(nanos, to: level, of: scope, bucket: level.bucket(unixNanos))
        }
        if !isDirty[scope] {
            isDirty[scope] = true
            dirtyScopes.append(scope)
        }
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
        isDirty.append(false)
        index[Int(name)] = UInt32(scopes.count)
        for level in levels {
            scopes[scopes.count - 1].rings[level.rawValue].slab = allocate(0)
        }
        return scopes.count - 1
    }

    @inline(__always)
    private mutating func add(_ nanos: Int64, to level: Level, of scope: Int, bucket: UInt32) {
        let ring = scopes[scope].rings[level.rawValue]
        if ring.kind < 2 {
            addToList(nanos, level, scope, bucket)
        } else {
            addToFull(nanos, level, ring, bucket)
        }
    }

    @inline(__always)
    private mutating func addToFull(
        _ nanos: Int64, _ level: Level, _ ring: Ring, _ bucket: UInt32
    ) {
        let kind = Int(ring.kind)
        let at = Int(ring.slab) &* Int(level.size) &+ Int(bucket % level.size)
        let known = slabs[kind][at].bucket
        if known == bucket {
            slabs[kind][at].nanos &+= nanos
        } else if known < bucket {
            slabs[kind][at] = Entry(bucket: bucket, nanos: nanos)
        }
        // Else the bucket is older than the ring reaches: nothing ever reads it.
    }

    private mutating func addToList(
        _ nanos: Int64, _ level: Level, _ scope: Int, _ bucket: UInt32
    ) {
        var ring = scopes[scope].rings[level.rawValue]
        let kind = Int(ring.kind)
        let start = Int(ring.slab) &* Self.slabSizes[kind]
        var newest = bucket
        var at = Int(ring.count) &- 1
        while at >= 0 {
            let entry = slabs[kind][start &+ at]
            if entry.bucket == bucket {
                slabs[kind][start &+ at].nanos &+= nanos
                return
            }
            newest = max(newest, entry.bucket)
            at &-= 1
        }
        if bucket &+ level.size <= newest { return }
        if Int(ring.count) == Self.slabSizes[kind] {
            makeRoom(&ring, level, oldest: newest &- min(newest, level.size &- 1))
            scopes[scope].rings[level.rawValue] = ring
            if ring.kind >= 2 { return addToFull(nanos, level, ring, bucket) }
        }
        let room = Int(ring.slab) &* Self.slabSizes[Int(ring.kind)]
        slabs[Int(ring.kind)][room &+ Int(ring.count)] = Entry(bucket: bucket, nanos: nanos)
        ring.count &+= 1
        scopes[scope].rings[level.rawValue] = ring
    }

    /// Drops entries before `oldest` from a list; when none is, moves to the longer list or the
    /// full ring.
    private mutating func makeRoom(_ ring: inout Ring, _ level: Level, oldest: UInt32) {
        let kind = Int(ring.kind)
        let start = Int(ring.slab) * Self.slabSizes[kind]
        let entries = Array(slabs[kind][start..<start + Int(ring.count)])
        let kept = entries.filter { $0.bucket >= oldest }
        freeSlabs[kind].append(ring.slab)
        if kept.count == entries.count { ring.kind = kind == 0 ? 1 : UInt8(2 + level.rawValue) }
        ring.slab = allocate(Int(ring.kind))
        ring.count = 0
        for entry in kept {
            if ring.kind >= 2 {
                addToFull(entry.nanos, level, ring, entry.bucket)
            } else {
                let room = Int(ring.slab) * Self.slabSizes[Int(ring.kind)]
                slabs[Int(ring.kind)][room + Int(ring.count)] = entry
                ring.count += 1
            }
        }
    }

    private mutating func allocate(_ kind: Int) -> UInt32 {
        if let free = freeSlabs[kind].popLast() {
            let start = Int(free) * Self.slabSizes[kind]
            for at in start..<start + Self.slabSizes[kind] { slabs[kind][at] = .empty }
            return free
        }
        let slab = slabs[kind].count / Self.slabSizes[kind]
        slabs[kind].append(contentsOf: repeatElement(.empty, count: Self.slabSizes[kind]))
        return UInt32(slab)
    }

    /// Entries that hold nothing have bucket 0, which is before every event that a ring can reach.
    private func entries(of ring: Ring) -> ArraySlice<Entry> {
        let size = Self.slabSizes[Int(ring.kind)]
        let start = Int(ring.slab) * size
        return slabs[Int(ring.kind)][start..<start + (ring.kind < 2 ? Int(ring.count) : size)]
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
        for scope in dirtyScopes { isDirty[scope] = false }
        dirtyScopes.removeAll(keepingCapacity: true)
    }
}
