import Foundation
import Logging
import SQLite
import SelfMetrics
import Store
import Synchronization
import TestSupport
import Usage
import Wire

@testable import Aggregation
@testable import Ledger

/// A ledger on a real store, fed with batches.
final class LedgerHarness {
    static let schema = Schema(migrations: [LedgerSchema.tables])

    let path: String
    /// Holds the lock until `stop`.
    private var directory: DataDirectory?
    let ledger: Ledger
    let names: Names
    let metrics = SelfMetrics(rejectReasons: [])
    let hash = SeededHash(seed: 77)

    init(
        path: String, settings: LedgerSettings = LedgerSettings(),
        time: any TimeSource = ManualTime(), retentionNanos: Int64 = 0, log: Logger? = nil
    ) throws {
        self.path = path
        let directory = try DataDirectory(path: path)
        names = Names(hash: hash)
        ledger = try Ledger(
            database: directory.openForWriting(schema: Self.schema), settings: settings,
            retentionNanos: retentionNanos, names: names, hash: hash, time: time, metrics: metrics,
            log: log ?? Logger(level: .error, format: .logfmt, time: time))
        ledger.start()
        self.directory = directory
    }

    func stop() {
        ledger.stop()
        directory = nil
    }

    /// Commits the events and answers what became of them.
    @discardableResult
    func commit(
        _ events: [CostEvent], ids: [String] = [], folded: [[String: String]] = []
    ) -> Receipt.Outcome {
        let result = Mutex<Receipt.Outcome?>(nil)
        let receipt = Receipt { outcome in result.withLock { $0 = outcome } }
        var start = 0
        repeat {
            let batch = ledger.queue.checkout()
            let first = batch.count
            while batch.room > 0, start < events.count {
                var event = events[start]
                if start < ids.count {
                    let id = Array(ids[start].utf8)
                    event.id = batch.rows.append(id.span)
                    if event.identity == 0 {
                        let tenant = Array(names.text(event.tenant).utf8)
                        event.identity = hash.wide(id.span, domain: hash.narrow(tenant.span))
                    }
                }
                if EventDetail.isNeeded(event) {
                    event.detail = EventDetail.write(
                        event, resource: names.text(event.resource), to: &batch.rows)
                }
                if start < folded.count {
                    event.detail = EventDetail.write(
                        event, resource: "", folded: folded[start].map { ($0.key, $0.value) },
                        to: &batch.rows)
                }
                batch.rows.events.append(event)
                start += 1
            }
            receipt.expectBatch()
            batch.parts.append(EventBatch.Part(range: first..<batch.count, receipt: receipt))
            ledger.queue.submit(batch)
        } while start < events.count
        receipt.close()
        while result.withLock({ $0 == nil }) { usleep(200) }
        return result.withLock { $0 } ?? Receipt.Outcome()
    }

    func event(
        _ tenant: String, _ model: String, cost: Int64?, at: Int64 = 1_795_168_800_000_000_000
    )
        -> CostEvent
    {
        var event = CostEvent()
        event.timestamp = at
        event.received = at
        event.tenant = names.intern(tenant)
        event.provider = names.intern("openai")
        event.model = names.intern(model)
        event.tokens.input = 3
        event.amount = cost.map { NanoUSD(nanos: $0) }
        event.costSource = cost == nil ? .unpriced : .reported
        return event
    }

    /// Everything that the page would show, by label text.
    func sums() -> [String: [Int64]] {
        let names = names
        return ledger.withState { state in
            var sums: [String: [Int64]] = [:]
            func add(_ family: String, _ table: LabelSetTable, _ width: Int) {
                for row in 0..<table.count {
                    let labels = (0..<width).map { names.text(table.keys[row][$0]) }
                    sums[family + ":" + labels.joined(separator: ",")] = Array(table.row(row))
                }
            }
            add("usage", state.usage.table, state.settings.labels.count)
            add("unpriced", state.unpriced.table, 2)
            add("failed", state.failedCost.table, 2)
            add("request", state.requestCost.table, 2)
            for rings in state.rings {
                for scope in 0..<rings.rings.count {
                    sums["ring:\(rings.dimension):\(names.text(rings.rings.name(of: scope)))"] =
                        SpendRings.Level.allCases.map {
                            rings.rings.sum(
                                $0, last: $0.size, of: scope, now: 1_795_168_800_000_000_000
                            )
                            .nanos
                        }
                }
            }
            sums["totals"] = [
                state.grandTotal, state.tokenTotal, state.appliedSeq, state.usage.foldedCount,
                Int64(state.budget.used),
            ]
            return sums
        }
    }

    /// A copy of the files as a crash at this instant would leave them.
    func crashImage() throws -> TemporaryDirectory {
        let copy = TemporaryDirectory()
        for name in ["costgauge.db", "costgauge.db-wal"] {
            let file = path + "/" + name
            if FileManager.default.fileExists(atPath: file) {
                try FileManager.default.copyItem(atPath: file, toPath: copy.path + "/" + name)
            }
        }
        return copy
    }

    /// Batches of random events with some ids repeated, and the sums they should give.
    func feed(seed: UInt64, batches: Int) -> Int64 {
        var random = SeededRandom(seed: seed)
        var total: Int64 = 0
        var seen = Set<String>()
        for _ in 0..<batches {
            var events: [CostEvent] = []
            var ids: [String] = []
            for _ in 0..<1 + random.below(1500) {
                let cost: Int64? = random.chance(95) ? Int64(random.below(1_000_000)) : nil
                var event = event(
                    "t\(random.below(40))", "m\(random.below(30))", cost: cost,
                    at: 1_795_168_800_000_000_000 - Int64(random.below(3_000_000)) * 1_000_000_000)
                event.feature = names.intern("f\(random.below(20))")
                event.user = names.intern("u\(random.below(500))")
                event.status = random.chance(90) ? .ok : random.pick(Status.allCases)
                event.tokens.output = UInt32(random.below(100))
                event.tokens.reasoning = UInt32(random.below(2)) * event.tokens.output
                let id = "id\(random.below(batches * 700))"
                events.append(event)
                ids.append(id)
                if seen.insert("\(event.tenant)/\(id)").inserted { total += cost ?? 0 }
            }
            commit(events, ids: ids)
        }
        return total
    }
}

/// The first few entries that two sets of sums do not share.
func difference(_ left: [String: [Int64]], _ right: [String: [Int64]]) -> [String] {
    Set(left.keys).union(right.keys).filter { left[$0] != right[$0] }.sorted().prefix(5).map {
        "\($0): \(left[$0].map { "\($0)" } ?? "none") or \(right[$0].map { "\($0)" } ?? "none")"
    }
}
