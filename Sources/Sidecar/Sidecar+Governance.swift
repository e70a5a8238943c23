internal import API
internal import Alerts
internal import Budgets
internal import Configuration
internal import Governance
internal import Logging
internal import SQLite
internal import Usage

extension Sidecar {
    /// Keeps who changed what.
    static func governance(_ configuration: Configuration, _ log: Logger) -> GovernanceLog {
        GovernanceLog(
            directory: configuration.storage.path,
            retentionNanos: configuration.storage.auditNanos, log: log)
    }

    static func governance(
        _ log: GovernanceLog, _ recorder: AlertRecorder, _ budgets: BudgetEngine,
        _ random: @escaping @Sendable () -> UInt64
    ) -> GovernanceServices {
        GovernanceServices(
            log: log, silences: recorder.silences, budgets: budgets.catalogue, random: random)
    }

    /// The budgets of the file and of the API.
    static func catalogue(_ configuration: Configuration, _ log: Logger) -> BudgetCatalogue {
        BudgetCatalogue(
            configured: configuration.budgets,
            onUnreadable: { name, fault in
                log.error(
                    "a stored budget is not understood and not in force", ("budget", name),
                    ("fault", fault))
            }, read: { Configuration.budget($0) })
    }

    /// What budgets do by themselves belongs into the audit, too.
    static func record(
        _ events: [BudgetEvent], _ log: GovernanceLog, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) {
        for event in events where event.kind == .paused {
            guard let scope = event.scope.first else { continue }
            try log.record(
                GovernanceEvent(
                    at: now, who: GovernanceEvent.itself, action: .scopePause,
                    target: "scopes/\(scope.dimension)/\(scope.value)",
                    reason: "\(event.budget.name) ran over its limit"), in: database)
        }
    }
}
