import Foundation
import TestSupport
import Testing

/// A server that tails files of a directory, with what tests ask of it.
private final class Tailing {
    let place = TemporaryDirectory()
    private(set) var server: Costgauge
    let logs: String

    init(pattern: String = "app.jsonl") throws {
        logs = place.path + "/logs"
        try FileManager.default.createDirectory(
            atPath: logs, withIntermediateDirectories: true)
        _ = try place.file("c.yaml", "sources:\n  - {type: jsonl, path: \"\(logs)/\(pattern)\"}\n")
        server = try Self.start(place.path)
    }

    private static func start(_ path: String) throws -> Costgauge {
        try Costgauge(storage: path + "/data", arguments: ["--config.file=\(path)/c.yaml"])
    }

    func restart(killing: Bool) throws {
        if killing { server.kill() } else { #expect(server.stop() == 0) }
        server = try Self.start(place.path)
    }

    func path(_ name: String) -> String { logs + "/" + name }

    func append(_ text: String, to name: String = "app.jsonl") throws {
        let path = path(name)
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.seekToEnd()
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
    }

    func move(_ from: String, _ to: String) throws {
        try FileManager.default.moveItem(atPath: path(from), toPath: path(to))
    }

    /// Dollars of all events, as the page shows them.
    func total() throws -> Int {
        try server.metrics().family("costgauge_cost_usd_total").values.reduce(0) {
            $0 + (Int($1) ?? -1)
        }
    }

    func reaches(_ dollars: Int) throws -> Bool {
        let isThere = try eventually { try total() >= dollars }
        return try isThere && total() == dollars
    }

    func outcome(_ outcome: String, reason: String = "") throws -> String? {
        let reason = reason.isEmpty ? "" : ",reason=\"\(reason)\""
        return try server.metrics()[
            "costgauge_ingest_events_total{source=\"jsonl\",outcome=\"\(outcome)\"\(reason)}"]
    }
}

@Suite struct TailTests {
    @Test func `a line counts once it has its end, a bad one is counted and copied`() throws {
        let tail = try Tailing()
        try tail.append("{\"cost_usd\":1}\n\n{\"cost_usd\":2")
        #expect(try tail.reaches(1))
        try tail.append("0}\n")
        #expect(try tail.reaches(21))
        try tail.append(
            "{\"cost_usd\":\n[{\"cost_usd\":5}]\n{\"cost_usd\":-1}\r\n{\"cost_usd\":4}\r\n")
        #expect(try tail.reaches(25))
        #expect(try eventually { try tail.outcome("accepted") == "3" })
        #expect(try eventually { try tail.outcome("rejected", reason: "malformed") == "1" })
        let copies = try String(
            contentsOfFile: tail.place.path + "/data/rejected.ndjson", encoding: .utf8)
        let lines = try copies.split(separator: "\n").map {
            try #require(
                JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(
            lines.compactMap { $0["line"] as? String } == [
                "{\"cost_usd\":", "[{\"cost_usd\":5}]", "{\"cost_usd\":-1}\r",
            ])
        #expect(lines.map { $0["offset"] as? Int } == [32, 45, 62])
        #expect(lines.allSatisfy { $0["path"] as? String == tail.path("app.jsonl") })
        #expect(
            try eventually {
                try tail.server.metrics()[
                    "costgauge_tail_unread_bytes{path=\"\(tail.path("app.jsonl"))\"}"] == "0"
            })
    }

    @Test func `P2 a file that is renamed is read to its end, and then the new one`() throws {
        let tail = try Tailing()
        try tail.append("{\"cost_usd\":1}\n")
        #expect(try tail.reaches(1))
        try tail.move("app.jsonl", "app.jsonl.1")
        try tail.append("{\"cost_usd\":10}\n", to: "app.jsonl.1")
        try tail.append("{\"cost_usd\":100}\n")
        #expect(try tail.reaches(111))
        try tail.append("{\"cost_usd\":1000}\n", to: "app.jsonl.1")
        #expect(try tail.reaches(1111))
        try tail.restart(killing: true)
        try tail.append("{\"cost_usd\":10000}\n")
        #expect(try tail.reaches(11111))
    }

