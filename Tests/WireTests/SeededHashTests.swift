import Testing
import Wire

@Suite struct SeededHashTests {
    private let hash = SeededHash(seed: 42)

    @Test func `equal bytes have equal hashes and the seed changes them`() {
        for length in 0..<70 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            #expect(hash.narrow(bytes.span) == hash.narrow(bytes.span))
            #expect(hash.narrow(bytes.span) != SeededHash(seed: 43).narrow(bytes.span))
            #expect(hash.wide(bytes.span, domain: 1) != hash.wide(bytes.span, domain: 2))
        }
    }

    @Test func `every byte and the length count`() {
        for length in 1..<70 {
            let bytes = [UInt8](repeating: 7, count: length)
            let whole = hash.wide(bytes.span, domain: 0)
            for index in bytes.indices {
                var changed = bytes
                changed[index] ^= 1
                #expect(hash.wide(changed.span, domain: 0) != whole)
                #expect(hash.narrow(changed.span) != hash.narrow(bytes.span))
            }
            #expect(hash.wide((bytes + [7]).span, domain: 0) != whole)
        }
    }

    @Test func `many ids share no 128-bit hash and spread over 64 bits`() {
        var wide = Set<UInt128>()
        var low = [Int](repeating: 0, count: 256)
        for number in 0..<200_000 {
            let id = Array("evt_\(number)".utf8)
            wide.insert(hash.wide(id.span, domain: 9))
            low[Int(hash.narrow(id.span) & 255)] += 1
        }
        #expect(wide.count == 200_000)
        // 781 expected in each of 256 slots, standard deviation 28.
        #expect(low.allSatisfy { (600...960).contains($0) })
    }
}
