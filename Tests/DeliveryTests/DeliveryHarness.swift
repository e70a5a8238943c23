import Alerts
import HTTPClient
import JSON
import Ledger
import Logging
import SQLite
import Synchronization
import TestSupport
import Usage

@testable import Delivery

/// A transport that answers as a script says: at once, or when the test lets it.
final class ScriptedTransport: HTTPTransport {
    typealias Completion = @Sendable (HTTPClientOutcome) -> Void

    private struct State {
        var sent: [HTTPClientRequest] = []
        var held: [Completion] = []
        var script: @Sendable (HTTPClientRequest, Int) -> HTTPClientOutcome?
    }

    private let state: Mutex<State>

    /// A script that answers nil holds the request.
    init(_ script: @escaping @Sendable (HTTPClientRequest, Int) -> HTTPClientOutcome?) {
        state = Mutex(State(script: script))
    }

    func send(_ request: HTTPClientRequest, completion: @escaping Completion) {
        let outcome = state.withLock { state -> HTTPClientOutcome? in
            state.sent.append(request)
            let outcome = state.script(request, state.sent.count - 1)
            if outcome == nil { state.held.append(completion) }
            return outcome
        }
        if let outcome { completion(outcome) }
    }

    func release(_ outcome: HTTPClientOutcome) {
        let held = state.withLock { state in
            defer { state.held.removeAll() }
            return state.held
        }
        for completion in held { completion(outcome) }
    }

    var sent: [HTTPClientRequest] { state.withLock { $0.sent } }
    func answer(_ script: @escaping @Sendable (HTTPClientRequest, Int) -> HTTPClientOutcome?) {
        state.withLock { $0.script = script }
    }

    static let ok = HTTPClientOutcome.success(
        HTTPClientResponse(status: 200, body: Array("ok".utf8)))
    static func status(_ status: Int, retryAfter: String? = nil) -> HTTPClientOutcome {
        .success(HTTPClientResponse(status: status, retryAfter: retryAfter))
    }
}

/// A recorder, an outbox in a file and a worker that the test turns by hand.
final class DeliveryHarness {
    let place = TemporaryDirectory()
    let time = ManualTime()
    let transport: ScriptedTransport
    let recorder: AlertRecorder
    let database: Database
    private let store: Store
    private(set) var worker: DeliveryWorker
    private(set) var inbox: DeliveryInbox
    private(set) var receivers: [Receiver]
    private let random: @Sendable () -> UInt64

    /// The writer, as the worker sees it: jobs run at once, or fail while it is `isFull`.
    final class Store: Sendable {
        struct State {
            var isFull = false
            var isHealthy = true
        }
        let state = Mutex(State())
        let writer: Writer

        init(_ path: String) throws { writer = try Writer(path) }
    }

    /// Its connection, used under the lock of `Store.state` alone.
    final class Writer: @unchecked Sendable {
        let database: Database

        init(_ path: String) throws {
            database = try Database(path: path, mode: .readWrite)
            try database.execute("pragma synchronous = off")
        }
    }

    init(
        _ receivers: [Receiver], seed: UInt64 = 1,
        _ script: @escaping @Sendable (HTTPClientRequest, Int) -> HTTPClientOutcome? = { _, _ in
            ScriptedTransport.ok
        }
    ) throws {
        let generator = Mutex(SeededRandom(seed: seed))
        random = { generator.withLock { $0.next() } }
        transport = ScriptedTransport(script)
        recorder = AlertRecorder(
            router: AlertRouter(receivers: receivers.map(\.profile)), retentionNanos: 0,
            random: random, onDeliveries: {})
        database = try Database(path: place.path + "/outbox.db", mode: .readWrite)
        try database.execute("pragma journal_mode = wal; pragma synchronous = off")
        try database.execute(
            AlertSchema.version3 + AlertSchema.delivery + SilenceSchema.tables)
        self.receivers = receivers
        store = try Store(place.path + "/outbox.db")
        inbox = DeliveryInbox()
        worker = try Self.worker(
            place.path, transport, time, random, recorder, store, inbox, receivers)
    }

