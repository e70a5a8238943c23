import Gzip
import HTTPClient
import Logging
import SelfMetrics
import Synchronization
import TestSupport
import Testing
import Usage
import Wire

@testable import OTLPPush
@testable import Protobuf

/// Answers as a script says, at once.
private final class ScriptedTransport: HTTPTransport {
    private struct State {
        var answers: [HTTPClientOutcome]
        var requests: [HTTPClientRequest] = []
    }

    private let state: Mutex<State>

    init(_ answers: [HTTPClientOutcome]) { state = Mutex(State(answers: answers)) }

    var requests: [HTTPClientRequest] { state.withLock { $0.requests } }

    func send(
        _ request: HTTPClientRequest,
        completion: @escaping @Sendable (HTTPClientOutcome) -> Void
    ) {
        let answer = state.withLock { state -> HTTPClientOutcome in
            state.requests.append(request)
            return state.answers.isEmpty
                ? .success(HTTPClientResponse(status: 200)) : state.answers.removeFirst()
        }
        completion(answer)
    }
}

/// Field by field, as far as a test looks: (metric, label value) -> number.
private func decoded(_ body: [UInt8]) throws -> [String: Double] {
    func fields(_ range: Range<Int>) throws -> [ProtobufField] {
        var reader = ProtobufReader(range)
        var found: [ProtobufField] = []
        while let field = try reader.next(body.span) { found.append(field) }
        return found
    }
    func text(_ range: Range<Int>) -> String { String(decoding: body[range], as: UTF8.self) }
    var result: [String: Double] = [:]
    for resource in try fields(0..<body.count) {
        for scope in try fields(resource.range) where scope.number == 2 {
            for metric in try fields(scope.range) where metric.number == 2 {
                let parts = try fields(metric.range)
                let name = text(parts[0].range)
                guard let data = parts.first(where: { $0.number >= 5 }) else { continue }
                for point in try fields(data.range) where point.number == 1 {
                    let members = try fields(point.range)
                    let labels = try members.filter {
                        $0.kind == .bytes && $0.number == (data.number == 9 ? 9 : 7)
                    }.map { try fields(try fields($0.range)[1].range)[0].range }
                    let key = ([name] + labels.map(text)).joined(separator: "/")
                    for member in members {
                        switch (data.number, member.number) {
                        case (5, 4), (7, 4): result[key] = try member.double()
                        case (5, 6), (7, 6): result[key] = Double(try member.fixed64())
                        case (9, 4): result[key + "/count"] = Double(try member.fixed64())
                        case (9, 5): result[key + "/sum"] = try member.double()
                        default: break
                        }
                    }
                }
            }
        }
    }
    return result
}

private final class PagePusher: Sendable {
    let transport: ScriptedTransport
    let page = Mutex("")
    let metrics = SelfMetrics(rejectReasons: [])
    private let pusher = Mutex<OTLPPusher?>(nil)

    init(
        _ temporality: PushSettings.Temporality, compressed: Bool = false,
        _ answers: [HTTPClientOutcome] = []
    ) {
        transport = ScriptedTransport(answers)
        var settings = PushSettings(url: Secret("http://127.0.0.1:1/v1/metrics"))
        settings.temporality = temporality
        settings.isCompressed = compressed
        settings.resource = [("service.name", "x")]
        let made = OTLPPusher(
            settings: settings, version: "1", transport: transport, time: ManualTime(),
            random: { 0 }, hash: SeededHash(seed: 1), metrics: metrics,
            log: Logger(level: .error, format: .logfmt, time: ManualTime())
        ) { [weak self] in Array((self?.page.withLock { $0 } ?? "").utf8) }
        pusher.withLock { $0 = made }
    }

    @discardableResult
    func push(_ text: String) -> (isDone: Bool, retryAfterSeconds: UInt64?) {
        page.withLock { $0 = text }
        guard let pusher = pusher.withLock({ $0 }) else { return (false, nil) }
        return pusher.push()
    }

    func values(_ index: Int) throws -> [String: Double] {
        try decoded(transport.requests[index].body)
    }
}

private func counter(_ value: String) -> String {
    "# TYPE costgauge_cost_usd counter\n# UNIT costgauge_cost_usd usd\n"
        + "costgauge_cost_usd_total{tenant=\"a\\\"},{b\"} \(value)\n"
}

private func response(_ status: Int, retryAfter: String? = nil) -> HTTPClientOutcome {
    .success(HTTPClientResponse(status: status, retryAfter: retryAfter))
}

