internal import Budgets
internal import Ledger
internal import Usage

// What the HTTP surface hands its requests to.
extension Sidecar {
    static func reservations(
        _ budgets: BudgetEngine, _ names: Names, _ ledger: Ledger,
        _ random: @escaping @Sendable () -> UInt64
    ) -> Reservations {
        Reservations(
            engine: budgets, names: names, time: ledger.time, random: random,
            isStoreWritable: { ledger.isWritable }
        ) { job, completion in
            ledger.write(job, completion: completion)
        }
    }
}
