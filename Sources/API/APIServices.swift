public import Access
public import Anomalies
public import Budgets
public import Delivery
public import Exposition
public import Intake
public import Ledger
public import LiteLLM
public import OTLP
public import SQLite
public import SelfMetrics
public import Usage

/// What the HTTP surface needs from the rest of the process.
public struct APIServices: Sendable {
    public let intake: EventIntake
    public let otlp: OTLPReceiver
    public let litellm: LiteLLMReceiver
    public let ledger: Ledger
    public let budgets: BudgetEngine
    public let reservations: Reservations
    /// Nil when nothing is watched.
    public let anomalies: AnomalyEngine?
    public let access: AccessControl
    public let deliverer: Deliverer
    public let metrics: SelfMetrics
    public let page: MetricsPage
    /// Renders `/metrics`, reads little, changes settings.
    public let control: WorkQueue
    /// Reads roll-ups, which takes seconds on a large store: nobody's scrape waits for it.
    public let queries: WorkQueue
    public let time: any TimeSource
    public let names: Names
    /// Fills in the amounts of events without one.
    public let price: PriceEvents
    /// A connection that sees what is committed.
    public let open: @Sendable () throws(SQLiteError) -> Database
    public let readings: @Sendable () -> SelfReadings
    public let reload: @Sendable () -> ReloadOutcome
    public let prices: PriceServices
    public let governance: GovernanceServices
    /// Which headers of a gateway say whose call it is.
    public var authzHeaders = AdmissionHeaders()

    public init(
        intake: EventIntake, otlp: OTLPReceiver, litellm: LiteLLMReceiver, ledger: Ledger,
        budgets: BudgetEngine, reservations: Reservations, anomalies: AnomalyEngine?,
        access: AccessControl,
        deliverer: Deliverer,
        metrics: SelfMetrics, page: MetricsPage, control: WorkQueue, queries: WorkQueue,
        time: any TimeSource,
        names: Names, price: @escaping PriceEvents,
        open: @escaping @Sendable () throws(SQLiteError) -> Database,
        readings: @escaping @Sendable () -> SelfReadings,
        reload: @escaping @Sendable () -> ReloadOutcome,
        prices: PriceServices, governance: GovernanceServices
    ) {
        self.intake = intake
        self.otlp = otlp
        self.litellm = litellm
        self.ledger = ledger
        self.budgets = budgets
        self.reservations = reservations
        self.anomalies = anomalies
        self.access = access
        self.deliverer = deliverer
        self.metrics = metrics
        self.page = page
        self.control = control
        self.queries = queries
        self.time = time
        self.names = names
        self.price = price
        self.open = open
        self.readings = readings
        self.reload = reload
        self.prices = prices
        self.governance = governance
    }

    /// Asks the store, on a connection of its own.
    func read<Result>(
        _ query: (borrowing Database) throws(SQLiteError) -> Result
    ) throws(APIError) -> Result {
        do throws(SQLiteError) {
            return try query(try open())
        } catch {
            throw APIError(
                status: 500, code: "store_unreadable",
                message: "the store cannot be read: \(error.description)")
        }
    }

    static let busy = APIError(
        status: 503, code: "busy", message: "too many requests wait; try again in a second",
        headers: [("Retry-After", "1")])

    static let unwritable = APIError(
        status: 503, code: "store_unwritable",
        message: "the store cannot write; nothing was changed; try again later",
        headers: [("Retry-After", "5")])
}