    private static func worker(
        _ path: String, _ transport: ScriptedTransport, _ time: ManualTime,
        _ random: @escaping @Sendable () -> UInt64, _ recorder: AlertRecorder, _ store: Store,
        _ inbox: DeliveryInbox, _ receivers: [Receiver]
    ) throws -> DeliveryWorker {
        inbox.put { $0.receivers = receivers }
        let services = services(path, transport, time, random, recorder, store) {
            inbox.put { $0.hasNew = true }
        }
        return try DeliveryWorker(services: services, inbox: inbox)
    }

    private static func services(
        _ path: String, _ transport: ScriptedTransport, _ time: ManualTime,
        _ random: @escaping @Sendable () -> UInt64, _ recorder: AlertRecorder, _ store: Store,
        _ hasNew: @escaping @Sendable () -> Void
    ) -> DelivererServices {
        let file = path + "/outbox.db"
        return DelivererServices(
            transport: transport, time: time, random: random, recorder: recorder,
            open: { () throws(SQLiteError) in try Database(path: file, mode: .readOnly) },
            write: { job, completion in
                let isDone = store.state.withLock { state -> Bool in
                    guard !state.isFull else { return false }
                    do {
                        try store.writer.database.execute("begin immediate")
                        try job(store.writer.database)
                        try store.writer.database.execute("commit")
                        return true
                    } catch { return false }
                }
                if isDone {
                    recorder.committed()
                    hasNew()
                }
                completion(isDone)
            },
            top: { _, _ in [TopSpender(dimension: "user", value: "u", cost: NanoUSD(nanos: 5))] },
            link: { "http://page/\($0)" },
            isHealthy: { store.state.withLock { $0.isHealthy } },
            log: Logger(level: .error, format: .logfmt, time: time, write: { _ in }))
    }

    /// A deliverer with its own thread on the same outbox.
    func deliverer() -> Deliverer {
        Deliverer(
            receivers: receivers,
            services: Self.services(place.path, transport, time, random, recorder, store) {})
    }

    /// A new process on the same outbox: what the old one had not stored is lost.
    func kill() throws {
        inbox = DeliveryInbox()
        worker = try Self.worker(
            place.path, transport, time, random, recorder, store, inbox, receivers)
    }

    func configure(_ receivers: [Receiver]) {
        self.receivers = receivers
        recorder.configure(AlertRouter(receivers: receivers.map(\.profile)))
        inbox.put { $0.receivers = receivers }
    }

    func beat(_ heartbeat: HeartbeatSettings?) { inbox.put { $0.heartbeat = .some(heartbeat) } }
    var isHealthy: Bool {
        get { store.state.withLock { $0.isHealthy } }
        set { store.state.withLock { $0.isHealthy = newValue } }
    }

    func fill(_ isFull: Bool) { store.state.withLock { $0.isFull = isFull } }

    /// Many alerts in one transaction.
    func raise(count: Int) throws {
        try write { database in
            for index in 0..<count {
                let alert = Alert(
                    id: self.recorder.newID("alr_"), dedupKey: "k\(index)",
                    kind: .budgetThreshold, severity: .warning, title: "title of k\(index)",
                    summary: "summary", startsAt: self.time.unixNanos)
                try self.recorder.raise(alert, in: database, now: self.time.unixNanos)
            }
        }
    }

    func raise(_ key: String, severity: Severity = .warning, id: String? = nil) throws {
        let alert = Alert(
            id: id ?? recorder.newID("alr_"), dedupKey: key, kind: .budgetThreshold,
            severity: severity, title: "title of \(key)", summary: "summary",
            startsAt: time.unixNanos)
        try write { try self.recorder.raise(alert, in: $0, now: self.time.unixNanos) }
    }

    func acknowledge(_ key: String, by: String) throws {
        try write {
            try self.recorder.acknowledge(key, by: by, in: $0, now: self.time.unixNanos)
        }
    }