@Suite struct PusherTests {
    @Test func `a delta that was not taken is part of the next one`() throws {
        let pusher = PagePusher(
            .delta, [response(503), .failure(.cannotConnect), response(200), response(200)])
        let key = "costgauge.cost.usd/a\"},{b"
        #expect(!pusher.push(counter("1.5")).isDone)
        #expect(!pusher.push(counter("2.5")).isDone)
        #expect(pusher.push(counter("4")).isDone)
        #expect(pusher.push(counter("4.25")).isDone)
        #expect(
            try (0..<4).map { try pusher.values($0)[key] } == [1.5, 2.5, 4, 0.25])
        // Nothing new is no point, and no request.
        #expect(pusher.push(counter("4.25")).isDone)
        #expect(pusher.transport.requests.count == 4)
        #expect(pusher.metrics.snapshot.pushesTaken == 2)
        #expect(pusher.metrics.snapshot.pushesFailed == 2)
    }

    @Test func `what was refused for good is not told again`() throws {
        let pusher = PagePusher(.delta, [response(400)])
        pusher.push(counter("1"))
        pusher.push(counter("3"))
        #expect(try pusher.values(1).values.map { $0 } == [2])
    }

    @Test func `histograms are told by their increase`() throws {
        func histogram(_ low: Int, _ all: Int, _ sum: String) -> String {
            """
            # TYPE costgauge_request_cost_usd histogram
            costgauge_request_cost_usd_bucket{provider="p",le="0.1"} \(low)
            costgauge_request_cost_usd_bucket{provider="p",le="+Inf"} \(all)
            costgauge_request_cost_usd_sum{provider="p"} \(sum)
            costgauge_request_cost_usd_count{provider="p"} \(all)

            """
        }
        let pusher = PagePusher(.delta)
        pusher.push(histogram(1, 2, "3"))
        pusher.push(histogram(2, 5, "3.75"))
        let key = "costgauge.request.cost.usd/p"
        #expect(try pusher.values(0) == [key + "/count": 2, key + "/sum": 3])
        #expect(try pusher.values(1) == [key + "/count": 3, key + "/sum": 0.75])
    }

    @Test func `gauges and cumulative counters are told as they are`() throws {
        let page = counter("0.1") + "# TYPE costgauge_series gauge\ncostgauge_series 12\n# EOF\n"
        let pusher = PagePusher(.cumulative)
        for index in 0..<2 {
            pusher.push(page)
            #expect(
                try pusher.values(index)
                    == ["costgauge.cost.usd/a\"},{b": 0.1, "costgauge.series": 12])
        }
    }

    @Test func `a receiver that asks for patience gets it`() {
        let pusher = PagePusher(.cumulative, [response(429, retryAfter: "7"), response(500)])
        #expect(pusher.push(counter("1")).retryAfterSeconds == 7)
        // 500 is none of the four codes that ask for another attempt.
        #expect(pusher.push(counter("1")).isDone)
        #expect(pusher.transport.requests.count == 2)
    }

    @Test func `points that the receiver did not take are counted`() {
        let body: [UInt8] = [0x0a, 0x07, 0x08, 0x03, 0x12, 0x03, 0x62, 0x61, 0x64]
        let pusher = PagePusher(
            .cumulative, [.success(HTTPClientResponse(status: 200, body: body))])
        #expect(pusher.push(counter("1")).isDone)
        #expect(pusher.metrics.snapshot.rejectedPoints == 3)
    }

    @Test func `a page of many series goes out in requests of less than 4 MiB`() throws {
        var page = "# TYPE costgauge_cost_usd counter\n"
        let label = String(repeating: "x", count: 200)
        for index in 0..<40_000 {
            page += "costgauge_cost_usd_total{tenant=\"\(label)\(index)\"} \(index)\n"
        }
        let pusher = PagePusher(.cumulative)
        pusher.push(page)
        let sizes = pusher.transport.requests.map(\.body.count)
        #expect(sizes.count > 2 && sizes.allSatisfy { $0 < 4 << 20 }, "\(sizes)")
        let all = try (0..<sizes.count).map { try pusher.values($0) }
        #expect(all.reduce(0) { $0 + $1.count } == 40_000)
        let sum: Double = all.flatMap(\.values).reduce(0, +)
        #expect(sum == 799_980_000)
    }

    @Test func `a compressed request says so`() throws {
        let pusher = PagePusher(.cumulative, compressed: true)
        pusher.push(counter("1"))
        let request = pusher.transport.requests[0]
        #expect(request.headers.contains { $0.name == "Content-Encoding" && $0.value == "gzip" })
        var body: [UInt8] = []
        try Inflater.inflate(request.body.span, into: &body, limit: 1 << 20)
        #expect(try decoded(body).count == 1)
    }
}

@Suite struct PushScheduleTests {
    @Test func `the wait grows to its bound and starts again after a success`() {
        var schedule = PushSchedule(intervalNanos: 15_000_000_000)
        var delays: [Double] = []
        for _ in 0..<7 {
            // A random number of half the span gives the middle.
            let delay = schedule.failed(retryAfterSeconds: nil, random: 0)
            delays.append(Double(delay) * 2 / 1e9)
        }
        #expect(delays == [5, 7.5, 11.25, 16.875, 25.3125, 30, 30])
        #expect(schedule.succeeded() == 15_000_000_000)
        #expect(schedule.failed(retryAfterSeconds: nil, random: 0) == 2_500_000_000)
    }

    @Test func `the spread is half to either side`() {
        var schedule = PushSchedule(intervalNanos: 1)
        #expect(schedule.failed(retryAfterSeconds: nil, random: 5_000_000_000) == 7_500_000_000)
    }

    @Test func `what the receiver asks for is waited out, within reason`() {
        var schedule = PushSchedule(intervalNanos: 1)
        #expect(schedule.failed(retryAfterSeconds: 60, random: 0) == 60_000_000_000)
        #expect(schedule.failed(retryAfterSeconds: 1_000_000, random: 0) == 300_000_000_000)
        #expect(schedule.failed(retryAfterSeconds: 0, random: 0) > 0)
    }
}
