import Testing

@testable import Anomalies

@Suite struct ShapeDetectorTests {
    @Test(arguments: ["generic_errors", "generic_latency", "generic_sawtooth"])
    func `the reference vectors: the same scores and decisions`(_ name: String) throws {
        let expected = try Dictionary(
            uniqueKeysWithValues: Vectors.rows(name + ".out").map { (Int($0.number("index")), $0) })
        var detector = ShapeDetector()
        for (index, row) in try Vectors.rows(name + ".in").enumerated() {
            let reading = detector.step(time: row.number("time"), value: row.number("value"))
            guard let want = expected[index] else {
                #expect(!reading.isAlert, "\(name) \(index)")
                continue
            }
            let place: Comment = "\(name) \(index)"
            #expect(want["alert"] == (reading.isAlert ? "1" : "0"), place)
            #expect(want["direction"] == (reading.isUp ? "1" : "-1"), place)
            #expect(want["cause"] == reading.cause.rawValue, place)
            #expect(Vectors.agree(reading.score, want["score"]), place)
            #expect(Vectors.agree(reading.expected, want["expected"]), place)
            #expect(Vectors.agree(reading.shift, want["shift_q"]), place)
            #expect(Vectors.agree(reading.range, want["range_q"]), place)
        }
        #expect(expected.values.contains { $0["alert"] == "1" })
    }

    @Test func `a state is 480 bytes and goes on where it was stored`() throws {
        #expect(MemoryLayout<ShapeDetector>.size == 480)
        var through = ShapeDetector()
        var restored = ShapeDetector()
        for (index, row) in try Vectors.rows("generic_latency.in").enumerated() {
            let one = through.step(time: row.number("time"), value: row.number("value"))
            let two = restored.step(time: row.number("time"), value: row.number("value"))
            #expect(one.score == two.score && one.expected == two.expected)
            guard index % 97 == 0 else { continue }
            var bytes: [UInt8] = []
            restored.append(to: &bytes)
            restored = try #require(ShapeDetector(bytes))
        }
        #expect(ShapeDetector([]) == nil)
        #expect(ShapeDetector(Array(repeating: 0xff, count: 480)) == nil)
    }
}
