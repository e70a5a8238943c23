import SelfMetrics
import Synchronization
import TestSupport
import Usage
import Wire

@testable import Intake

/// Takes batches as the ledger would and commits them at once.
final class CollectingSink: BatchSink {
    private let rows = Mutex<[(CostEvent, EventRows)]>([])
    private let isOpen = Mutex(true)

    var hasRoom: Bool { isOpen.withLock { $0 } }
    var isClosed: Bool { false }
    func checkout() -> EventBatch { EventBatch() }

    func checkoutEmpty() -> EventBatch { EventBatch() }
    func submit(together batches: [EventBatch]) { for batch in batches { submit(batch) } }
    func discard(_ batches: [EventBatch]) {}

    func submit(_ batch: EventBatch) {
        rows.withLock { rows in for event in batch.rows.events { rows.append((event, batch.rows)) }
        }
        for part in batch.parts { part.receipt.settle(accepted: part.range.count, duplicates: 0) }
    }

    var events: [(CostEvent, EventRows)] { rows.withLock { $0 } }
}

/// Reads bodies with a fixed clock and gives back what came out.
struct Harness {
    let sink = CollectingSink()
    let names: Names
    let time = ManualTime()
    let intake: EventIntake

    init(
        defaultTenant: String = "", namesMax: Int = NameTable.countMax,
        refusesUnpriced: Bool = false, price: @escaping PriceEvents = { _, _ in }
    ) {
        names = Names(hash: SeededHash(seed: 11), countMax: namesMax)
        intake = EventIntake(
            settings: IntakeSettings(
                defaultTenant: defaultTenant, refusesUnpriced: refusesUnpriced), names: names,
            hash: SeededHash(seed: 11), time: time, sink: sink, price: price,
            metrics: SelfMetrics(rejectReasons: []))
    }

    @discardableResult
    func read(_ body: [UInt8]) -> (report: IntakeReport, outcome: Receipt.Outcome) {
        let result = Mutex<(IntakeReport, Receipt.Outcome)?>(nil)
        var body = body
        intake.read(&body, from: .http) { report, outcome in
            result.withLock { $0 = (report, outcome) }
        }
        guard let value = result.withLock({ $0 }) else { fatalError("no completion") }
        return (value.0, value.1)
    }

    @discardableResult
    func read(_ body: String) -> IntakeReport { read(Array(body.utf8)).report }

    /// The text of a dimension of the nth event.
    func text(_ index: Int, _ field: KeyPath<CostEvent, NameID>) -> String {
        names.text(sink.events[index].0[keyPath: field])
    }

    /// The text that the nth event keeps as it is.
    func text(_ index: Int, _ field: KeyPath<CostEvent, TextRef>) -> String {
        let (event, rows) = sink.events[index]
        return rows.string(event[keyPath: field])
    }
}
