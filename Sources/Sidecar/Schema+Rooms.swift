internal import Alerts
internal import Anomalies
internal import Budgets
internal import Governance
internal import Ledger
internal import OTLP
internal import PriceFiles
public import Store
internal import Tail

extension Schema {
    /// The steps of all rooms, in the order in which they were released.
    public static let current = Schema(migrations: [
        LedgerSchema.version1, BudgetSchema.version2, AlertSchema.version3,
        AdmissionSchema.version4, TailSchema.tables,
        AnomalySchema.version4,
        Adjustments.tables,
        StoredPricesTable.tables,
        LedgerSchema.spendSums,
        LedgerSchema.batches,
        AlertSchema.delivery,
        LimitSchema.tables,
        GovernanceSchema.tables + SilenceSchema.tables + FeatureTable.tables,
        CounterSchema.tables,
        ConfiguredBudgets.tables,
    ])
}