    /// The part of the recorder that time alone moves.
    func tick() throws {
        guard recorder.isDue(now: time.unixNanos) else { return }
        try write { try self.recorder.tick(in: $0, now: self.time.unixNanos) }
    }

    func resolve(_ key: String) throws {
        try write { try self.recorder.resolve(key, "over", in: $0, now: self.time.unixNanos) }
    }

    private func write(_ body: (borrowing Database) throws -> Void) throws {
        try database.execute("begin immediate")
        try body(database)
        try database.execute("commit")
        recorder.committed()
        inbox.put { $0.hasNew = true }
    }

    /// Turns once after each step of time.
    func run(turns: Int, nanos: Int64) {
        for _ in 0..<turns {
            time.advance(nanos: nanos)
            _ = worker.turn()
        }
        settle()
    }

    /// Turns until nothing more happens at this moment.
    @discardableResult
    func settle() -> UInt64? {
        var next = worker.turn()
        for _ in 0..<3 { next = worker.turn() }
        return next
    }

    /// Lets time pass in steps no longer than the worker would sleep.
    func run(seconds: Int64, step: Int64 = 1) {
        settle()
        for _ in 0..<max(1, seconds / step) {
            time.advance(seconds: step)
            settle()
        }
    }

    func states() throws -> [String] {
        try DeliveryTable.list(
            state: nil, receiver: nil, alert: nil, before: nil, limit: 10_000, in: database
        ).reversed().map { "\($0.receiver) \($0.dedupKey) \($0.state.rawValue)" }
    }

    /// Rows of the outbox.
    func count(_ state: DeliveryState? = nil) throws -> Int {
        let condition = state.map { " where state = '\($0.rawValue)'" } ?? ""
        return Int(try database.integer("select count(*) from deliveries" + condition) ?? 0)
    }

    func delivery(_ key: String) throws -> Delivery? {
        try DeliveryTable.list(
            state: nil, receiver: nil, alert: nil, before: nil, limit: 10_000, in: database
        ).first { $0.dedupKey == key }
    }

    static func alertmanager(_ name: String) -> Receiver {
        Receiver(
            profile: ReceiverProfile(name: name, sendsResolved: true, groupsAlerts: true),
            kind: .alertmanager(url: Secret("http://\(name)/")))
    }

    static func teams(_ name: String) -> Receiver {
        Receiver(
            profile: ReceiverProfile(name: name), kind: .teams(url: Secret("http://\(name)/flow")))
    }

    static func email(_ name: String) -> Receiver {
        Receiver(
            profile: ReceiverProfile(name: name, sendsResolved: true),
            kind: .email(
                Receiver.Mailbox(
                    url: "smtp://\(name)", from: "costgauge@example.com",
                    to: ["a@example.com", "b@example.com"])))
    }

    static func webhook(_ name: String, secrets: [String] = [], resolved: Bool = false) -> Receiver
    {
        Receiver(
            profile: ReceiverProfile(name: name, sendsResolved: resolved),
            kind: .webhook(
                url: Secret("http://\(name)/hook"), secrets: secrets.map { Secret($0) }))
    }

    static func slack(_ name: String) -> Receiver {
        Receiver(
            profile: ReceiverProfile(name: name), kind: .slack(url: Secret("http://\(name)/slack")))
    }

    static func pagerDuty(_ name: String) -> Receiver {
        Receiver(
            profile: ReceiverProfile(
                name: name, sendsResolved: true, sendsAcknowledged: true),
            kind: .pagerDuty(url: "http://\(name)/v2/enqueue", routingKey: Secret("key")))
    }
}

extension HTTPClientRequest {
    var json: JSONValue { (try? JSONValue.read(body)) ?? .null }
    /// The alert's key, wherever this kind of receiver carries it.
    var dedupKey: String {
        json["dedup_key"]?.string ?? json["data"]?["dedup_key"]?.string ?? ""
    }
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
