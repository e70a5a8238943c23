internal import Aggregation
internal import Synchronization
public import Usage

/// One scope of a budget as others see it.
public struct BudgetStatus: Equatable, Sendable {
    public let budget: BudgetDefinition
    public let scope: [(dimension: Dimension, value: String)]
    public let scopeText: String
    public let period: Period
    public let limit: NanoUSD
    public let spent: NanoUSD
    /// Held for calls under way.
    public let reserved: NanoUSD
    /// Thresholds of the definition that are passed in this period.
    public let crossed: [Bool]
    public let isBurning: Bool

    public var remaining: NanoUSD { NanoUSD(nanos: max(0, limit.nanos - spent.nanos)) }

    /// In thousand-millionths of the limit, rounded down.
    public var utilizationNanos: Int64 { Self.utilizationNanos(spent: spent, limit: limit) }

    static func utilizationNanos(spent: NanoUSD, limit: NanoUSD) -> Int64 {
        Int64(clamping: Int128(spent.nanos) * 1_000_000_000 / Int128(max(1, limit.nanos)))
    }

    public static func == (left: BudgetStatus, right: BudgetStatus) -> Bool {
        left.budget == right.budget && left.scopeText == right.scopeText
            && left.period == right.period && left.limit == right.limit
            && left.spent == right.spent && left.reserved == right.reserved
            && left.crossed == right.crossed
            && left.isBurning == right.isBurning
    }
}

extension BudgetEngine {
    public var definitions: [BudgetDefinition] {
        book.withLock { $0.tables.map(\.definition) }
    }

    /// Events whose scope found no room, by budget.
    public var refusedEvents: [(budget: String, events: Int64)] {
        book.withLock { $0.tables.map { ($0.definition.name, $0.refusedEvents) } }
    }

    /// The current period of every scope that `isWanted`, highest utilisation first, at most
    /// `countMax`.
    ///
    /// - Parameter tenant: only scopes that are this tenant's alone.
    public func statuses(
        countMax: Int, ofTenant tenant: String? = nil,
        where isWanted: (BudgetDefinition) -> Bool = { _ in true }
    ) -> [BudgetStatus] {
        places(countMax: countMax, ofTenant: tenant, where: isWanted).map(\.status)
    }

    func places(
        countMax: Int, ofTenant tenant: String?, where isWanted: (BudgetDefinition) -> Bool
    ) -> [(values: LabelKey, status: BudgetStatus)] {
        let (book, reserved) = snapshot
        let owner = tenant.map { names.find($0) ?? .max }
        return chosen(of: book, countMax: countMax, owner: owner, where: isWanted).map { entry in
            let (table, number) = (book.tables[entry.place.table], entry.place.scope)
            let scope = table.scopes[number]
            let held = reserved[entry.place.table]
            return (
                scope.values,
                status(table, scope, reserved: number < held.count ? held[number] : 0)
            )
        }
    }

    /// In one moment, so that what a call has spent is not also still reserved.
    var snapshot: (BudgetBook, [[Int64]]) {
        admission.withLock { state -> (BudgetBook, [[Int64]]) in
            let copy: BudgetBook = book.withLock { $0 }
            return (copy, state.reserved)
        }
    }

    func status(
        _ table: BudgetTable, _ scope: BudgetScope, reserved: Int64
    ) -> BudgetStatus {
        let spend = scope.spend(in: table.current)
        return BudgetStatus(
            budget: table.definition,
            scope: table.names.values(scope.values, each: table.definition.each),
            scopeText: scope.text, period: table.shown(table.current, at: table.seenAt),
            limit: scope.limit(in: table.current, at: table.seenAt),
            spent: spend?.spent ?? .zero, reserved: NanoUSD(nanos: reserved),
            crossed: table.definition.thresholds.indices.map {
                spend?.states[$0].isCrossed ?? false
            },
            isBurning: scope.burn.isFiring)
    }
}
