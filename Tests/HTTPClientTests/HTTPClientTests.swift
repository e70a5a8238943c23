import Foundation
import Synchronization
import TestSupport
import Testing

@testable import HTTPClient

@Suite final class HTTPClientTests {
    private let client = HTTPClient(userAgent: "costgauge-test/1")

    init() { client.start() }
    deinit { client.stop() }

    private func send(_ request: HTTPClientRequest) -> HTTPClientOutcome {
        let outcome = Mutex<HTTPClientOutcome?>(nil)
        client.send(request) { result in outcome.withLock { $0 = result } }
        _ = eventually { outcome.withLock { $0 != nil } }
        return outcome.withLock { $0 } ?? .failure(.stopped)
    }

    private func request(_ url: String, body: String = "hello", millis: Int = 10_000)
        -> HTTPClientRequest
    {
        HTTPClientRequest(
            url: url, headers: [("X-One", "1"), ("Content-Type", "application/json")],
            body: Array(body.utf8), connectMillis: 2000, totalMillis: millis)
    }

    @Test func `a request arrives as it was made and its answer comes back`() throws {
        let receiver = try RecordingReceiver { _, _ in
            .status(429, headers: ["Retry-After": " 7 "], body: "slow down")
        }
        let big = String(repeating: "x", count: 200_000)
        #expect(
            send(request(receiver.url + "/a?b=c", body: big))
                == .success(
                    HTTPClientResponse(status: 429, retryAfter: "7", body: Array("slow down".utf8)))
        )
        let received = try #require(receiver.all.first)
        #expect(
            received.path == "/a?b=c" && received.text == big && received.headers["x-one"] == "1")
        #expect(
            received.headers["user-agent"] == "costgauge-test/1"
                && received.headers["expect"] == nil)
    }

    @Test func `many at once share the thread`() throws {
        let receiver = try RecordingReceiver()
        let done = Mutex(0)
        for number in 0..<200 {
            client.send(request(receiver.url, body: "\(number)")) { outcome in
                if case .success(let response) = outcome, response.status == 200 {
                    done.withLock { $0 += 1 }
                }
            }
        }
        let isDone = eventually { done.withLock { $0 == 200 } }
        #expect(isDone)
        #expect(Set(receiver.all.map(\.text)).count == 200)
    }

    @Test func `redirects are answers, not followed`() throws {
        let receiver = try RecordingReceiver { request, _ in
            request.path == "/" ? .status(302, headers: ["Location": "/elsewhere"]) : .status(200)
        }
        #expect(send(request(receiver.url + "/")) == .success(HTTPClientResponse(status: 302)))
        #expect(receiver.all.count == 1)
    }

    @Test func `answers are read up to the bound`() throws {
        let receiver = try RecordingReceiver { _, _ in .flood }
        guard case .success(let response) = send(request(receiver.url)) else {
            Issue.record("no answer")
            return
        }
        #expect(response.status == 200 && response.body.count == HTTPClient.responseBytesMax)
    }

    @Test func `failures have names`() throws {
        let hanging = try RecordingReceiver { _, _ in .hang }
        #expect(send(request(hanging.url, millis: 300)) == .failure(.timedOut))
        let resetting = try RecordingReceiver { _, _ in .reset }
        #expect(send(request(resetting.url)) == .failure(.brokenOff))
        let breaking = try RecordingReceiver { _, _ in .closeInBody }
        #expect(send(request(breaking.url)) == .failure(.brokenOff))
        let babbling = try RecordingReceiver { _, _ in .garbage }
        #expect(send(request(babbling.url)) == .failure(.notHTTP))
        #expect(send(request("http://127.0.0.1:1")) == .failure(.cannotConnect))
        #expect(send(request("http://nowhere.invalid")) == .failure(.cannotResolve))
        #expect(send(request("ftp://127.0.0.1/x")) == .failure(.badURL))
        #expect(send(request("file:///etc/passwd")) == .failure(.badURL))
        #expect(send(request("")) == .failure(.badURL))
    }

    @Test func `stopping ends what is under way`() throws {
        let receiver = try RecordingReceiver { _, _ in .hang }
        let other = HTTPClient(userAgent: "x")
        other.start()
        let outcome = Mutex<HTTPClientOutcome?>(nil)
        other.send(request(receiver.url, millis: 60_000)) { result in
            outcome.withLock { $0 = result }
        }
        let isThere = eventually { receiver.all.count == 1 }
        #expect(isThere)
        other.stop()
        #expect(outcome.withLock { $0 } == .failure(.stopped))
        other.send(request(receiver.url)) { result in outcome.withLock { $0 = result } }
        #expect(outcome.withLock { $0 } == .failure(.stopped))
    }
}
