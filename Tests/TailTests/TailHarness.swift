import Foundation
import Intake
import Ledger
import Logging
import SQLite
import SelfMetrics
import Store
import Synchronization
import TestSupport
import Testing
import Usage
import Wire

@testable import Tail

/// Tailed files on a real ledger, read when a test says so, with the test's own time.
final class TailHarness {
    let place: TemporaryDirectory
    let time: ManualTime
    let metrics = SelfMetrics(rejectReasons: RejectReason.allCases.map(\.rawValue))
    let files: TailedFiles
    private let ledger: Ledger
    /// Holds the lock until `stop`.
    private var directory: DataDirectory?

    /// - Parameter former: the one before a restart, which stops.
    init(_ name: String = "app.jsonl", after former: TailHarness? = nil) throws {
        former?.stop()
        place = former?.place ?? TemporaryDirectory()
        time = former?.time ?? ManualTime()
        try FileManager.default.createDirectory(
            atPath: place.path + "/logs", withIntermediateDirectories: true)
        let directory = try DataDirectory(path: place.path + "/data")
        let hash = SeededHash(seed: 5)
        let names = Names(hash: hash)
        let positions = TailPositions()
        let schema = Schema(migrations: [LedgerSchema.tables, TailSchema.tables])
        let heard = Heard()
        let log = Logger(level: .info, format: .logfmt, time: time) { heard.add($0) }
        self.heard = heard
        ledger = try Ledger(
            database: directory.openForWriting(schema: schema), settings: LedgerSettings(),
            retentionNanos: 0, names: names, hash: hash, time: time, metrics: metrics, log: log,
            participants: [positions])
        ledger.start()
        let intake = EventIntake(
            settings: IntakeSettings(defaultTenant: "t"), names: names, hash: hash, time: time,
            sink: QueueSink(ledger.queue), price: { _, _ in }, metrics: metrics)
        let ledger = ledger
        files = TailedFiles(
            sources: [TailSource(path: place.path + "/logs/" + name)], positions: positions,
            directory: place.path + "/data",
            services: TailServices(
                intake: intake, queue: QueueSink(ledger.queue), metrics: metrics, time: time,
                log: log,
                write: { job, completion in ledger.write(job, completion: completion) }))
        self.directory = directory
        files.resumeRotated()
    }

    deinit { stop() }

    /// Nothing can be committed any more.
    func endLedger() { ledger.stop() }

    private func stop() {
        guard directory != nil else { return }
        files.settle()
        ledger.stop()
        directory = nil
    }

    private let heard: Heard

    private final class Heard: Sendable {
        let lines = Mutex<[String]>([])
        func add(_ line: [UInt8]) {
            let text = String(decoding: line, as: UTF8.self)
            lines.withLock { $0.append(text) }
        }
    }

    func path(_ name: String = "app.jsonl") -> String { place.path + "/logs/" + name }

    /// Creates the file or writes behind its end.
    func append(_ text: String, to name: String = "app.jsonl") throws {
        let file = open(path(name), O_WRONLY | O_CREAT | O_APPEND, 0o644)
        try #require(file >= 0)
        defer { close(file) }
        #expect(write(file, text, text.utf8.count) == text.utf8.count)
    }

    func move(_ from: String, _ to: String) throws {
        try FileManager.default.moveItem(atPath: path(from), toPath: path(to))
    }

    /// Reads everything that is there, and waits for its commit.
    func read() {
        while files.pass() == 0 {}
    }

    /// Events that were accepted and lines that were rejected.
    var accepted: Int { count(.accepted) }
    var rejected: Int { count(.rejected) }

    private func count(_ outcome: EventOutcome) -> Int {
        metrics.snapshot.events.filter { $0.key.outcome == outcome }.values.reduce(0, +)
    }

    func logged(_ text: String) -> [String] {
        heard.lines.withLock { $0.filter { $0.contains(text) } }
    }
}

/// The ledger's queue as intake sees it.
private final class QueueSink: BatchSink {
    private let queue: EventQueue

    init(_ queue: EventQueue) { self.queue = queue }

    var hasRoom: Bool { queue.hasRoom }
    var isClosed: Bool { queue.isClosed }
    func checkout() -> EventBatch { queue.checkout() }
    func submit(_ batch: EventBatch) { queue.submit(batch) }
    func checkoutEmpty() -> EventBatch { queue.checkoutEmpty() }
    func submit(together batches: [EventBatch]) { queue.submit(together: batches) }
    func discard(_ batches: [EventBatch]) { queue.discard(batches) }
}
