import Foundation
import TestSupport
import Testing

@Suite struct IngestTests {
    private let lines = (0..<12_000).map { "{\"id\":\"e\($0)\",\"tenant\":\"t\",\"cost_usd\":1}" }

    private func ingest(
        _ arguments: [String], input: String? = nil
    ) throws -> (status: Int32, output: String, errors: String) {
        try ChildProcess.run(Costgauge.executable, ["ingest"] + arguments, input: input)
    }

    @Test func `a file goes into a stopped data directory, and not in twice`() throws {
        let place = TemporaryDirectory()
        let file = try place.file("events.ndjson", lines.joined(separator: "\n"))
        let storage = "--storage.path=\(place.path)/data"
        let first = try ingest([storage, file])
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.errors.hasPrefix("12000 events, 0 duplicates, 0 rejected, "))
        let second = try ingest([storage], input: lines[0..<10].joined(separator: "\n"))
        #expect(second.status == 2 && second.errors.contains("name at least one file"))
        let third = try ingest([storage, "-"], input: lines[0..<10].joined(separator: "\n"))
        #expect(third.errors.hasPrefix("0 events, 10 duplicates, 0 rejected, "))
        let server = try Costgauge(storage: place.path + "/data")
        #expect(
            try server.metrics().family("costgauge_cost_usd_total").values.sorted() == ["12000"])
    }

    @Test func `a file goes into a running server; bad lines are named and the exit code tells`()
        throws
    {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        var lines = lines
        lines[7000] = "{\"cost_usd\":-1}"
        lines[11_999] = "nonsense"
        let file = try place.file("events.ndjson", lines.joined(separator: "\n") + "\n")
        let url = "--url=http://127.0.0.1:\(server.port)"
        let result = try ingest([url, file])
        #expect(result.status == 1)
        #expect(result.errors.contains("11998 events, 0 duplicates, 2 rejected, "))
        #expect(result.errors.contains("\(file):7001: cost_usd must not be negative"))
        #expect(result.errors.contains("\(file):12000: not valid JSON"))
        let locked = try ingest(["--storage.path=\(place.path)/data", file])
        #expect(locked.status == 2 && locked.errors.contains("another costgauge"))
        let absent = try ingest([url, place.path + "/nowhere"])
        #expect(absent.status == 2 && absent.errors.contains("No such file"))
    }

    @Test func `an answer that names more bad lines than the client keeps still counts them`()
        throws
    {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let bad = Array(repeating: "{\"tenant\":\"t\",\"cost_usd\":-1}", count: 4000)
        let file = try place.file(
            "events.ndjson", (bad + lines[0..<3]).joined(separator: "\n") + "\n")
        let result = try ingest(["--url=http://127.0.0.1:\(server.port)/", file])
        #expect(result.status == 1)
        #expect(
            result.errors.contains("3 events, 0 duplicates, 4000 rejected, "), "\(result.errors)")
    }
}
