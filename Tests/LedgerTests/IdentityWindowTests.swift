import TestSupport
import Testing

@testable import Ledger

@Suite struct IdentityWindowTests {
    private let second: Int64 = 1_000_000_000

    private func hash(_ number: Int) -> UInt128 {
        // Few distinct low bits, so that slots collide.
        UInt128(UInt64(number) &* 0x9e37_79b9_7f4a_7c15) << 64 | UInt128(UInt64(number % 37))
    }

    @Test func `P2 an id is new once`() {
        var window = IdentityWindow(countMax: 1000, ageNanosMax: 60 * second)
        let results = [1, 2, 1, 3, 2].map { window.insert(hash($0)) }
        #expect(results == [true, true, false, true, false])
        #expect(window.count == 3)
    }

    @Test func `P2 random insertions, failed commits and ageing agree with a plain list`() {
        var random = SeededRandom(seed: 99)
        var window = IdentityWindow(countMax: 300, ageNanosMax: 50 * second)
        var model: [(hash: UInt128, time: Int64)] = []
        var now: Int64 = 1000 * second
        for round in 0..<4000 {
            window.forgetOld(now: now)
            // Ages are kept by the second: what is surely too old must go, what is surely young
            // must stay.
            while let oldest = model.first, !window.contains(oldest.hash) {
                #expect(oldest.time <= now - 50 * second, "round \(round)")
                model.removeFirst()
            }
            if let oldest = model.first { #expect(oldest.time > now - 52 * second) }
            var inserted: [UInt128] = []
            for _ in 0..<random.below(12) {
                let id = hash(random.below(900))
                let isNew = window.insert(id)
                let expected = !model.contains { $0.hash == id } && !inserted.contains(id)
                #expect(isNew == expected, "round \(round)")
                if isNew { inserted.append(id) }
            }
            if random.chance(15) {
                window.rollBack(inserted.count)
                continue
            }
            model += inserted.map { ($0, now) }
            window.settle(now: now)
            if model.count > 300 { model.removeFirst(model.count - 300) }
            #expect(window.count == model.count)
            now += Int64(random.below(3)) * second
        }
    }

    @Test func `the window shrinks when ids are crowded out and says so`() {
        var window = IdentityWindow(countMax: 10, ageNanosMax: 3600 * second)
        #expect(window.windowNanos(now: 0) == 3600 * second)
        for number in 0..<20 {
            _ = window.insert(hash(number))
            window.settle(now: Int64(number) * 10 * second)
        }
        // The youngest forgotten id came at 90 s.
        #expect(window.windowNanos(now: 200 * second) == 110 * second)
        #expect(window.count == 10)
    }

    @Test func `memory starts small and stays near its figure`() {
        var window = IdentityWindow(countMax: 100_000, ageNanosMax: 3600 * second)
        #expect(window.memoryBytes < 64 * 1024)
        for number in 0..<150_000 {
            _ = window.insert(UInt128(UInt64(number) &* 0x9e37_79b9_7f4a_7c15))
            if number % 1000 == 0 { window.settle(now: Int64(number) * second / 1000) }
        }
        #expect(window.count <= 100_000 + 1000)
        #expect(window.memoryBytes / 100_000 < 60)
    }
}
