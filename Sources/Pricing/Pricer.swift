internal import Synchronization
public import Usage

/// Prices the events of a batch from the current book. Rows are looked up once per (provider,
/// model) and remembered by their name ids.
public final class Pricer: Sendable {
    private struct State {
        var book: PriceBook
        var cache = PriceCache()
    }

    private let names: Names
    private let state: Mutex<State>

    public init(book: PriceBook, names: Names) {
        self.names = names
        state = Mutex(State(book: book))
    }

    public var book: PriceBook { state.withLock { $0.book } }

    /// Events that arrive from now on take their prices from `book`.
    public func replace(book: PriceBook) {
        state.withLock { $0 = State(book: book) }
    }

    /// Fills in amounts that the sender did not report. An event whose model has no price stays
    /// unpriced.
    public func price(_ rows: inout EventRows, _ range: Range<Int>) {
        state.withLock { state in
            for index in range {
                let event = rows.events[index]
                if event.amount != nil { continue }
                let isEstimated = Self.estimateTokens(&rows.events[index])
                let match = Self.find(event, names, &state)
                guard let match else { continue }
                let row = state.book.rows[match.row]
                let isCompute = event.isCompute
                let cost =
                    isCompute
                    ? row.cost(
                        computeMicros: event.computeMicros, vcpuMilli: event.vcpuMilli,
                        gibMilli: event.gibMilli)
                    : row.cost(of: rows.events[index].tokens)
                guard let cost else { continue }
                rows.events[index].amount = cost
                rows.events[index].costSource = isEstimated ? .estimated : .computed
                if event.provider == 0 { rows.events[index].provider = match.provider }
            }
        }
    }

    /// Four characters to a token, the rule of thumb of OpenAI's documentation for English text.
    private static func estimateTokens(_ event: inout CostEvent) -> Bool {
        guard event.tokens.input == 0, event.tokens.output == 0,
            event.textInputChars > 0 || event.textOutputChars > 0
        else { return false }
        event.tokens.input = event.textInputChars / 4 + (event.textInputChars % 4 > 0 ? 1 : 0)
        event.tokens.output = event.textOutputChars / 4 + (event.textOutputChars % 4 > 0 ? 1 : 0)
        return true
    }

    private static func find(
        _ event: CostEvent, _ names: Names, _ state: inout State
    ) -> PriceCache.Match? {
        // Sandboxes are priced by their resource, which takes the place of the model.
        let model = event.isCompute ? event.resource : event.model
        let key = UInt64(event.provider) << 32 | UInt64(model)
        if let known = state.cache.find(key) { return known.row < 0 ? nil : known }
        let provider = names.text(event.provider)
        let row =
            event.isCompute
            ? computeRow(provider: provider, resource: names.text(model), in: state.book)
            : state.book.find(provider: provider, model: names.text(model))
        let match = PriceCache.Match(
            row: row ?? -1, provider: row.map { names.intern(state.book.rows[$0].provider) } ?? 0)
        state.cache.insert(key, match)
        return match.row < 0 ? nil : match
    }

    private static func computeRow(
        provider: String, resource: String, in book: PriceBook
    ) -> Int? {
        let parts = resource.split(separator: ".", maxSplits: 1)
        let owner = provider.isEmpty ? parts.first.map(String.init) ?? "" : provider
        // `e2b.gpu` and other sizes have no published rate by vCPU and GiB.
        let kind = parts.count > 1 ? parts[1] : ""
        guard ["", "standard", "sandbox"].contains(kind) else { return nil }
        return book.rows.firstIndex { $0.provider == owner && $0.vcpuSecond != nil }
    }
}

/// (provider, model) as name ids -> row of the book. Open addressing, grown at half load; dropped
/// whole when callers invent models without end.
struct PriceCache {
    struct Match: Equatable {
        /// -1: looked up, and there is no price.
        let row: Int
        let provider: NameID
    }

    static let countMax = 65_536

    private var keys: [UInt64] = Array(repeating: 0, count: 256)
    private var matches: [Match] = Array(repeating: Match(row: -1, provider: 0), count: 256)
    private(set) var count = 0

    @inline(__always)
    func find(_ key: UInt64) -> Match? {
        // Keys are stored one higher, so that 0 marks a free slot.
        var slot = Self.slot(key, keys.count)
        while keys[slot] != 0 {
            if keys[slot] == key &+ 1 { return matches[slot] }
            slot = (slot &+ 1) & (keys.count &- 1)
        }
        return nil
    }

    mutating func insert(_ key: UInt64, _ match: Match) {
        if count >= Self.countMax { self = PriceCache() }
        if count * 2 >= keys.count { grow() }
        var slot = Self.slot(key, keys.count)
        while keys[slot] != 0 { slot = (slot + 1) & (keys.count - 1) }
        keys[slot] = key &+ 1
        matches[slot] = match
        count += 1
    }

    private mutating func grow() {
        let old = (keys, matches)
        keys = Array(repeating: 0, count: old.0.count * 2)
        matches = Array(repeating: Match(row: -1, provider: 0), count: keys.count)
        count = 0
        for (index, key) in old.0.enumerated() where key != 0 { insert(key &- 1, old.1[index]) }
    }

    @inline(__always)
    private static func slot(_ key: UInt64, _ count: Int) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 32) & (count &- 1)
    }
}