    @Test func `P2 a rotation while nobody looks loses nothing and repeats nothing`() throws {
        let tail = try Tailing()
        try tail.append("{\"cost_usd\":1}\n")
        #expect(try tail.reaches(1))
        tail.server.kill()
        try tail.append("{\"cost_usd\":10}\n")
        try tail.move("app.jsonl", "app.jsonl.1")
        try tail.append("{\"cost_usd\":100}\n")
        try tail.restart(killing: true)
        #expect(try tail.reaches(111))
    }

    @Test func `P2 a truncated file and one with other content are read from their start`() throws {
        let tail = try Tailing()
        try tail.append("{\"cost_usd\":1}\n{\"cost_usd\":1}\n")
        #expect(try tail.reaches(2))
        let file = try #require(FileHandle(forWritingAtPath: tail.path("app.jsonl")))
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data("{\"cost_usd\":10}\n".utf8))
        #expect(try tail.reaches(12))
        tail.server.kill()
        // Longer than before: only the first bytes tell that it is not the same.
        try file.truncate(atOffset: 0)
        try file.seek(toOffset: 0)
        try file.write(contentsOf: Data("{\"cost_usd\":100}\n{\"cost_usd\":100}\n".utf8))
        try tail.restart(killing: true)
        #expect(try tail.reaches(212))
    }

    @Test func `a pattern finds files as they come, and leaves compressed ones alone`() throws {
        let tail = try Tailing(pattern: "*.jsonl*")
        try tail.append("{\"cost_usd\":1}\n", to: "a.jsonl")
        #expect(try tail.reaches(1))
        try tail.append("{\"cost_usd\":10}\n", to: "b.jsonl")
        try tail.append("{\"cost_usd\":100}\n", to: "c.log")
        try tail.append("{\"cost_usd\":100}\n", to: "old.jsonl.gz")
        try Data([0x1f, 0x8b, 8, 10]).write(to: URL(fileURLWithPath: tail.path("d.jsonl")))
        // A renamed file that still matches is the same file.
        try tail.move("a.jsonl", "a.jsonl.1")
        try tail.append("{\"cost_usd\":1000}\n", to: "a.jsonl")
        #expect(try tail.reaches(1011))
        try tail.append("{\"cost_usd\":1}\n", to: "a.jsonl.1")
        #expect(try tail.reaches(1012))
    }

    @Test func `a line longer than a mebibyte is passed over, one of that length is taken`() throws
    {
        let tail = try Tailing()
        let event = "{\"cost_usd\":1}"
        let limit = 1 << 20
        func padded(_ bytes: Int) -> String {
            event + String(repeating: " ", count: bytes - event.count - 1) + "\n"
        }
        try tail.append(padded(limit) + padded(limit + 1) + padded(3 * limit) + event + "\n")
        #expect(try tail.reaches(2))
        #expect(try eventually { try tail.outcome("rejected", reason: "too_long") == "2" })
    }

    @Test func `P2 twelve kills while a file grows leave the exact total`() throws {
        let tail = try Tailing()
        var random = SeededRandom(seed: 12)
        var dollars = 0
        for _ in 0..<12 {
            for _ in 0..<5 {
                var text = ""
                for _ in 0..<200 + random.below(800) {
                    let cost = 1 + random.below(9)
                    dollars += cost
                    text += "{\"tenant\":\"t\(random.below(4))\",\"cost_usd\":\(cost)}\n"
                }
                try tail.append(text)
            }
            usleep(UInt32(random.below(60_000)))
            try tail.restart(killing: true)
        }
        #expect(try tail.reaches(dollars))
        try tail.restart(killing: false)
        #expect(try tail.reaches(dollars))
    }
}
