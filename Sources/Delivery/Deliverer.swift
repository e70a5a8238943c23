public import Alerts
public import HTTPClient
public import Ledger
public import Logging
public import SQLite
internal import Synchronization
internal import Threading
public import Usage

/// What the deliverer needs from the rest of the process.
public struct DelivererServices: Sendable {
    public let transport: any HTTPTransport
    public let time: any TimeSource
    public let random: @Sendable () -> UInt64
    public let recorder: AlertRecorder
    /// A connection that sees what is committed.
    public let open: @Sendable () throws(SQLiteError) -> Database
    /// Runs a job in a transaction of the writer.
    public let write:
        @Sendable (_ job: @escaping StoreJob, _ completion: @escaping @Sendable (Bool) -> Void) ->
            Void
    /// Looked up when an alert is sent.
    public let top: @Sendable (_ alert: Alert, _ database: borrowing Database) -> [TopSpender]
    /// The page that shows an alert, by its id.
    public let link: @Sendable (_ alert: String) -> String?
    /// Whether costgauge does its work; no heartbeat otherwise.
    public let isHealthy: @Sendable () -> Bool
    public let log: Logger

    public init(
        transport: any HTTPTransport, time: any TimeSource,
        random: @escaping @Sendable () -> UInt64, recorder: AlertRecorder,
        open: @escaping @Sendable () throws(SQLiteError) -> Database,
        write:
            @escaping @Sendable (
                _ job: @escaping StoreJob, _ completion: @escaping @Sendable (Bool) -> Void
            ) -> Void,
        top: @escaping @Sendable (_ alert: Alert, _ database: borrowing Database) -> [TopSpender],
        link: @escaping @Sendable (_ alert: String) -> String?,
        isHealthy: @escaping @Sendable () -> Bool = { true }, log: Logger
    ) {
        self.transport = transport
        self.time = time
        self.random = random
        self.recorder = recorder
        self.open = open
        self.write = write
        self.top = top
        self.link = link
        self.isHealthy = isHealthy
        self.log = log
    }
}

/// Empties the outbox: reads what is pending, sends it when the queue says so, stores what became
/// of it. The outbox in the store is the truth; what is held here can be lost at any time.
public final class Deliverer: Sendable {
    /// At stop, requests under way get so long to be answered, and their states so long to be
    /// stored after that.
    static let stopNanos: UInt64 = 10_000_000_000
    static let storeNanos: UInt64 = 2_000_000_000
    /// The longest sleep.
    private static let idleNanos: UInt64 = 1_000_000_000

    private let services: DelivererServices
    public var recorder: AlertRecorder { services.recorder }
    private let inbox = DeliveryInbox()
    private let shared = Mutex(DeliveryReadings())
    private let receivers: Mutex<[Receiver]>
    private let thread = Mutex<NamedThread?>(nil)

    public init(
        receivers: [Receiver], heartbeat: HeartbeatSettings? = nil, services: DelivererServices
    ) {
        self.receivers = Mutex(receivers)
        self.services = services
        inbox.put {
            $0.receivers = receivers
            $0.heartbeat = .some(heartbeat)
        }
    }

    public func start() {
        thread.withLock { $0 = NamedThread("delivery") { [self] in run() } }
    }

    /// Sends nothing new, waits for what is under way and stores what became of it.
    public func stop() {
        inbox.put { $0.isStopping = true }
        thread.withLock { $0.take() }?.join()
    }

    public func configure(_ receivers: [Receiver], heartbeat: HeartbeatSettings? = nil) {
        self.receivers.withLock { $0 = receivers }
        inbox.put {
            $0.receivers = receivers
            $0.heartbeat = .some(heartbeat)
        }
    }

    /// New rows are in the outbox.
    public func notify() { inbox.put { $0.hasNew = true } }

    public var readings: DeliveryReadings { shared.withLock { $0 } }

    /// Sends a sample straight to one receiver; nil when there is no such receiver.
    public func test(
        _ receiver: String, completion: @escaping @Sendable (ReceiverTest.Outcome) -> Void
    ) -> Bool {
        guard let receiver = receivers.withLock({ $0.first { $0.name == receiver } }) else {
            return false
        }
        ReceiverTest(
            receiver: receiver, transport: services.transport, time: services.time,
            id: services.recorder.newID("alr_"), log: services.log
        ).run(completion)
        return true
    }

    public var receiverNames: [String] { receivers.withLock { $0.map(\.name) } }

    private func run() {
        let worker: DeliveryWorker
        do throws(SQLiteError) {
            worker = try DeliveryWorker(services: services, inbox: inbox)
        } catch {
            services.log.error("cannot read the outbox", ("cause", error.description))
            return
        }
        var stopBy: UInt64?
        var hasGivenUp = false
        while true {
            let sleepUntil = worker.turn()
            shared.withLock { $0 = worker.readings }
            let now = services.time.monotonicNanos
            if worker.isStopping {
                stopBy = stopBy ?? now + Self.stopNanos
                if worker.isIdle { return }
                if now >= stopBy ?? 0 {
                    if hasGivenUp { return }
                    hasGivenUp = true
                    stopBy = now + Self.storeNanos
                    worker.giveUpWaiting()
                    continue
                }
            }
            let sleep = min(Self.idleNanos, sleepUntil.map { $0 > now ? $0 - now : 0 } ?? .max)
            if sleep > 0 { inbox.wait(nanos: sleep) }
        }
    }
}

/// What other threads tell the deliverer.
final class DeliveryInbox: Sendable {
    struct Contents: Sendable {
        var results: [(Delivery, Receiver, HTTPClientOutcome)] = []
        /// Receivers that have answered a resend.
        var resent: [(Receiver, HTTPClientOutcome)] = []
        var heartbeats: [HTTPClientOutcome] = []
        var heartbeat: HeartbeatSettings??
        /// Sequences of deliveries whose state was stored or could not be, and whether it was.
        var stored: [(sequences: [Int64], isDurable: Bool)] = []
        var receivers: [Receiver]?
        var hasNew = true
        var hasDead = false
        var isStopping = false
    }

    private let contents = Mutex(Contents())
    private let wake = WakeSignal()

    func put(_ change: (inout sending Contents) -> Void) {
        contents.withLock { change(&$0) }
        wake.notify()
    }

    func take() -> Contents {
        contents.withLock { contents in
            defer {
                contents = Contents()
                contents.hasNew = false
            }
            return contents
        }
    }

    func wait(nanos: UInt64) { wake.wait(nanos: nanos) }
}
