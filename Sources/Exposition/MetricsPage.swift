public import Anomalies
public import Budgets
internal import Gzip
public import Ledger
public import SelfMetrics
internal import Synchronization
internal import Threading
public import Usage

/// Renders `/metrics`. Label text is kept between scrapes; scrapes take turns.
public final class MetricsPage: Sendable {
    private struct State: ~Copyable {
        var ledger: LedgerPage
        var deflater: Deflater?
        /// What the last page had: the next one has room for a little more at once, instead of
        /// moving again and again as it grows.
        var bytesLast = 0
        var restBytesLast = 0
        /// Since the first large page.
        var side: SideThread?
    }

    private let state: Mutex<State>
    private let writesCreated: Bool
    /// Smaller pages travel as they are: gzip would not pay.
    static let gzipBytesMin = 1024
    private static let spareBytes = 128 * 1024
    /// From this size on two threads share the work of a page: a smaller one takes little longer
    /// than waking the second does.
    private static let sharedBytesMin = 1 << 20

    /// - Parameter bytesLast: the size of the page before.
    static func isSharedWork(bytesLast: Int) -> Bool { bytesLast >= sharedBytesMin }

    public init(labels: [Dimension], names: Names, writesCreated: Bool) {
        self.writesCreated = writesCreated
        state = Mutex(State(ledger: LedgerPage(labels: labels, names: names), deflater: nil))
    }

    public struct Rendered: Sendable {
        public let bytes: [UInt8]
        public let contentType: String
        public let isGzip: Bool
    }

    /// The page as of now; everything committed before the call is in it.
    public func render(
        _ format: ExpositionFormat, gzip: Bool, ledger: Ledger, budgets: BudgetEngine,
        anomalies: AnomalyReadings, metrics: SelfMetrics, readings: SelfReadings
    ) -> Rendered {
        let snapshot = ledger.snapshot()
        let own = SelfPage(
            readings: readings, metrics: metrics.snapshot, foldedCount: snapshot.foldedCount,
            samplesUsed: snapshot.samplesUsed)
        let budgetPage = BudgetPage(engine: budgets, samplesMax: snapshot.samplesLeft)
        let alerts = AlertPage(readings: readings.alerts, now: ledger.now)
        let writesCreated = writesCreated
        return state.withLock { state in
            state.ledger.extend(to: snapshot)
            var page = PageWriter(
                format: format, writesCreated: writesCreated,
                bytesExpected: state.bytesLast + state.bytesLast / 16 + Self.spareBytes)
            let rest = PageRest(
                ledger: state.ledger, snapshot: snapshot, budgets: budgetPage, alerts: alerts,
                anomalies: AnomalyPage(readings: anomalies), own: own)
            if !Self.isSharedWork(bytesLast: state.bytesLast) {
                state.ledger.writeUsage(snapshot, to: &page)
                rest.write(to: &page)
            } else {
                let expected = state.restBytesLast + state.restBytesLast / 16
                let side = state.side ?? SideThread("page")
                state.side = side
                let (_, bytes) = side.run {
                    var page = PageWriter(
                        format: format, writesCreated: writesCreated, bytesExpected: expected)
                    rest.write(to: &page)
                    return page.bytes
                } first: {
                    state.ledger.writeUsage(snapshot, to: &page)
                }
                page.bytes += bytes
                state.restBytesLast = bytes.count
            }
            page.end()
            state.bytesLast = page.bytes.count
            guard gzip, page.bytes.count >= Self.gzipBytesMin else {
                return Rendered(
                    bytes: page.bytes, contentType: format.contentType, isGzip: false)
            }
            var compressed: [UInt8] = []
            var deflater = state.deflater.take() ?? Deflater()
            deflater.deflate(page.bytes.span, into: &compressed)
            state.deflater = consume deflater
            return Rendered(bytes: compressed, contentType: format.contentType, isGzip: true)
        }
    }
}

/// What follows the counters of label sets, in its order.
private struct PageRest {
    let ledger: LedgerPage
    let snapshot: LedgerSnapshot
    let budgets: BudgetPage
    let alerts: AlertPage
    let anomalies: AnomalyPage
    let own: SelfPage

    func write(to page: inout PageWriter) {
        ledger.writeRest(snapshot, to: &page)
        budgets.write(to: &page)
        alerts.write(to: &page)
        anomalies.write(to: &page)
        own.write(to: &page)
    }
}
