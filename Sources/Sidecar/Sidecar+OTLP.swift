internal import Configuration
internal import Intake
internal import OTLP
internal import Pricing
internal import SelfMetrics
internal import Usage
internal import Wire

extension Sidecar {
    static func otlp(
        _ configuration: Configuration, _ intake: EventIntake, _ pricer: Pricer, _ hash: SeededHash,
        _ metrics: SelfMetrics, _ time: any TimeSource
    ) -> OTLPReceiver {
        OTLPReceiver(
            settings: configuration.otlpReceiver.settings, intake: intake, hash: hash,
            metrics: metrics, startedNanos: time.unixNanos,
            isPriced: {
                pricer.book.find(
                    provider: $0, model: $1, at: time.unixNanos / 1_000_000_000) != nil
            })
    }
}
