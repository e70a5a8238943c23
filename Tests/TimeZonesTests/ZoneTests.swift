import Foundation
import TestSupport
import Testing

@testable import TimeZones

@Suite struct ZoneTests {
    @Test(
        arguments: [
            "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
            "Africa/Casablanca",
            "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu", "Etc/GMT+5", "Pacific/Auckland",
            "Europe/Dublin", "America/Sao_Paulo",
        ])
    func `offsets agree with the C library from 1970 to 2100`(_ name: String) throws {
        let zone = try Zone(named: name)
        var random = SeededRandom(seed: 1)
        var moments = (0..<1500).map { _ in Int64(random.below(4_102_444_800)) }
        // And close to each change of the next years.
        var last = zone.offset(at: 1_700_000_000)
        for hour in stride(from: Int64(1_700_000_000) / 3600, to: 2_000_000_000 / 3600, by: 1) {
            let offset = zone.offset(at: hour * 3600)
            if offset != last { moments += [hour * 3600 - 1, hour * 3600] }
            last = offset
        }
        let input = moments.map { "@\($0)\n" }.joined()
        let reference = try ChildProcess.run(
            "/bin/date", ["-f", "-", "+%z"], environment: ["TZ": name], input: input
        ).output
        var wrong: [String] = []
        #expect(reference.split(separator: "\n").count == moments.count)
        for (moment, line) in zip(moments, reference.split(separator: "\n")) {
            let offset = zone.offset(at: moment)
            let minutes = abs(offset) / 60
            let text =
                (offset < 0 ? "-" : "+")
                + String(format: "%04ld", minutes / 60 * 100 + minutes % 60)
            if text != line { wrong.append("\(moment): \(text) and not \(line)") }
        }
        #expect(wrong == [])
    }

    @Test(
        arguments: [
            // Berlin, 2026-10-25 02:30 comes twice: the first, in summer time.
            ("Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z"),
            // 2026-03-29 02:30 is left out: the moment of the change.
            ("Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"),
            ("America/New_York", "2026-11-01T01:30:00Z", "2026-11-01T05:30:00Z"),
            ("America/New_York", "2026-03-08T02:00:00Z", "2026-03-08T07:00:00Z"),
            ("Asia/Kolkata", "2026-01-01T00:00:00Z", "2025-12-31T18:30:00Z"),
            // Half an hour of change.
            ("Australia/Lord_Howe", "2026-04-05T01:45:00Z", "2026-04-04T14:45:00Z"),
            // The whole of 2011-12-30 is left out.
            ("Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"),
            ("UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ])
    func `local times come back to one moment`(_ name: String, _ local: String, _ expected: String)
        throws
    {
        let formatter = ISO8601DateFormatter()
        let zone = try Zone(named: name)
        let seconds = Int64(try #require(formatter.date(from: local)).timeIntervalSince1970)
        let moment = zone.unixSeconds(local: seconds)
        #expect(formatter.string(from: Date(timeIntervalSince1970: Double(moment))) == expected)
    }

    @Test func `every local time that exists comes back to itself`() throws {
        for name in ["Europe/Berlin", "America/St_Johns", "Pacific/Auckland"] {
            let zone = try Zone(named: name)
            var moment: Int64 = 1_750_000_000
            while moment < 1_830_000_000 {
                let back = zone.unixSeconds(local: zone.local(moment))
                // The same moment, or the first of two.
                #expect(back == moment || (back < moment && zone.local(back) == zone.local(moment)))
                moment += 1799
            }
        }
    }

    @Test(arguments: [
        "", "Nowhere/City", "../../etc/passwd", "/etc/passwd", "Europe/", "Europe//Berlin",
        "Europe",
    ])
    func `what is no zone is refused`(_ name: String) {
        #expect(throws: ZoneError.self) { _ = try Zone(named: name) }
    }

    @Test func `damaged files are refused, whatever the damage`() throws {
        let good = Array(
            try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/Europe/Berlin")))
        #expect(TZif.read(good, name: "x") != nil)
        var random = SeededRandom(seed: 2)
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0...random.below(3) {
                bytes[random.below(min(bytes.count, 400))] = UInt8(random.below(256))
            }
            if random.chance(30) { bytes.removeLast(random.below(bytes.count)) }
            _ = TZif.read(bytes, name: "x")?.offset(at: Int64(random.below(4_000_000_000)))
        }
    }
}

@Suite struct ZoneRuleTests {
    private func offset(_ rule: String, _ text: String) throws -> Int64 {
        let date = try #require(ISO8601DateFormatter().date(from: text))
        return try #require(ZoneRule(rule)).offset(at: Int64(date.timeIntervalSince1970))
    }

    @Test func `rules of both hemispheres and odd forms are read`() throws {
        #expect(try offset("CET-1CEST,M3.5.0,M10.5.0/3", "2090-07-01T00:00:00Z") == 7200)
        #expect(try offset("CET-1CEST,M3.5.0,M10.5.0/3", "2090-12-01T00:00:00Z") == 3600)
        #expect(try offset("NZST-12NZDT,M9.5.0,M4.1.0/3", "2090-01-01T00:00:00Z") == 46_800)
        #expect(try offset("<+0545>-5:45", "2090-01-01T00:00:00Z") == 20_700)
        #expect(try offset("IST-1GMT0,M10.5.0,M3.5.0/1", "2090-01-01T00:00:00Z") == 0)
        #expect(try offset("XXX3EDT4,J60,J300", "2024-03-01T05:59:59Z") == -14_400)
        #expect(try offset("XXX3EDT2,J60,J300", "2024-02-29T12:00:00Z") == -10_800)
        #expect(try offset("XXX3EDT2,J60,J300", "2024-03-01T12:00:00Z") == -7200)
        #expect(try offset("XXX0EDT,0/0,365/25", "2024-06-01T12:00:00Z") == 3600)
        #expect(try offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-07-01T12:00:00Z") == -3600)
    }

    @Test(arguments: [
        "", "X", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0x", "<CET-1",
    ])
    func `other texts are refused`(_ text: String) {
        #expect(ZoneRule(text) == nil)
    }
}
