import Testing

@testable import Anomalies

@Suite struct SpendDetectorTests {
    @Test(
        arguments: [
            ("spend_hourly_medium", 3600), ("spend_hourly_sparse", 3600),
            ("spend_5min_batch", 300),
        ] as [(String, Int64)])
    func `the reference vectors: the same numbers and decisions`(
        _ name: String, _ bucket: Int64
    ) throws {
        let model = SpendModel(bucketSeconds: bucket)
        let expected = try Dictionary(
            uniqueKeysWithValues: Vectors.rows(name + ".out").map { (Int($0.number("index")), $0) })
        var detector = SpendDetector()
        var alerts = 0
        for (index, row) in try Vectors.rows(name + ".in").enumerated() {
            let reading = detector.step(
                start: Int64(row.number("time")), cost: row.number("cost"),
                events: row.number("events"), largest: row.number("largest"), model)
            if reading.alert != nil { alerts += 1 }
            guard let want = expected[index] else {
                #expect(reading.alert == nil, "\(name) \(index)")
                continue
            }
            check(reading, want, "\(name) \(index)")
        }
        #expect(alerts == expected.values.filter { $0["alert"] == "1" }.count)
        #expect(alerts > 1)
    }

    private func check(_ reading: SpendReading, _ want: [String: String], _ place: Comment) {
        let alert = reading.alert
        #expect(want["alert"] == (alert == nil ? "0" : "1"), place)
        #expect(want["direction"] == "\(alert?.direction.rawValue ?? 0)", place)
        #expect(want["severity"] == alert?.grade.word ?? "none", place)
        #expect(want["why"] == alert?.why ?? "", place)
        #expect(want.number("horizon_hours") == alert?.horizonHours ?? 0, place)
        #expect(Vectors.agree(reading.expected, want["expected"]), place)
        for (index, hours) in [1, 6, 24, 72].enumerated() {
            #expect(Vectors.agree(reading.z[index], want["z\(hours)"]), place)
            #expect(Vectors.agree(reading.ratio[index], want["ratio\(hours)"]), place)
        }
    }

    @Test func `a state is 768 bytes and goes on where it was stored`() throws {
        #expect(MemoryLayout<SpendDetector>.size == 768)
        let model = SpendModel(bucketSeconds: 3600)
        var through = SpendDetector()
        var restored = SpendDetector()
        for (index, row) in try Vectors.rows("spend_hourly_medium.in").enumerated() {
            func step(_ detector: inout SpendDetector) -> SpendReading {
                detector.step(
                    start: Int64(row.number("time")), cost: row.number("cost"),
                    events: row.number("events"), largest: row.number("largest"), model)
            }
            let (one, two) = (step(&through), step(&restored))
            #expect(one.alert == two.alert)
            #expect(one.expected == two.expected)
            guard index % 97 == 0 else { continue }
            var bytes: [UInt8] = []
            restored.append(to: &bytes)
            #expect(bytes.count == SpendDetector.stateBytes)
            restored = try #require(SpendDetector(bytes))
        }
        #expect(SpendDetector(Array(repeating: 0, count: 767)) == nil)
        #expect(SpendDetector(Array(repeating: 0xff, count: 768)) == nil)
    }

    @Test func `after years of silence a series starts afresh instead of dividing by nothing`() {
        let model = SpendModel(bucketSeconds: 86_400)
        var detector = SpendDetector()
        var start: Int64 = 1_767_225_600
        for index in 0..<6000 {
            let cost = index < 30 || index > 5900 ? 10.0 : 0
            let reading = detector.step(start: start, cost: cost, events: cost, model)
            #expect(reading.expected.isFinite && reading.z[0].isFinite)
            start += 86_400
        }
        let reading = detector.step(start: start, cost: 10, events: 10, model)
        #expect((5...20).contains(reading.expected))
    }

    @Test func `grades come from the ratio and are held down by small money`() {
        func grade(_ ratio: Double, _ excess: Double) -> AnomalyGrade {
            AnomalyGrade(ratio: ratio, excessDollars: excess, minDollars: 3)
        }
        #expect(grade(1.99, 1000) == .low)
        #expect(grade(2, 1000) == .medium)
        #expect(grade(4, 1000) == .high)
        #expect(grade(8, 1000) == .critical)
        #expect(grade(8, 29.99) == .high)
        #expect(grade(8, 5.99) == .medium)
        #expect(grade(1, 5.99) == .low)
    }

    @Test func `numbers are rounded as C rounds them`() {
        func check(_ value: Double, _ decimals: Int, _ text: String) {
            #expect(FixedText.text(value, decimals: decimals) == text)
        }
        check(0, 2, "0.00")
        check(0.005, 2, "0.01")
        check(0.125, 2, "0.12")
        check(0.375, 2, "0.38")
        check(2.5, 0, "2")
        check(1.005, 2, "1.00")
        check(-3.14159, 3, "-3.142")
        check(123_456_789.987, 1, "123456790.0")
        check(1e-300, 2, "0.00")
        check(9e15, 2, "9000000000000000.00")
        check(1e300, 0, "9000000000000000")
        check(.infinity, 2, "inf")
    }
}
