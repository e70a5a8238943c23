internal import Configuration
internal import Governance
internal import Logging

extension Sidecar {
    /// Keeps who changed what.
    static func governance(_ configuration: Configuration, _ log: Logger) -> GovernanceLog {
        GovernanceLog(
            directory: configuration.storage.path,
            retentionNanos: configuration.storage.auditNanos, log: log)
    }
}
