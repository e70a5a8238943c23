import TestSupport
import Testing
import Usage

@testable import Aggregation

@Suite struct SpendRingsTests {
    private let minute: Int64 = 60_000_000_000

    @Test func `random spend agrees with a plain list in every window`() {
        var random = SeededRandom(seed: 4)
        var rings = SpendRings()
        var model: [(name: NameID, nanos: Int64, at: Int64)] = []
        var now: Int64 = 1_795_168_800_000_000_000
        for _ in 0..<4000 {
            now += Int64(random.below(40)) * minute
            // Mostly now, sometimes late by minutes, hours or weeks.
            let lateness = [0, 0, 0, random.below(90), random.below(2000), random.below(60_000)]
            let at = now - Int64(random.pick(lateness)) * minute
            let entry = (
                name: NameID(2 + random.below(5)), nanos: Int64(random.below(1000)), at: at
            )
            model.append(entry)
            rings.add(entry.nanos, name: entry.name, at: entry.at)
            guard random.chance(5) else { continue }
            for scope in 0..<rings.count {
                for level in SpendRings.Level.allCases {
                    let count = UInt32(1 + random.below(Int(level.size)))
                    let last = level.bucket(now)
                    let expected = model.filter {
                        let bucket = level.bucket($0.at)
                        return $0.name == rings.name(of: scope) && bucket <= last
                            && bucket + count > last
                    }.reduce(0) { $0 + $1.nanos }
                    #expect(
                        rings.sum(level, last: count, of: scope, now: now).nanos == expected,
                        "\(level) \(count)")
                }
            }
        }
    }

    @Test func `what was stored comes back`() {
        var random = SeededRandom(seed: 5)
        var rings = SpendRings()
        let now: Int64 = 1_795_168_800_000_000_000
        for _ in 0..<500 {
            rings.add(
                Int64(random.below(99)), name: NameID(1 + random.below(3)),
                at: now - Int64(random.below(50_000)) * minute)
        }
        var restored = SpendRings()
        for scope in 0..<rings.count {
            restored.restore(rings.name(of: scope), blob: rings.blob(of: scope))
        }
        for scope in 0..<rings.count {
            for level in SpendRings.Level.allCases {
                #expect(
                    restored.sum(level, last: level.size, of: scope, now: now)
                        == rings.sum(level, last: level.size, of: scope, now: now))
            }
        }
        #expect(!rings.dirtyScopes.isEmpty)
        rings.markClean()
        #expect(rings.dirtyScopes.isEmpty)
        rings.add(1, name: 1, at: now)
        #expect(rings.dirtyScopes.count == 1)
    }

    @Test func `a value that is active once is small, one that always is stays bounded`() {
        let now: Int64 = 1_795_168_800_000_000_000
        var sparse = SpendRings()
        for name in 1...1000 { sparse.add(1, name: NameID(name), at: now) }
        #expect(sparse.memoryBytes / 1000 < 300)
        var dense = SpendRings()
        for step in 0..<5000 { dense.add(1, name: 1, at: now + Int64(step) * 13 * minute) }
        #expect(dense.memoryBytes < 16_384)
    }
}

@Suite struct LargestSumsTests {
    @Test func `the largest come out, largest first`() {
        var random = SeededRandom(seed: 6)
        for count in [0, 1, 3, 10, 100] {
            let sums = (0..<80).map { ($0, NanoUSD(nanos: Int64(random.below(40)))) }
            var largest = LargestSums(count: count)
            for (scope, sum) in sums { largest.insert(scope, sum) }
            let expected = sums.map(\.1.nanos).sorted(by: >).prefix(count)
            #expect(largest.sorted.map(\.1.nanos) == Array(expected))
        }
    }
}
