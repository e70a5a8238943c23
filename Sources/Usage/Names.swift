internal import Synchronization
public import Wire

/// The dictionary of dimension values: each distinct text has one id, for good.
///
/// Readers and the writer share one. A caller locks it once per batch, not per event: the lock
/// costs more than a look-up.
public final class Names: Sendable {
    private let table: Mutex<NameTable>

    public init(hash: SeededHash, countMax: Int = NameTable.countMax) {
        table = Mutex(NameTable(hash: hash, countMax: countMax))
    }

    public func withTable<Result, Failure: Error>(
        _ body: (inout sending NameTable) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try table.withLock(body)
    }

    public func text(_ id: NameID) -> String { table.withLock { $0.text(id) } }

    /// All texts with ids greater than this one, in the order of ids.
    public func texts(after id: NameID) -> [[UInt8]] {
        table.withLock { table in
            guard table.last > id else { return [] }
            return (id + 1...table.last).map { id in
                var text: [UInt8] = []
                table.append(id, to: &text)
                return text
            }
        }
    }

    /// A dictionary with nothing in it and the same hash.
    public func emptied(countMax: Int = NameTable.countMax) -> Names {
        let (hash, limit) = table.withLock { ($0.hash, $0.limit) }
        return Names(hash: hash, countMax: min(countMax, limit))
    }

    public var count: Int { table.withLock { Int($0.last) } }
    /// Values that found no room and became `__other__`.
    public var foldedCount: Int64 { table.withLock { $0.foldedCount } }

    public func intern(_ text: String) -> NameID {
        table.withLock { $0.intern(Array(text.utf8).span) }
    }

    /// The id of a text that has occurred, or nil.
    public func find(_ text: String) -> NameID? {
        table.withLock { $0.find(Array(text.utf8).span) }
    }
}

/// Open addressing over 64-bit seeded hashes; the texts lie end to end in one array:
///
///     slots   [ hash high 32 | id ]  ->  starts[id] ..< starts[id + 1]  ->  bytes
///
/// A slot costs 8 bytes at a load of at most one half, an entry 4 bytes and its text: about 24
/// bytes and the text per name.
public struct NameTable: Sendable {
    /// Past this many names new values become `__other__`: memory stays bounded, sums stay exact.
    /// Values of which there may be one a call (users, tags) stop at seven eighths, so that
    /// tenants, providers and models still find room.
    public static let countMax = 4_000_000
    public static let other: NameID = 1
    public static let otherText = "__other__"

    let hash: SeededHash
    let limit: Int
    private var slots: [UInt64]
    private var starts: [UInt32]
    private var bytes: [UInt8]
    private(set) var foldedCount: Int64 = 0

    init(hash: SeededHash, countMax: Int) {
        self.hash = hash
        limit = min(countMax, Self.countMax)
        slots = Array(repeating: 0, count: 1024)
        // Id 0 is the absent name; it is never looked up.
        starts = [0, 0]
        bytes = []
        _ = intern(Array(Self.otherText.utf8).span)
    }

    /// The highest id given out; ids are dense from 1.
    public var last: NameID { NameID(starts.count - 2) }
    public var memoryBytes: Int { slots.count * 8 + starts.count * 4 + bytes.count }

    /// The id of a text, new or known; `other` when the table is full. Empty text is absent.
    public mutating func intern(_ text: Span<UInt8>, isCommon: Bool = true) -> NameID {
        guard !text.isEmpty else { return 0 }
        return intern(text, hash: hash.narrow(text), isCommon: isCommon)
    }

    /// The seeded hash that looks a text up.
    public func hash(of text: Span<UInt8>) -> UInt64 { hash.narrow(text) }

    /// With the hash of the text at hand.
    public mutating func intern(
        _ text: Span<UInt8>, hash key: UInt64, isCommon: Bool
    ) -> NameID {
        var slot = Int(truncatingIfNeeded: key) & (slots.count &- 1)
        while true {
            let entry = slots[slot]
            if entry == 0 { break }
            let id = NameID(truncatingIfNeeded: entry)
            if entry >> 32 == key >> 32, matches(id, text) { return id }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        let room = isCommon ? limit : limit - limit / 8
        guard Int(last) < room, bytes.count + text.count < Int(UInt32.max) else {
            foldedCount += 1
            return Self.other
        }
        bytes.append(copying: text)
        starts.append(UInt32(bytes.count))
        slots[slot] = (key & ~0xffff_ffff) | UInt64(last)
        if Int(last) * 2 > slots.count { grow() }
        return last
    }

    public func find(_ text: Span<UInt8>) -> NameID? {
        guard !text.isEmpty else { return nil }
        let key = hash.narrow(text)
        var slot = Int(truncatingIfNeeded: key) & (slots.count &- 1)
        while slots[slot] != 0 {
            let id = NameID(truncatingIfNeeded: slots[slot])
            if slots[slot] >> 32 == key >> 32, matches(id, text) { return id }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return nil
    }

    public func text(_ id: NameID) -> String {
        String(decoding: bytes[range(id)], as: UTF8.self)
    }

    public func append(_ id: NameID, to output: inout [UInt8]) {
        output.append(contentsOf: bytes[range(id)])
    }

    private func range(_ id: NameID) -> Range<Int> {
        precondition(id <= last, "BUG: name \(id) of \(last)")
        return Int(starts[Int(id)])..<Int(starts[Int(id) + 1])
    }

    private func matches(_ id: NameID, _ text: Span<UInt8>) -> Bool {
        let range = range(id)
        guard range.count == text.count else { return false }
        var at = range.lowerBound
        for index in text.indices {
            if bytes[at] != text[index] { return false }
            at &+= 1
        }
        return true
    }

    private mutating func grow() {
        var wider = [UInt64](repeating: 0, count: slots.count * 2)
        for id in 1...last {
            let range = range(id)
            let key = hash.narrow(bytes.span.extracting(range))
            var slot = Int(truncatingIfNeeded: key) & (wider.count - 1)
            while wider[slot] != 0 { slot = (slot + 1) & (wider.count - 1) }
            wider[slot] = (key & ~0xffff_ffff) | UInt64(id)
        }
        slots = wider
    }
}
