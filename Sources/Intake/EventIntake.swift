internal import JSON
public import SelfMetrics
internal import Synchronization
public import Usage
public import Wire

public struct IntakeSettings: Equatable, Sendable {
    /// Stands in for a missing tenant; empty: a tenant is required.
    public var defaultTenant: String
    /// Events for which there is no price are not taken.
    public var refusesUnpriced: Bool

    public init(defaultTenant: String, refusesUnpriced: Bool = false) {
        self.defaultTenant = defaultTenant
        self.refusesUnpriced = refusesUnpriced
    }
}

/// What reading one body gave, before its commit.
public struct IntakeReport: Equatable, Sendable {
    /// More rejections than this are counted, not listed.
    public static let rejectionsMax = 1000

    /// Events that went on to the ledger.
    public var read = 0
    public var rejections: [Rejection] = []
    public var rejectedCount = 0
    public var reasons: [RejectReason: Int] = [:]
    /// Rejections that are broken text; when they are all there is, nothing could be read.
    public var textFaults = 0
    /// Events dated more than an hour back; they are taken.
    public var late = 0
    /// Names in events that are no fields of ours: ignored, and told to the sender.
    public var unknownFields: [String] = []

    public init() {}

    /// Every event was read, and there is nothing to tell the sender about any.
    public var isPlain: Bool { rejectedCount == 0 && unknownFields.isEmpty }
}

/// Reads bodies of cost events into batches. Any thread may call it; readers are reused.
public final class EventIntake: Sendable {
    private struct State {
        var settings: IntakeSettings
        /// Made for the first body after a change of the settings.
        var defaultTenant: DefaultTenant?
    }

    /// With its event's number it is still an id.
    public static let idempotencyKeyBytesMax = 200

    private let state: Mutex<State>
    private let names: Names
    private let hash: SeededHash
    private let time: any TimeSource
    private let sink: any BatchSink
    private let price: PriceEvents
    private let metrics: SelfMetrics
    private let readers = Mutex<[ReaderBox]>([])

    /// `hash` must be the one that the ledger's deduplication uses.
    public init(
        settings: IntakeSettings, names: Names, hash: SeededHash, time: any TimeSource,
        sink: any BatchSink, price: @escaping PriceEvents, metrics: SelfMetrics
    ) {
        state = Mutex(State(settings: settings, defaultTenant: nil))
        self.names = names
        self.hash = hash
        self.time = time
        self.sink = sink
        self.price = price
        self.metrics = metrics
    }

    /// False when the ledger's queue is full.
    public var hasRoom: Bool { sink.hasRoom }
    /// True once the ledger takes nothing any more.
    public var isClosed: Bool { sink.isClosed }

    /// Stands in for a missing tenant; empty: none does.
    public var defaultTenant: String { state.withLock { $0.settings.defaultTenant } }

    /// Takes effect with the next body.
    public func configure(_ settings: IntakeSettings) {
        state.withLock { $0 = State(settings: settings, defaultTenant: nil) }
    }

    /// Reads one event, an array or NDJSON. The good events are on their way when it returns;
    /// `completion` runs once, with the report, when they are durable or could not be.
    ///
    /// `body` gets the JSON padding appended; its content is not needed afterwards.
    ///
    /// - Parameters:
    ///   - tenant: the only one whose events are taken; those without one become its.
    ///   - key: names the body, so that it can be sent again: events without an id get one of it
    ///     and their place in the body. At most `idempotencyKeyBytesMax` bytes.
    public func read(
        _ body: inout [UInt8], from source: SelfMetrics.Source, tenant: String? = nil,
        key: [UInt8]? = nil,
        completion: @escaping @Sendable (IntakeReport, Receipt.Outcome) -> Void
    ) {
        _ = read(
            &body, from: source, into: sink, isLines: false, tenant: tenant, key: key,
            completion: completion)
    }

    /// Reads whole lines of a file, one event each. The batches go to `sink`, which may not be the
    /// ledger's queue: whoever tails a file adds the position to them.
    public func read(
        lines body: inout [UInt8], from source: SelfMetrics.Source, into sink: any BatchSink,
        completion: @escaping @Sendable (IntakeReport, Receipt.Outcome) -> Void
    ) -> IntakeReport {
        read(&body, from: source, into: sink, isLines: true, completion: completion)
    }

