import Foundation
import Gzip
import TestSupport
import Testing

private func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var deflater = Deflater()
    var output: [UInt8] = []
    deflater.deflate(bytes.span, into: &output)
    return output
}

private let event = #"{"tenant":"a","cost_usd":1}"#
private let json = ["Content-Type": "application/json"]

@Suite final class HTTPTests {
    private let place = TemporaryDirectory()
    private let server: Costgauge

    init() throws {
        let file = try place.file(
            "c.yaml", "web: {body_bytes_max: {events: 64KiB}, metrics_listen: \"127.0.0.1:0\"}\n")
        server = try Costgauge(
            storage: place.path + "/data", arguments: ["--config.file=\(file)"])
    }

    private func client() throws -> TestHTTPClient { try server.client() }

    private func post(
        _ body: [UInt8], _ headers: [String: String] = json
    ) throws -> TestHTTPClient.Answer {
        try client().request("POST", "/v1/events", headers: headers, body: body)
    }

    private func code(_ answer: TestHTTPClient.Answer) throws -> String? {
        (try answer.json()["error"] as? [String: Any])?["code"] as? String
    }

    @Test func `one event, an array and NDJSON are taken`() throws {
        for body in [event, "[\(event),\(event)]", "\(event)\n\(event)\n"] {
            let answer = try post(Array(body.utf8))
            #expect(answer.status == 200 && answer.headers["content-type"] == "application/json")
        }
        let answer = try post(
            Array("\(event)\n{\"tenant\":\"a\"}\n".utf8),
            ["Content-Type": "application/x-ndjson; charset=utf-8"])
        #expect(answer.status == 200)
        #expect(
            answer.text
                == #"{"accepted":1,"duplicates":0,"rejected":[{"line":2,"index":1,"field":"model","#
                + #""reason":"missing","message":"model with token counts is required, unless cost_usd is sent"}]}"#
                + "\n")
    }

    @Test func `a body without content type is taken as JSON`() throws {
        #expect(try post(Array(event.utf8), [:]).status == 200)
    }

    @Test func `compressed bodies are inflated`() throws {
        for encoding in ["gzip", "GZIP", "x-gzip"] {
            let answer = try post(
                gzip(Array(event.utf8)), json.merging(["Content-Encoding": encoding]) { $1 })
            #expect(answer.status == 200, "\(encoding) \(answer.text)")
        }
        let broken = try post(Array(event.utf8), json.merging(["Content-Encoding": "gzip"]) { $1 })
        #expect(try broken.status == 400 && code(broken) == "malformed_gzip")
        let unknown = try post(Array(event.utf8), json.merging(["Content-Encoding": "br"]) { $1 })
        #expect(try unknown.status == 415 && code(unknown) == "unsupported_content_encoding")
    }

    @Test func `too much is refused at the limit, as sent and inflated`() throws {
        let limit = 64 * 1024
        let padding = String(repeating: " ", count: limit - event.utf8.count)
        #expect(try post(Array((event + padding).utf8)).status == 200)
        let over = try post(Array((event + padding + " ").utf8))
        #expect(try over.status == 413 && code(over) == "body_too_large")
        let bomb = try post(
            gzip([UInt8](repeating: 0x20, count: 50_000_000)),
            json.merging(["Content-Encoding": "gzip"]) { $1 })
        #expect(try bomb.status == 413 && code(bomb) == "body_too_large")
        // The connection is as good as before.
        let client = try client()
        let first = try client.request(
            "POST", "/v1/events", headers: json, body: Array((event + padding + " ").utf8))
        #expect(first.status == 413)
        #expect(try client.post(event).status == 200)
    }

    @Test func `a chunked body is bounded too`() throws {
        let client = try client()
        try client.send(
            Array(
                "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                    .utf8))
        let chunk = Array(("4000\r\n" + String(repeating: " ", count: 0x4000) + "\r\n").utf8)
        for _ in 0..<5 { try client.send(chunk) }
        try client.send(Array("0\r\n\r\n".utf8))
        #expect(try client.answer().status == 413)
    }

    @Test func `broken JSON is told with its byte and line`() throws {
        let answer = try post(Array("\n{\"tenant\": oops}".utf8))
        #expect(try answer.status == 400 && code(answer) == "malformed_json")
        let error = try answer.json()["error"] as? [String: Any]
        #expect(error?["offset"] as? Int == 12 && error?["line"] as? Int == 2)
        #expect(try post([]).status == 400)
    }

    @Test func `nothing acceptable is 422 and duplicates are not`() throws {
        let bad = try post(Array(#"[{"tenant":"a"},{"tenant":"b","cost_usd":-1}]"#.utf8))
        #expect(bad.status == 422)
        #expect(try (bad.json()["rejected"] as? [Any])?.count == 2)
        let once = #"{"id":"http-once","tenant":"a","cost_usd":1}"#
        #expect(
            try post(Array(once.utf8)).text == "{\"accepted\":1,\"duplicates\":0,\"rejected\":[]}\n"
        )
        #expect(
            try post(Array(once.utf8)).text == "{\"accepted\":0,\"duplicates\":1,\"rejected\":[]}\n"
        )
        #expect(try post(Array("[\(once),{\"tenant\":\"a\"}]".utf8)).status == 200)
        #expect(
            try post(Array("[]".utf8)).text == "{\"accepted\":0,\"duplicates\":0,\"rejected\":[]}\n"
        )
    }

    @Test func `fields that are none of ours are told`() throws {
        let answer = try post(Array(#"{"tenant":"a","cost_usd":1,"cached_tokens":5}"#.utf8))
        #expect(try answer.json()["ignored_fields"] as? [String] == ["cached_tokens"])
    }

    @Test func `wrong types, paths and methods are told what is right`() throws {
        let form = try post(
            Array(event.utf8), ["Content-Type": "application/x-www-form-urlencoded"])
        #expect(try form.status == 415 && code(form) == "unsupported_content_type")
        let lost = try client().request("GET", "/metric")
        #expect(try lost.status == 404 && code(lost) == "not_found")
        #expect(lost.text.contains("/metrics") && lost.text.contains("/v1/events"))
        let method = try client().request("GET", "/v1/events")
        #expect(method.status == 405 && method.headers["allow"] == "POST")
        let put = try client().request("DELETE", "/metrics")
        #expect(put.status == 405 && put.headers["allow"] == "GET, HEAD")
    }

    @Test func `P15 foreign hosts and origins are refused, our own are not`() throws {
        let port = server.port
        func status(_ headers: [String: String]) throws -> Int {
            try client().request("GET", "/-/healthy", headers: headers).status
        }
        for host in [
            "localhost", "localhost:\(port)", "127.0.0.1:\(port)", "[::1]:\(port)", "LOCALHOST",
        ] {
            #expect(try status(["Host": host]) == 200, "\(host)")
        }
        for host in [
            "evil.example", "localhost.evil.example:\(port)", "127.0.0.1.nip.io", "", "169.254.1.1",
        ] {
            let code = try status(["Host": host])
            #expect(code == 403 || code == 400, "\(host)")
        }
        #expect(try status(["Host": "localhost", "Origin": "http://localhost"]) == 200)
        for origin in ["http://evil.example", "null", "http://localhost:1"] {
            #expect(try status(["Host": "localhost", "Origin": origin]) == 403, "\(origin)")
        }
        let driven = try client().request(
            "POST", "/v1/events", headers: ["Origin": "http://evil.example"],
            body: Array(event.utf8))
        #expect(driven.status == 403)
    }

    @Test func `health is told and the page opens`() throws {
        #expect(try client().request("GET", "/-/healthy").text == "costgauge is Healthy.\n")
        #expect(try client().request("GET", "/-/ready").text == "costgauge is Ready.\n")
        let page = try client().request("GET", "/")
        #expect(page.status == 200 && page.text.contains("<title>costgauge</title>"))
        let head = try client().request("HEAD", "/metrics")
        #expect(head.status == 200 && head.headers["content-length"] != "0")
    }

    @Test func `P15 the metrics listener shows metrics and health, nothing else`() throws {
        let port = try #require(server.metricsPort)
        func status(_ method: String, _ path: String) throws -> Int {
            try TestHTTPClient(port: port).request(
                method, path, headers: ["Host": "gauge.example:9"], body: method == "GET" ? nil : []
            ).status
        }
        #expect(try status("GET", "/metrics") == 200)
        #expect(try status("GET", "/-/healthy") == 200 && status("GET", "/-/ready") == 200)
        #expect(try status("GET", "/") == 404)
        #expect(try status("POST", "/v1/events") == 404 && status("POST", "/-/reload") == 404)
    }

    @Test func `metrics come in the format that was asked for`() throws {
        let text = try client().request("GET", "/metrics")
        #expect(text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(text.headers["vary"] == "Accept, Accept-Encoding")
        let open = try client().request(
            "GET", "/metrics",
            headers: [
                "Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip",
            ])
        #expect(
            open.headers["content-type"]
                == "application/openmetrics-text; version=1.0.0; charset=utf-8")
        #expect(open.headers["content-encoding"] == "gzip")
        var inflated: [UInt8] = []
        try Inflater.inflate(open.body.span, into: &inflated, limit: 1 << 22)
        #expect(String(decoding: inflated, as: UTF8.self).hasSuffix("# EOF\n"))
    }

    @Test func `many requests on one connection, and pipelined ones, are answered in order`() throws
    {
        let client = try client()
        for number in 0..<50 {
            let answer = try client.post(#"{"id":"keep-\#(number)","tenant":"a","cost_usd":1}"#)
            #expect(answer.text.hasPrefix("{\"accepted\":1"))
        }
        let body = #"{"id":"pipe","tenant":"a","cost_usd":1}"#
        let request =
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        try client.send(Array((request + request).utf8))
        #expect(try client.answer().text.hasPrefix("{\"accepted\":1"))
        #expect(try client.answer().text.hasPrefix("{\"accepted\":0,\"duplicates\":1"))
    }

    @Test func `P14 the queue is bounded for those that began to send before it was full`() throws {
        let file = try place.file(
            "small.yaml", "intake: {queue_events: 1000}\nweb: {body_bytes_max: {events: 4MiB}}\n")
        let small = try Costgauge(
            storage: place.path + "/small", arguments: ["--config.file=\(file)"])
        let line = Array("{\"cost_usd\":1}\n".utf8)
        let body = Array(repeating: line, count: 60_000).flatMap { $0 }
        let clients = try (0..<12).map { _ in try small.client() }
        for client in clients {
            let head =
                "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.count)\r\n\r\n"
            try client.send(Array(head.utf8) + body.dropLast())
        }
        for client in clients { try client.send([body[body.count - 1]]) }
        let answers = try clients.map { try $0.answer() }
        #expect(answers.allSatisfy { $0.status == 200 || $0.status == 429 })
        #expect(answers.contains { $0.status == 429 && $0.headers["retry-after"] == "1" })
        let accepted = answers.filter { $0.status == 200 }.count * 60_000
        #expect(
            try small.metrics()[
                "costgauge_ingest_events_total{source=\"http\",outcome=\"accepted\"}"]
                == "\(accepted)")
    }

    @Test func `a request that breaks off costs nothing`() throws {
        for text in [
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"tenant\"",
            "GET /metrics HTT", "\r\n\r\n", "GARBAGE\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: "
                + String(repeating: "x", count: 100_000),
        ] {
            let client = try client()
            try? client.send(Array(text.utf8))
        }
        #expect(try client().request("GET", "/-/healthy").status == 200)
    }
}
