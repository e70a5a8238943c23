internal import Gzip
public import HTTPClient
public import Logging
internal import Protobuf
public import SelfMetrics
internal import Synchronization
internal import Threading
public import Usage
public import Wire

/// Pushes the page to an OTLP receiver, again and again, on a thread of its own.
public final class OTLPPusher: Sendable {
    private struct State {
        var isStopped = false
        var told: [UInt64: DeltaTotal] = [:]
        var toldNanos: Int64
        var lastFault = ""
    }

    private enum Outcome {
        case taken
        case failed(retryAfterSeconds: UInt64?, cause: String)
        /// Asking again would give the same answer.
        case refused(cause: String)
    }

    private let settings: PushSettings
    private let version: String
    private let transport: any HTTPTransport
    private let time: any TimeSource
    private let random: @Sendable () -> UInt64
    private let page: @Sendable () -> [UInt8]
    private let hash: SeededHash
    private let metrics: SelfMetrics
    private let log: Logger
    private let startedNanos: Int64
    private let state: Mutex<State>
    private let wake = WakeSignal()
    private let thread = Mutex<NamedThread?>(nil)

    /// `page` renders the metrics as OpenMetrics with `_created` samples.
    public init(
        settings: PushSettings, version: String, transport: any HTTPTransport,
        time: any TimeSource, random: @escaping @Sendable () -> UInt64, hash: SeededHash,
        metrics: SelfMetrics, log: Logger, page: @escaping @Sendable () -> [UInt8]
    ) {
        self.settings = settings
        self.version = version
        self.transport = transport
        self.time = time
        self.random = random
        self.hash = hash
        self.metrics = metrics
        self.log = log
        self.page = page
        startedNanos = time.unixNanos
        state = Mutex(State(toldNanos: time.unixNanos))
    }

    public func start() {
        // What counters of the ledger show now, an earlier process has told as deltas.
        if settings.temporality == .delta { noteBaseline() }
        thread.withLock { $0 = NamedThread("otlp-push") { [self] in run() } }
    }

    /// Pushes once more, for what came since the last time, and joins the thread.
    public func stop() {
        state.withLock { $0.isStopped = true }
        wake.notify()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var schedule = PushSchedule(intervalNanos: settings.intervalNanos)
        var due = time.monotonicNanos + settings.intervalNanos
        while true {
            let isStopped = state.withLock { $0.isStopped }
            let now = time.monotonicNanos
            guard isStopped || now >= due else {
                wake.wait(nanos: min(due - now, 1_000_000_000))
                continue
            }
            let (isDone, retryAfterSeconds) = push()
            if isStopped { return }
            let delay =
                isDone
                ? schedule.succeeded()
                : schedule.failed(retryAfterSeconds: retryAfterSeconds, random: random())
            due = time.monotonicNanos + delay
        }
    }

    private func noteBaseline() {
        let (chunks, now) = encode()
        state.withLock { state in
            for chunk in chunks { Self.note(chunk, &state) }
            state.toldNanos = now
        }
    }

    private func encode() -> ([PushChunk], Int64) {
        let now = time.unixNanos
        let (told, toldNanos) = state.withLock { ($0.told, $0.toldNanos) }
        var encoder = MetricsEncoder(
            settings: settings, version: version, startedNanos: startedNanos, nowNanos: now,
            hash: hash, told: told, toldNanos: toldNanos)
        let page = page()
        return (encoder.encode(page.span), now)
    }

    private static func note(_ chunk: PushChunk, _ state: inout State) {
        for (series, total) in chunk.values { state.told[series] = total }
    }

    /// Collects and sends once. A delta that was not taken is part of the next one.
    func push() -> (isDone: Bool, retryAfterSeconds: UInt64?) {
        let (chunks, now) = encode()
        for chunk in chunks {
            switch send(chunk) {
            case .taken:
                metrics.countPush(isTaken: true)
                state.withLock { Self.note(chunk, &$0) }
            case .refused(let cause):
                fail(cause)
                state.withLock { Self.note(chunk, &$0) }
            case .failed(let seconds, let cause):
                fail(cause)
                return (false, seconds)
            }
        }
        let wasBroken = state.withLock { state in
            state.toldNanos = now
            defer { state.lastFault = "" }
            return !state.lastFault.isEmpty
        }
        if wasBroken { log.info("metrics are pushed again") }
        return (true, nil)
    }

    /// Told when it changes: a collector that is down for an hour is one line.
    private func fail(_ cause: String) {
        metrics.countPush(isTaken: false)
        let isNew = state.withLock { state in
            defer { state.lastFault = cause }
            return state.lastFault != cause
        }
        if isNew { log.warn("metrics were not pushed", ("cause", cause)) }
    }

    private func send(_ chunk: PushChunk) -> Outcome {
        switch waitForAnswer({ transport.send(request(chunk), completion: $0) }) {
        case .success(let response): return read(response)
        case .failure(let failure):
            return .failed(retryAfterSeconds: nil, cause: failure.description)
        }
    }

    private func request(_ chunk: PushChunk) -> HTTPClientRequest {
        var headers = [(name: "Content-Type", value: "application/x-protobuf")]
        for header in settings.headers {
            headers.append((name: header.name, value: header.value.reveal()))
        }
        var body = chunk.body
        if settings.isCompressed {
            var compressed: [UInt8] = []
            var deflater = Deflater()
            deflater.deflate(chunk.body.span, into: &compressed)
            body = compressed
            headers.append((name: "Content-Encoding", value: "gzip"))
        }
        // At the end nobody wants to wait for a receiver that is gone.
        let isLast = state.withLock { $0.isStopped }
        let millis = isLast ? min(settings.timeoutMillis, 2000) : settings.timeoutMillis
        return HTTPClientRequest(
            url: settings.url.reveal(), headers: headers, body: body,
            connectMillis: min(millis, 5000), totalMillis: millis)
    }

    /// Four codes ask for another attempt; all others are final.
    /// https://opentelemetry.io/docs/specs/otlp/#failures-1
    private func read(_ response: HTTPClientResponse) -> Outcome {
        switch response.status {
        case 200..<300:
            notePartialSuccess(response.body)
            return .taken
        case 429, 502, 503, 504:
            return .failed(
                retryAfterSeconds: response.retryAfter.flatMap { UInt64($0) },
                cause: "the receiver answered \(response.status)")
        default: return .refused(cause: "the receiver answered \(response.status)")
        }
    }

    private func notePartialSuccess(_ body: [UInt8]) {
        var rejected: UInt64 = 0
        var outer = ProtobufReader(0..<body.count)
        while let field = try? outer.next(body.span) {
            guard field.number == 1, let range = try? field.message() else { continue }
            var inner = ProtobufReader(range)
            while let part = try? inner.next(body.span) {
                if part.number == 1 { rejected = part.value }
            }
        }
        guard rejected > 0 else { return }
        metrics.countRejectedPoints(Int(clamping: rejected))
        log.warn("the receiver of metrics took only a part", ("rejected", "\(rejected)"))
    }
}
