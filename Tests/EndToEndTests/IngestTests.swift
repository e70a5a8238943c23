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

    /// Forwards to a server, and loses what `loses` says of its answers.
    private func lossy(
        _ port: UInt16, _ loses: @escaping @Sendable (Int, Int) -> RecordingReceiver.Answer?
    ) throws -> RecordingReceiver {
        try RecordingReceiver { received, number in
            let answer = try? TestHTTPClient(port: port).request(
                "POST", received.path,
                headers: received.headers.filter {
                    !["host", "content-length"].contains($0.key.lowercased())
                },
                body: received.body)
            guard let answer else { return .reset }
            return loses(number, answer.status)
                ?? .status(
                    answer.status, headers: ["Content-Type": "application/json"], body: answer.text)
        }
    }

    @Test func `events without ids count once when answers are lost`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let proxy = try lossy(server.port) { number, _ in number < 2 ? .reset : nil }
        let lines = (0..<6000).map { _ in "{\"tenant\":\"t\",\"cost_usd\":1}" }
        let file = try place.file("events.ndjson", lines.joined(separator: "\n") + "\n")
        let url = "--url=http://127.0.0.1:\(proxy.port)"
        let result = try ingest([url, file])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.contains("trying again"))
        #expect(
            try server.metrics().family("costgauge_cost_usd_total").values.sorted() == ["6000"])
        // Another load is another one.
        #expect(try ingest(["--url=http://127.0.0.1:\(server.port)", file]).status == 0)
        #expect(
            try server.metrics().family("costgauge_cost_usd_total").values.sorted() == ["12000"])
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `whoever interrupts a load is told where it stands`(number: Int32) throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let proxy = try lossy(server.port) { number, _ in number == 0 ? nil : .reset }
        let file = try place.file("events.ndjson", lines.joined(separator: "\n") + "\n")
        let load = try ChildProcess(
            Costgauge.executable, ["ingest", "--url=http://127.0.0.1:\(proxy.port)", file])
        #expect(eventually { load.standardError.contains("trying again") })
        load.signal(number)
        #expect(load.wait() == 128 + number)
        #expect(
            load.standardError.hasSuffix(
                "costgauge ingest: interrupted\n\(file): the lines before line 5001 are loaded, "
                    + "of those that follow perhaps some\n"), "\(load.standardError)")
        #expect(
            try server.metrics().family("costgauge_cost_usd_total").values.sorted() == ["10000"])
    }

    @Test func `what a full store had taken of a chunk is no duplicate`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let partly =
            "{\"error\":{\"code\":\"store_unwritable\",\"accepted\":12000,\"duplicates\":0}}"
        let proxy = try lossy(server.port) { number, _ in
            number == 0 ? .status(503, body: partly) : nil
        }
        let file = try place.file("events.ndjson", lines[0..<3000].joined(separator: "\n") + "\n")
        let result = try ingest(["--url=http://127.0.0.1:\(proxy.port)", file])
        #expect(
            result.errors.contains("3000 events, 0 duplicates, 0 rejected, "), "\(result.errors)")
    }

    @Test func `a stretch of lines that are no JSON does not end the load`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let bad = Array(repeating: "garbage", count: 5000)
        let file = try place.file(
            "events.ndjson",
            (lines[0..<5000] + bad + lines[5000..<7000]).joined(separator: "\n") + "\n")
        let result = try ingest(["--url=http://127.0.0.1:\(server.port)", file])
        #expect(result.status == 1)
        #expect(
            result.errors.contains("7000 events, 0 duplicates, 5000 rejected, "), "\(result.errors)"
        )
        #expect(result.errors.contains("\(file):5001: no line from here on"))
    }

    @Test(arguments: [1, 4 << 20])
    func `a line that is too long is named, and those around it are loaded`(surplus: Int) throws {
        let place = TemporaryDirectory()
        let long = "{\"tenant\":\"" + String(repeating: "x", count: (1 << 20) + surplus) + "\"}"
        let all = lines[0..<6000] + [long] + lines[6000..<7000] + [long]
        let file = try place.file("events.ndjson", all.joined(separator: "\n"))
        let result = try ingest(["--storage.path=\(place.path)/data", file])
        #expect(result.status == 1)
        #expect(
            result.errors.contains("7000 events, 0 duplicates, 2 rejected, "), "\(result.errors)")
        if surplus > 1 {
            for line in [6001, 7002] {
                #expect(
                    result.errors.contains(
                        "\(file):\(line): the line has more than 1048576 bytes\n"),
                    "\(result.errors)")
            }
        }
    }

    @Test(arguments: ["{}", "<html>ok</html>", ""])
    func `an answer of somebody else is no success`(body: String) throws {
        let place = TemporaryDirectory()
        let other = try RecordingReceiver { _, _ in .status(200, body: body) }
        let file = try place.file("events.ndjson", lines[0] + "\n")
        let result = try ingest(["--url=http://127.0.0.1:\(other.port)", file])
        #expect(result.status == 2)
        #expect(
            result.errors.contains("answered 200, but not as costgauge does: \(body)"),
            "\(result.errors)")
    }

    @Test func `blank lines are nothing to tell about`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let file = try place.file("events.ndjson", lines[0] + String(repeating: "\n", count: 6000))
        let result = try ingest(["--url=http://127.0.0.1:\(server.port)", file])
        #expect(result.status == 0)
        #expect(result.errors.hasPrefix("1 events, 0 duplicates, 0 rejected, "), "\(result.errors)")
    }

    @Test func `a server that takes small bodies gets small ones`() throws {
        let place = TemporaryDirectory()
        let configuration = try place.file(
            "c.yaml", "web: {body_bytes_max: {events: 20KiB}}\n")
        let server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(configuration)"])
        var lines = lines
        lines[8000] =
            "{\"tenant\":\"t\",\"cost_usd\":1,\"tags\":{\"a\":\"\(String(repeating: "x", count: 30_000))\"}}"
        lines[9000] = "nonsense"
        let file = try place.file("events.ndjson", lines.joined(separator: "\n") + "\n")
        let result = try ingest(["--url=http://127.0.0.1:\(server.port)", file])
        #expect(result.status == 1)
        #expect(
            result.errors.contains("11998 events, 0 duplicates, 2 rejected, "), "\(result.errors)")
        #expect(result.errors.contains("\(file):8001: the line is longer"))
        #expect(result.errors.contains("\(file):9001: not valid JSON"))
    }

    @Test func `all files are looked at first, and a compressed one is told`() throws {
        let place = TemporaryDirectory()
        let file = try place.file("events.ndjson", lines[0..<10].joined(separator: "\n"))
        let storage = "--storage.path=\(place.path)/data"
        let absent = try ingest([storage, file, place.path + "/nowhere"])
        #expect(absent.status == 2 && absent.errors.contains("nowhere: cannot read it"))
        let packed = place.path + "/events.gz"
        try Data([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).write(to: URL(fileURLWithPath: packed))
        let gzip = try ingest([storage, packed])
        #expect(gzip.status == 2 && gzip.errors.contains("zcat"), "\(gzip.errors)")
        #expect(try ingest([storage, file]).errors.contains("10 events, 0 duplicates"))
    }

    @Test func `an error says how far the file is loaded`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let proxy = try lossy(server.port) { number, _ in number < 2 ? nil : .status(401) }
        let file = try place.file("events.ndjson", lines.joined(separator: "\n") + "\n")
        let result = try ingest(["--url=http://127.0.0.1:\(proxy.port)", file])
        #expect(result.status == 2)
        #expect(result.errors.contains("10000 events, 0 duplicates"), "\(result.errors)")
        #expect(result.errors.contains("\(file): the lines before line 10001 are loaded"))
    }
}