    private func read(
        _ body: inout [UInt8], from source: SelfMetrics.Source, into sink: any BatchSink,
        isLines: Bool, tenant: String? = nil, key: [UInt8]? = nil,
        completion: @escaping @Sendable (IntakeReport, Receipt.Outcome) -> Void
    ) -> IntakeReport {
        let length = body.count
        JSONIndexer.pad(&body)
        let (receipt, reportBox) = receipt(from: source, completion)
        let reader = readers.withLock { $0.popLast() } ?? ReaderBox()
        var session = session(receipt, into: sink, isLines: isLines, tenant: tenant)
        session.key = key
        reader.reader.read(body.span, length: length, into: &session)
        reportBox.report = session.report
        readers.withLock { $0.append(reader) }
        // Until now the receipt waited for this thread, so the report was not yet looked at.
        receipt.close()
        return session.report
    }
}

extension EventIntake {
    /// Takes the events that `fill` adds; they were decoded elsewhere. They are on their way when
    /// it returns; `completion` runs once, when they are durable or could not be.
    ///
    /// - Parameter marks: of the counters whose increase the events are, kept with all of them or
    ///   with none.
    /// - Returns: false when there was no event to keep the marks with.
    @discardableResult
    public func feed(
        from source: SelfMetrics.Source, marks: [CounterMark] = [],
        _ fill: (inout EventFeed) -> Void,
        completion: @escaping @Sendable (IntakeReport, Receipt.Outcome) -> Void
    ) -> Bool {
        let (receipt, reportBox) = receipt(from: source, completion)
        let unit = marks.isEmpty ? nil : UnitSink(sink)
        var feed = EventFeed(session: session(receipt, into: unit ?? sink, isLines: false))
        fill(&feed)
        feed.finish()
        reportBox.report = feed.session.report
        let batches = unit?.take() ?? []
        batches.last?.marks = marks
        if !batches.isEmpty { sink.submit(together: batches) }
        receipt.close()
        return !batches.isEmpty
    }

    private func session(
        _ receipt: Receipt, into sink: any BatchSink, isLines: Bool, tenant owner: String? = nil
    ) -> ReadSession {
        let owner = owner.map { Array($0.utf8) }
        let (known, refusesUnpriced) = state.withLock {
            ($0.defaultTenant, $0.settings.refusesUnpriced)
        }
        return ReadSession(
            names: names, hash: hash, sink: sink, price: price, receipt: receipt,
            now: time.unixNanos,
            defaultTenant: owner.map(tenant) ?? known ?? makeDefaultTenant(),
            isLines: isLines, refusesUnpriced: refusesUnpriced, owner: owner)
    }

    private func makeDefaultTenant() -> DefaultTenant {
        let settings = state.withLock { $0.settings }
        let made = tenant(Array(settings.defaultTenant.utf8))
        state.withLock { state in
            if state.settings == settings { state.defaultTenant = made }
        }
        return made
    }

    /// An empty name interns as 0: no default.
    private func tenant(_ name: [UInt8]) -> DefaultTenant {
        names.withTable { table in
            DefaultTenant(id: table.intern(name.span), hash: table.hash(of: name.span))
        }
    }

    private func receipt(
        from source: SelfMetrics.Source,
        _ completion: @escaping @Sendable (IntakeReport, Receipt.Outcome) -> Void
    ) -> (Receipt, ReportBox) {
        let reportBox = ReportBox()
        let metrics = metrics
        let receipt = Receipt { outcome in
            Self.count(reportBox.report, outcome, from: source, in: metrics)
            completion(reportBox.report, outcome)
        }
        return (receipt, reportBox)
    }

    private static func count(
        _ report: IntakeReport, _ outcome: Receipt.Outcome, from source: SelfMetrics.Source,
        in metrics: SelfMetrics
    ) {
        metrics.count(
            accepted: outcome.accepted, duplicates: outcome.duplicates,
            failed: report.read - outcome.accepted - outcome.duplicates, from: source)
        for (reason, count) in report.reasons {
            metrics.count(rejected: count, reason: reason.rawValue, from: source)
        }
        metrics.count(lateEvents: report.late)
    }
}

/// A reader at rest or in the hands of one thread; the mutex over the pool orders the hand-over.
private final class ReaderBox: @unchecked Sendable {
    var reader = EventReader()
}

/// Written by the reading thread before `Receipt.close`, read by the completion after it; the
/// receipt's mutex orders the two.
private final class ReportBox: @unchecked Sendable {
    var report = IntakeReport()
}
