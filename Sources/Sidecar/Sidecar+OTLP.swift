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
        _ metrics: SelfMetrics, _ marks: CounterMarks, _ time: any TimeSource
    ) -> OTLPReceiver {
        @Sendable func row(_ provider: String, _ model: String) -> PriceRow? {
            let book = pricer.book
            let found = book.find(
                provider: provider, model: model, at: time.unixNanos / 1_000_000_000)
            return found.map { book.rows[$0.row] }
        }
        let prices = PriceLookup(
            isKnown: { row($0, $1) != nil },
            areEqual: { provider, model, other in
                guard let left = row(provider, model), let right = row(provider, other) else {
                    return false
                }
                return left.hasPrices(of: right)
            })
        return OTLPReceiver(
            settings: configuration.otlpReceiver.settings, intake: intake, hash: hash,
            metrics: metrics, marks: marks, startedNanos: time.unixNanos, prices: prices)
    }
}