@Suite struct IdempotencyKeyTests {
    private let body = Array(
        "{\"tenant\":\"t\",\"cost_usd\":1}\n{\"id\":\"own\",\"tenant\":\"t\",\"cost_usd\":1}\n{}\n{\"tenant\":\"t\",\"cost_usd\":1}\n"
            .utf8)

    private func post(_ server: Costgauge, _ key: String?) throws -> TestHTTPClient.Answer {
        var headers = ["Content-Type": "application/x-ndjson"]
        headers["Idempotency-Key"] = key
        return try server.client().request("POST", "/v1/events", headers: headers, body: body)
    }

    @Test func `a body with a key counts once, over restarts too`() throws {
        let place = TemporaryDirectory()
        func counts(_ answer: TestHTTPClient.Answer) throws -> [Int?] {
            let json = try answer.json()
            return [json["accepted"] as? Int, json["duplicates"] as? Int]
        }
        var server = try Costgauge(storage: place.path + "/data")
        #expect(try counts(post(server, "k-1")) == [3, 0])
        #expect(try counts(post(server, "k-1")) == [0, 3])
        // The form of the draft: a quoted string.
        #expect(try counts(post(server, "\"k-1\"")) == [0, 3])
        server.kill()
        server = try Costgauge(storage: place.path + "/data")
        #expect(try counts(post(server, "k-1")) == [0, 3])
        #expect(try counts(post(server, "k-2")) == [2, 1])
        #expect(try counts(post(server, nil)) == [2, 1])
        #expect(try server.metrics().family("costgauge_cost_usd_total").values.sorted() == ["7"])
    }

    @Test func `what a key gives to events is no id of theirs`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        let body =
            "[{\"id\":\"run-17/1\",\"tenant\":\"t\",\"cost_usd\":1},{\"tenant\":\"t\",\"cost_usd\":5}]"
        let answer = try server.client().request(
            "POST", "/v1/events",
            headers: ["Content-Type": "application/json", "Idempotency-Key": "run-17"],
            body: Array(body.utf8))
        #expect(try answer.json()["accepted"] as? Int == 2)
    }

    @Test func `a key has its bounds`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/data")
        #expect(try post(server, String(repeating: "k", count: 200)).status == 200)
        for key in ["", "\"\"", "a b", "\u{e9}", String(repeating: "k", count: 201)] {
            let answer = try post(server, key)
            #expect(
                answer.status == 400 && answer.text.contains("Idempotency-Key"), "\(answer.text)")
        }
    }
}
