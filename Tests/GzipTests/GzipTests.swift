import Foundation
import TestSupport
import Testing

@testable import Gzip

private func inflate(_ input: [UInt8], limit: Int = 1 << 20) throws(GzipError) -> [UInt8] {
    var output: [UInt8] = []
    try Inflater.inflate(input.span, into: &output, limit: limit)
    return output
}

private func deflate(_ input: [UInt8]) -> [UInt8] {
    var deflater = Deflater()
    var output: [UInt8] = []
    deflater.deflate(input.span, into: &output)
    return output
}

@Suite struct GzipTests {
    @Test func `what was deflated comes back`() throws {
        var random = SeededRandom(seed: 1)
        for size in [0, 1, 1000, 300_000] {
            let bytes = (0..<size).map { _ in UInt8(random.below(7)) }
            #expect(try inflate(deflate(bytes)) == bytes)
        }
    }

    @Test func `a deflater can be used again`() throws {
        var deflater = Deflater()
        for round in 0..<3 {
            var output: [UInt8] = []
            let bytes = [UInt8](repeating: UInt8(round), count: 5000)
            deflater.deflate(bytes.span, into: &output)
            #expect(try inflate(output) == bytes)
        }
    }

    @Test func `members in a row are one text`() throws {
        #expect(try inflate(deflate([1, 2]) + deflate([3]) + [0, 0, 0]) == [1, 2, 3])
    }

    @Test func `zlib streams are read too`() throws {
        // zlib.compress(b"hello")
        let bytes: [UInt8] = [
            0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x06, 0x2c, 0x02, 0x15,
        ]
        #expect(try inflate(bytes) == Array("hello".utf8))
    }

    @Test func `a bomb stops at the limit, and the limit itself is allowed`() throws {
        let bomb = deflate([UInt8](repeating: 0, count: 50_000_000))
        #expect(bomb.count < 300_000)
        #expect(throws: GzipError.tooLarge(limit: 1000)) { try inflate(bomb, limit: 1000) }
        #expect(try inflate(deflate([UInt8](repeating: 7, count: 1000)), limit: 1000).count == 1000)
        #expect(throws: GzipError.tooLarge(limit: 999)) {
            try inflate(deflate([UInt8](repeating: 7, count: 1000)), limit: 999)
        }
    }

    @Test func `damage is found`() {
        var bytes = deflate(Array("some text that is long enough to matter".utf8))
        #expect(throws: GzipError.truncated) { try inflate(Array(bytes.dropLast(9))) }
        #expect(throws: GzipError.truncated) { try inflate([]) }
        bytes[bytes.count - 5] ^= 1
        #expect(throws: GzipError.self) { try inflate(bytes) }
        #expect(throws: GzipError.self) { try inflate(Array("not gzip".utf8)) }
    }

    @Test func `mutated streams never trap`() {
        var random = SeededRandom(seed: 7)
        let good = deflate((0..<2000).map { UInt8($0 % 251) })
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0...random.below(4) {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            if random.chance(30) { bytes.removeLast(random.below(bytes.count)) }
            _ = try? inflate(bytes, limit: 100_000)
        }
    }
}
