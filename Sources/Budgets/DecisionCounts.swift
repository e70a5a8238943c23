/// How often each budget said what. A budget that is defined anew goes on counting, and one that is
/// gone keeps its counts: those of a process never go back.
struct DecisionCounts: Sendable {
    private struct Row: Sendable {
        let budget: String
        var counts = InlineArray<6, Int>(repeating: 0)
    }

    private var rows: [Row] = []
    /// By table.
    private var places: [Int] = []

    /// - Parameter budgets: the names of those in force, by table.
    mutating func define(_ budgets: [String]) {
        places = budgets.map { budget in
            if let known = rows.firstIndex(where: { $0.budget == budget }) { return known }
            rows.append(Row(budget: budget))
            return rows.count - 1
        }
    }

    mutating func add(_ verdict: AdmissionVerdict, isEnforced: Bool, table: Int) {
        rows[places[table]].counts[Self.column(verdict, isEnforced: isEnforced)] += 1
    }

    private static func column(_ verdict: AdmissionVerdict, isEnforced: Bool) -> Int {
        isEnforced || verdict == .allow ? verdict.rank : 3 + verdict.rank
    }

    /// What has been said; `would_deny` where a budget only observes.
    var all: [(budget: String, decision: String, count: Int)] {
        rows.flatMap { row in
            AdmissionVerdict.allCases.flatMap { verdict in
                [true, false].map { isEnforced in
                    (
                        row.budget, (isEnforced ? "" : "would_") + verdict.rawValue,
                        isEnforced || verdict != .allow
                            ? row.counts[Self.column(verdict, isEnforced: isEnforced)] : 0
                    )
                }
            }
        }.filter { $0.2 > 0 }
    }
}
