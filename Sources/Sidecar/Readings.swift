internal import Alerts
internal import Delivery
internal import Exposition
internal import Glibc
internal import Ledger
internal import Pricing
internal import Tail
internal import Usage

/// Takes the readings that a page of metrics needs from the rooms.
struct Readings: Sendable {
    let ledger: Ledger
    let databasePath: String
    let prices: Prices
    let names: Names
    let time: any TimeSource
    let recorder: AlertRecorder
    let deliverer: Deliverer
    let tail: FileTail

    func read() -> SelfReadings {
        var readings = SelfReadings()
        readings.version = Version.number
        readings.swiftVersion = Version.swift
        readings.queueEvents = ledger.queue.events
        readings.storeBytes =
            Self.size(of: databasePath) + Self.size(of: databasePath + "-wal")
        readings.dedupWindowNanos = ledger.dedupWindowNanos
        readings.dedupCount = ledger.dedupCount
        readings.isStoreWritable = ledger.isWritable
        let (lastReceived, sets) = ledger.withState { ($0.lastReceived, $0.setCount) }
        readings.series = sets
        readings.names = names.count
        readings.namesFolded = names.foldedCount
        let now = time.unixNanos
        readings.clockSkewNanos = max(0, lastReceived - now)
        readings.ingestLagNanos = lastReceived == 0 ? nil : max(0, now - lastReceived)
        let book = prices.pricer.book
        readings.catalogueIsCurrent = prices.isCurrent
        readings.catalogueModels = book.modelCount
        readings.catalogueSeconds = book.timestamp
        readings.alerts.raised = recorder.totals
        readings.alerts.delivery = deliverer.readings
        readings.tailUnread = tail.unreadBytes
        return readings
    }

    private static func size(of path: String) -> Int64 {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}
