public import Aggregation
public import Usage

/// The state of many scopes in numbers, for a page that shows them all: their names are looked up
/// by who writes them.
public struct BudgetReadings: Sendable {
    /// One scope in its current period.
    public struct Row: Sendable {
        /// Which of `budgets`.
        public let budget: Int
        /// The scope's values as ids in `names`, in the order of the budget's `each`.
        public let values: LabelKey
        public let limit: NanoUSD
        public let spent: NanoUSD
        /// Held for calls under way.
        public let reserved: NanoUSD
        /// In thousand-millionths of the limit, rounded down.
        public let utilizationNanos: Int64
        /// Bit n: threshold n of the definition is passed in this period. There are at most
        /// `BudgetDefinition.thresholdsMax`, 16.
        public let crossed: UInt16
        public let isBurning: Bool
        /// Unix seconds.
        public let periodEnd: Int64
    }

    public let budgets: [BudgetDefinition]
    /// Of the highest utilisation first.
    public var rows: [Row]
    public let names: Names
}

extension BudgetEngine {
    /// What `statuses` tells of the scopes of budgets whose dimensions are labels, in the same
    /// order.
    public func readings(countMax: Int) -> BudgetReadings {
        let (book, reserved) = snapshot
        let chosen = chosen(of: book, countMax: countMax, owner: nil) { budget in
            budget.each.allSatisfy(\.isLabel)
        }
        let tables = book.tables.span
        return BudgetReadings(
            budgets: book.tables.map(\.definition),
            rows: chosen.map { entry in
                tables[entry.place.table].reading(
                    of: entry, reserved: reserved[entry.place.table])
            }, names: names)
    }

    /// The scopes of the highest utilisation, that first, at most `countMax`.
    ///
    /// - Parameter owner: only scopes of this tenant.
    func chosen(
        of book: BudgetBook, countMax: Int, owner: NameID?,
        where isWanted: (BudgetDefinition) -> Bool
    ) -> ArraySlice<ChosenScope> {
        var chosen: [ChosenScope] = []
        for (index, table) in book.tables.enumerated() where isWanted(table.definition) {
            let place = table.definition.each.firstIndex(of: .tenant)
            let scopes = table.scopes.span
            for number in scopes.indices {
                if let owner, place.map({ scopes[number].values[$0] != owner }) ?? true { continue }
                let utilization = BudgetStatus.utilizationNanos(
                    spent: scopes[number].spent(in: table.current),
                    limit: scopes[number].limit(in: table.current, at: table.seenAt))
                chosen.append(
                    ChosenScope(
                        place: ScopePlace(table: index, scope: number), utilization: utilization))
            }
        }
        chosen.sort { ($1.utilization, $0.place) < ($0.utilization, $1.place) }
        return chosen.prefix(countMax)
    }
}

/// A scope with what it is chosen by.
struct ChosenScope {
    let place: ScopePlace
    let utilization: Int64
}

extension BudgetTable {
    fileprivate func reading(of chosen: ChosenScope, reserved: [Int64]) -> BudgetReadings.Row {
        let scopes = scopes.span
        let number = chosen.place.scope
        let period = scopes[number].index(of: current)
        return BudgetReadings.Row(
            budget: chosen.place.table, values: scopes[number].values,
            limit: scopes[number].limit(in: current, at: seenAt),
            spent: scopes[number].spent(in: current),
            reserved: NanoUSD(nanos: number < reserved.count ? reserved[number] : 0),
            utilizationNanos: chosen.utilization,
            crossed: period.map { scopes[number].periods[$0].crossed } ?? 0,
            isBurning: scopes[number].burn.isFiring,
            periodEnd: shown(current, at: seenAt).end)
    }
}

extension BudgetScope {
    func spent(in period: Period) -> NanoUSD {
        index(of: period).map { periods[$0].spent } ?? .zero
    }
}

extension PeriodSpend {
    /// Bit n: threshold n is passed.
    fileprivate var crossed: UInt16 {
        var bits: UInt16 = 0
        for index in states.indices where states[index].isCrossed { bits |= 1 << index }
        return bits
    }
}
