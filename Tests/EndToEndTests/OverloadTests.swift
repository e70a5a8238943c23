import Foundation
import Synchronization
import TestSupport
import Testing

/// Another writer in the store: while it is there, no commit of the server goes through.
private final class Stall {
    private let input = Pipe()
    private let child: ChildProcess

    init(_ database: String) throws {
        let sqlite = try #require(ChildProcess.find("sqlite3"))
        child = try ChildProcess(sqlite, [database], input: input.fileHandleForReading)
        try send(".timeout 5000\nbegin immediate;\nselect 'held';\n")
        let child = child
        #expect(eventually { child.standardOutput.contains("held") })
    }

    private func send(_ text: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }

    func end() throws {
        try send("commit;\n.quit\n")
        child.wait()
    }
}

/// A small file system in memory; only root may make one.
private final class SmallDisk {
    let path: String

    static var isPossible: Bool {
        guard getuid() == 0 else { return false }
        return (try? SmallDisk(mebibytes: 1)) != nil
    }

    init(mebibytes: Int) throws {
        let place = NSTemporaryDirectory() + "costgauge-disk-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        path = place
        let result = try ChildProcess.run(
            "/bin/mount", ["-t", "tmpfs", "-o", "size=\(mebibytes)m", "tmpfs", place])
        guard result.status == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    func grow(mebibytes: Int) throws {
        let result = try ChildProcess.run(
            "/bin/mount", ["-o", "remount,size=\(mebibytes)m", path])
        #expect(result.status == 0)
    }

    deinit {
        _ = try? ChildProcess.run("/bin/umount", ["-l", path])
        _ = try? FileManager.default.removeItem(atPath: path)
    }
}

private func body(_ number: Int, events: Int) -> String {
    (0..<events).map { "{\"id\":\"\(number)/\($0)\",\"tenant\":\"a\",\"cost_usd\":1}" }
        .joined(separator: "\n")
}

@Suite struct OverloadTests {
    @Test func `P1 a stalled store gives 429 and keeps health green; nothing acknowledged is lost`()
        throws
    {
        let place = TemporaryDirectory()
        let file = try place.file("c.yaml", "intake: {queue_events: 2000}\n")
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        let stall = try Stall(place.path + "/data/costgauge.db")
        let statuses = Mutex<[Int: Int]>([:])
        let retryAfter = Mutex<String?>(nil)
        let port = server.port
        let senders = (0..<16).map { number in
            Thread {
                guard let client = try? TestHTTPClient(port: port),
                    let answer = try? client.post(body(number, events: 500))
                else { return }
                statuses.withLock { $0[number] = answer.status }
                if answer.status == 429 {
                    retryAfter.withLock { $0 = answer.headers["retry-after"] }
                }
            }
        }
        for sender in senders { sender.start() }
        #expect(eventually { statuses.withLock { $0.values.contains(429) } })
        let client = try server.client()
        #expect(try client.request("GET", "/-/healthy").status == 200)
        let waiting = try server.metrics()["costgauge_queue_events"].flatMap { Int($0) } ?? -1
        // The last body that found room may pass the bound.
        #expect(waiting <= 2000 + 500)
        try stall.end()
        #expect(eventually { senders.allSatisfy(\.isFinished) })
        let answers = statuses.withLock { $0 }
        #expect(answers.count == 16 && answers.values.allSatisfy { [200, 429, 503].contains($0) })
        #expect(retryAfter.withLock { $0 } == "1")
        for number in 0..<16 {
            let answer = try client.post(body(number, events: 500))
            #expect(answer.status == 200)
            if answers[number] == 200 {
                #expect(answer.text.hasPrefix("{\"accepted\":0,\"duplicates\":500"))
            }
        }
        #expect(
            try server.metrics().family("costgauge_requests_total").values.sorted() == ["8000"])
    }

    @Test(.enabled(if: SmallDisk.isPossible, "only root can make a small file system"))
    func `P1 a full file system gives 503 without loss, and recovers when there is space`() throws {
        let disk = try SmallDisk(mebibytes: 4)
        var server = try Costgauge(storage: disk.path + "/data")
        var acknowledged = 0
        var status = 200
        while status == 200, acknowledged < 200 {
            status = try server.client().post(body(acknowledged, events: 500)).status
            if status == 200 { acknowledged += 1 }
        }
        #expect(status == 503 && acknowledged > 0)
        let name = "costgauge_requests_total{tenant=\"a\",status=\"ok\"}"
        #expect(try server.metrics()[name] == "\(acknowledged * 500)")
        #expect(try server.client().request("GET", "/-/healthy").status == 200)
        #expect(try server.client().request("GET", "/-/ready").status == 503)
        try disk.grow(mebibytes: 64)
        for number in 0...acknowledged {
            let answer = try server.client().post(body(number, events: 500))
            #expect(
                answer.text.hasPrefix(
                    number < acknowledged
                        ? "{\"accepted\":0,\"duplicates\":500" : "{\"accepted\":500"))
        }
        server.kill()
        server = try Costgauge(storage: disk.path + "/data")
        #expect(try server.metrics()[name] == "\((acknowledged + 1) * 500)")
        #expect(server.stop() == 0)
    }

    @Test func `P2 a window that is too short for late repetitions is warned of`() throws {
        let place = TemporaryDirectory()
        let file = try place.file("c.yaml", "intake: {dedup_ids: 1000}\n")
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
        let client = try server.client()
        #expect(try client.post(body(1, events: 1000)).status == 200)
        #expect(try server.metrics()["costgauge_dedup_window_seconds"] == "86400")
        #expect(!server.child.standardError.contains("less than 15 minutes"))
        #expect(try client.post(body(2, events: 500)).status == 200)
        #expect(try client.post(body(3, events: 500)).status == 200)
        let window = try server.metrics()["costgauge_dedup_window_seconds"].flatMap { Double($0) }
        #expect((window ?? 900) < 900)
        #expect(
            server.child.standardError.components(separatedBy: "less than 15 minutes").count == 2)
        #expect(try server.metrics()["costgauge_dedup_ids"] == "1000")
    }
}
