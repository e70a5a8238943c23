public import Aggregation
public import Usage

/// The counters by label set: cost, tokens by kind, requests by status.
///
/// Past the sample budget new label sets fold, features first, then models and providers, tenants
/// last; the sums stay exact and only the breakdown is lost.
public struct UsageSeries: Sendable {
    /// The columns of a row.
    public enum Slot {
        public static let cost = 0
        /// What re-pricing took back; cost minus credit equals the ledger.
        public static let credit = 1
        public static func tokens(_ kind: TokenKind) -> Int { 2 + Int(kind.rawValue) }
        public static func requests(_ status: Status) -> Int { 9 + Int(status.rawValue) }
        static let samples = 14
        /// One bit per sample that has its place on the page.
        public static let shown = 14
        static let width = 15
    }

    /// Cost, input, output and ok: what a set usually shows, taken from the budget when it appears.
    private static let prepaid = 4

    public private(set) var table = LabelSetTable(valueWidth: Slot.width)
    /// Increments that went to a folded set instead of one of their own.
    public internal(set) var foldedCount: Int64 = 0
    private let foldSteps: [[Int]]
    private let width: Int

    init(labels: [Dimension]) {
        width = labels.count
        foldSteps = Self.foldSteps(labels)
    }

    /// Which labels each step folds: first all but the four main ones and feature, then model and
    /// provider, then the rest.
    static func foldSteps(_ labels: [Dimension]) -> [[Int]] {
        func indexes(_ matches: (Dimension) -> Bool) -> [Int] {
            labels.indices.filter { matches(labels[$0]) }
        }
        let first = indexes { ![.tenant, .model, .provider].contains($0) }
        let second = indexes { [.model, .provider].contains($0) }
        let third = indexes { $0 == .tenant }
        return [first, first + second, first + second + third]
    }

    @inline(__always)
    mutating func add(_ event: CostEvent, key: LabelKey, budget: inout SampleBudget) {
        let row = row(key, at: event.received, &budget)
        if event.isAdjustment { return adjust(event.cost, row, &budget) }
        var amounts = InlineArray<14, Int64>(repeating: 0)
        var slots: Int64 = 0
        if let amount = event.amount {
            amounts[Slot.cost] = amount.nanos
            slots |= 1 << Int64(Slot.cost)
        }
        let tokens = event.tokens
        func set(_ kind: TokenKind) {
            let count = tokens.disjoint(kind)
            guard count > 0 else { return }
            amounts[Slot.tokens(kind)] = Int64(count)
            slots |= 1 &<< Int64(Slot.tokens(kind))
        }
        set(.input)
        set(.cachedInput)
        set(.cacheWrite)
        set(.output)
        set(.reasoning)
        set(.audioInput)
        set(.audioOutput)
        amounts[Slot.requests(event.status)] = 1
        slots |= 1 &<< Int64(Slot.requests(event.status))
        // Mostly every sample has its place already.
        if table.add(amounts, ifLastHas: slots, of: row) { return }
        for slot in 0..<Slot.samples where slots >> Int64(slot) & 1 != 0 {
            add(amounts[slot], slot, row, &budget)
        }
    }

    /// Counters only rise: what is taken back has one of its own.
    private mutating func adjust(_ nanos: Int64, _ row: Int, _ budget: inout SampleBudget) {
        add(abs(nanos), nanos < 0 ? Slot.credit : Slot.cost, row, &budget)
    }

    @inline(__always)
    mutating func row(_ key: LabelKey, at time: Int64, _ budget: inout SampleBudget) -> Int {
        table.find(key) ?? newRow(key, time, &budget)
    }

    @inline(__always)
    mutating func add(_ amount: Int64, _ slot: Int, _ row: Int, _ budget: inout SampleBudget) {
        let bit = Int64(1) &<< Int64(slot)
        if table.value(Slot.shown, of: row) & bit == 0 {
            let target = place(slot, row, &budget)
            table.add(amount, to: slot, of: target)
        } else {
            table.add(amount, to: slot, of: row)
        }
    }

    /// Gives a sample its place, or names the folded row that takes its amounts.
    private mutating func place(_ slot: Int, _ row: Int, _ budget: inout SampleBudget) -> Int {
        let shown = table.value(Slot.shown, of: row)
        let folded = foldedKey(table.keys[row], step: foldSteps.count - 1)
        let isLast = table.keys[row] == folded
        if isLast || shown.nonzeroBitCount < Self.prepaid || budget.take(1, .second) {
            table.add(1 << Int64(slot), to: Slot.shown, of: row)
            return row
        }
        foldedCount += 1
        let last =
            table.find(folded) ?? append(folded, .all, table.created[row], &budget)
        let bit = Int64(1) << Int64(slot)
        if table.value(Slot.shown, of: last) & bit == 0 { table.add(bit, to: Slot.shown, of: last) }
        return last
    }

    private mutating func newRow(
        _ key: LabelKey, _ time: Int64, _ budget: inout SampleBudget
    ) -> Int {
        if budget.take(Self.prepaid, .full) { return table.append(key, created: time) }
        foldedCount += 1
        for (step, level) in zip(foldSteps.indices, [SampleBudget.Level.first, .second, .all]) {
            let folded = foldedKey(key, step: step)
            if let known = table.find(folded) { return known }
            if step == foldSteps.count - 1 { return append(folded, .all, time, &budget) }
            if folded != key, budget.take(Self.prepaid, level) {
                return table.append(folded, created: time)
            }
        }
        preconditionFailure("BUG: the last fold step refused a label set")
    }

    private mutating func append(
        _ key: LabelKey, _ level: SampleBudget.Level, _ time: Int64, _ budget: inout SampleBudget
    ) -> Int {
        _ = budget.take(Slot.samples, level)
        return table.append(key, created: time)
    }

    private func foldedKey(_ key: LabelKey, step: Int) -> LabelKey {
        var folded = key
        for index in foldSteps[step] where folded[index] != 0 { folded[index] = NameTable.other }
        // Nothing that could be told apart is left: also sets without some label meet here.
        if step == foldSteps.count - 1 {
            for index in 0..<width { folded[index] = NameTable.other }
        }
        return folded
    }

    mutating func restore(_ key: LabelKey, _ row: [Int64], created time: Int64) {
        table.restore(key, row, created: time)
    }

    mutating func markClean() { table.markClean() }
    mutating func markAllDirty() { table.markAllDirty() }
}
