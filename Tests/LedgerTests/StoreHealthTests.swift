import Foundation
import SQLite
import Synchronization
import TestSupport
import Testing

@testable import Ledger

@Suite struct StoreHealthTests {
    private let bound = StoreHealth.stallNanosMax

    @Test func `a transaction counts as failed once it takes longer than the bound, not before`() {
        let health = StoreHealth()
        #expect(health.isWritable(now: .max))
        for (isLong, bound) in [(false, bound), (true, StoreHealth.longStallNanosMax)] {
            health.begin(now: 1000, isLong: isLong)
            #expect(health.isWritable(now: 1000 + bound))
            #expect(!health.isWritable(now: 1001 + bound))
            // Read by another thread before the transaction began.
            #expect(health.isWritable(now: 999))
        }
        health.end()
        #expect(health.isWritable(now: .max))
    }

    @Test func `a refusal lasts until something was written, whatever begins meanwhile`() {
        let health = StoreHealth()
        #expect(!health.recover())
        health.begin(now: 1)
        health.fail()
        #expect(!health.isWritable(now: 1))
        health.begin(now: 2)
        health.end()
        #expect(!health.isWritable(now: 2))
        #expect(health.recover())
        #expect(health.isWritable(now: 2))
    }

    @Test func `a job that keeps the writer makes the store unwritable until its commit`() throws {
        let (place, time) = (TemporaryDirectory(), ManualTime())
        let harness = try LedgerHarness(path: place.path, time: time)
        defer { harness.stop() }
        let ledger = harness.ledger
        for (isLong, bound) in [(false, bound), (true, StoreHealth.longStallNanosMax)] {
            let (entered, mayGo, done) = (
                DispatchSemaphore(value: 0), DispatchSemaphore(value: 0),
                DispatchSemaphore(value: 0)
            )
            ledger.write(afterCheckpoint: isLong) { _ in
                entered.signal()
                mayGo.wait()
            } completion: { _ in
                done.signal()
            }
            entered.wait()
            time.advance(nanos: Int64(bound))
            #expect(ledger.isWritable)
            time.advance(nanos: 1)
            #expect(!ledger.isWritable)
            mayGo.signal()
            done.wait()
            #expect(ledger.isWritable)
        }
    }

    @Test func `after one refusal nothing else is tried in the same round`() throws {
        let place = TemporaryDirectory()
        let harness = try LedgerHarness(path: place.path)
        defer { harness.stop() }
        let ledger = harness.ledger
        let (entered, mayGo) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let told = Mutex<[String]>([])
        ledger.write { _ in
            entered.signal()
            mayGo.wait()
        }
        entered.wait()
        // Both wait for the next round.
        ledger.write { _ throws(SQLiteError) in
            throw SQLiteError(code: 13, message: "database or disk is full", attempt: "insert")
        } completion: { isDurable in
            told.withLock { $0.append("first \(isDurable)") }
            if ledger.isWritable { told.withLock { $0.append("writable") } }
        }
        ledger.write { _ in
            told.withLock { $0.append("second ran") }
        } completion: { isDurable in
            told.withLock { $0.append("second \(isDurable)") }
        }
        mayGo.signal()
        let isTold = eventually { told.withLock { $0.count >= 2 } }
        #expect(isTold)
        #expect(told.withLock { $0 } == ["first false", "second false"])
        // The writer finds out by itself that it was only that once.
        let isBack = eventually { ledger.isWritable }
        #expect(isBack)
    }
}
