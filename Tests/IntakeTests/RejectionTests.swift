import TestSupport
import Testing
import Usage

@testable import Intake

@Suite struct RejectionTests {
    /// The one rejection of a body with a good event before and behind the bad one.
    private func reject(_ bad: String) -> Rejection? {
        let good = #"{"tenant":"a","cost_usd":1}"#
        let harness = Harness()
        let report = harness.read("\(good)\n\(bad)\n\(good)")
        #expect(report.read == 2, "the good events beside \(bad) are kept")
        #expect(report.rejections.count == 1, "\(bad)")
        #expect(report.rejections.first?.line == 2 && report.rejections.first?.index == 1, "\(bad)")
        return report.rejections.first
    }

    @Test(
        "P14 each bad field is named with its reason",
        arguments: [
            (#"{"cost_usd":1}"#, "tenant", .missing),
            (#"{"tenant":"","cost_usd":1}"#, "tenant", .missing),
            (#"{"tenant":"a"}"#, "model", .missing),
            (#"{"tenant":"a","input_tokens":1}"#, "model", .missing),
            (#"{"tenant":"a","model":"m"}"#, "input_tokens", .missing),
            (#"{"tenant":7,"cost_usd":1}"#, "tenant", .wrongType),
            (#"{"tenant":"a","model":"m","input_tokens":-3}"#, "input_tokens", .wrongType),
            (#"{"tenant":"a","model":"m","input_tokens":1.0}"#, "input_tokens", .wrongType),
            (#"{"tenant":"a","model":"m","input_tokens":"1"}"#, "input_tokens", .wrongType),
            (
                #"{"tenant":"a","model":"m","output_tokens":4294967296}"#, "output_tokens",
                .wrongType
            ),
            (#"{"tenant":"a","cost_usd":true}"#, "cost_usd", .wrongType),
            (#"{"tenant":"a","cost_usd":"1,5"}"#, "cost_usd", .wrongType),
            (#"{"tenant":"a","cost_usd":"NaN"}"#, "cost_usd", .wrongType),
            (#"{"tenant":"a","cost_usd":-0.01}"#, "cost_usd", .outOfRange),
            (#"{"tenant":"a","cost_usd":1000000.01}"#, "cost_usd", .outOfRange),
            (#"{"tenant":"a","cost_usd":1e300}"#, "cost_usd", .outOfRange),
            (#"{"tenant":"a","cost_usd":1,"timestamp":"yesterday"}"#, "timestamp", .wrongType),
            (#"{"tenant":"a","cost_usd":1,"timestamp":-1}"#, "timestamp", .wrongType),
            (
                #"{"tenant":"a","cost_usd":1,"timestamp":"2026-11-20T10:00:00"}"#, "timestamp",
                .wrongType
            ),
            (#"{"tenant":"a","cost_usd":1,"status":"fine"}"#, "status", .unknownValue),
            (#"{"tenant":"a","cost_usd":1,"stage":"later"}"#, "stage", .unknownValue),
            (#"{"tenant":"a","cost_usd":1,"usage_complete":"yes"}"#, "usage_complete", .wrongType),
            (#"{"tenant":"a","cost_usd":1,"seconds":-1}"#, "seconds", .wrongType),
            (#"{"tenant":"a","cost_usd":1,"tags":[1]}"#, "tags", .wrongType),
            (#"{"tenant":"a","cost_usd":1,"tags":{"k":{}}}"#, "tags.k", .wrongType),
            (#"{"tenant":"a","cost_usd":1,"tags":{"k":"1","k":"2"}}"#, "tags.k", .repeated),
            (#"{"tenant":"a","cost_usd":1,"cost_usd":2}"#, "cost_usd", .repeated),
            (
                #"{"tenant":"a","model":"m","input_tokens":10,"cached_input_tokens":11}"#,
                "cached_input_tokens", .inconsistent
            ),
            (
                #"{"tenant":"a","model":"m","input_tokens":10,"cached_input_tokens":6,"cache_write_tokens":5}"#,
                "cache_write_tokens", .inconsistent
            ),
            (
                #"{"tenant":"a","model":"m","output_tokens":10,"reasoning_tokens":11}"#,
                "reasoning_tokens", .inconsistent
            ),
            (
                #"{"tenant":"a","model":"m","input_tokens":1,"audio_input_tokens":2}"#,
                "audio_input_tokens", .inconsistent
            ),
        ] as [(String, String, RejectReason)])
    func fields(_ bad: String, _ field: String, _ reason: RejectReason) {
        let rejection = reject(bad)
        #expect(rejection?.field == field && rejection?.reason == reason, "\(rejection as Any)")
        #expect(rejection?.message.isEmpty == false)
    }

    @Test func `texts are bounded at their edge`() {
        func event(_ length: Int, _ field: String) -> String {
            let text = String(repeating: "x", count: length)
            return "{\"tenant\":\"a\",\"cost_usd\":1,\"\(field)\":\"\(text)\"}"
        }
        for field in ["user", "id", "conversation"] {
            #expect(Harness().read(event(256, field)).read == 1)
            #expect(reject(event(257, field))?.reason == .tooLong)
        }
        // Escapes count as what they stand for.
        let escaped = String(repeating: "\\n", count: 256)
        #expect(Harness().read("{\"tenant\":\"\(escaped)\",\"cost_usd\":1}").read == 1)
    }

    @Test func `tags are bounded in number and size`() {
        func event(_ count: Int, _ value: String = "v") -> String {
            let tags = (0..<count).map { "\"k\($0)\":\"\(value)\"" }.joined(separator: ",")
            return "{\"tenant\":\"a\",\"cost_usd\":1,\"tags\":{\(tags)}}"
        }
        #expect(Harness().read(event(32)).read == 1)
        #expect(reject(event(33))?.reason == .tooMany)
        #expect(reject(event(20, String(repeating: "v", count: 250)))?.reason == .tooLong)
    }

    @Test(
        "P14 a broken line is named and its neighbours are kept",
        arguments: [
            #"{"tenant":"a","cost_usd":12x}"#, #"{"tenant":"a","cost_usd":1"#,
            #"{"tenant":"a" "x"}"#,
            #"{"tenant":"a","cost_usd":1"#, "nonsense", "{]", "42", #""text""#,
            #"{"tenant":"a","cost_usd":1}}"#,
            #"{"tenant":"a\x","cost_usd":1}"#, #"{"x":tru,"tenant":"a","cost_usd":1}"#,
            #"{"tenant":"a","cost_usd":1,}"#, #"{"tenant":"unclosed,"cost_usd":1}"#,
        ])
    func lines(_ bad: String) {
        let good = #"{"tenant":"a","cost_usd":1}"#
        let report = Harness().read("\(good)\n\(good)\n\(bad)\n\(good)\n")
        #expect(report.rejections.map(\.line) == [3], "\(report.rejections)")
        #expect(report.rejections.first?.offset != nil || report.rejections.first?.field != "")
        // A line with a good event and then rubbish gives the event and the rejection.
        #expect(report.read == 3 || (bad.hasSuffix("}}") && report.read == 4))
    }

    @Test func `bad bytes spoil their line only`() {
        let good = Array("{\"tenant\":\"a\",\"cost_usd\":1}\n".utf8)
        let bad: [[UInt8]] = [
            [0x22, 0xff, 0xfe, 0x22], Array("{\"tenant\":\"\u{1}\",\"cost_usd\":1}".utf8),
            [0, 0, 0],
            [0xed, 0xa0, 0x80],
        ]
        for line in bad {
            let result = Harness().read(good + line + [0x0a] + good)
            #expect(result.report.read == 2, "\(line): \(result.report.rejections)")
            #expect(result.report.rejections.map(\.line) == [2])
        }
    }

    @Test func `an array keeps what stands before its fault`() {
        let good = #"{"tenant":"a","cost_usd":1}"#
        var report = Harness().read("[\(good),\n{\"tenant\":\"a\",\"cost_usd\":-1},\n\(good)]")
        #expect(report.read == 2 && report.rejections.map(\.line) == [2])
        #expect(report.rejections.map(\.index) == [1] && report.textFaults == 0)
        report = Harness().read("[\(good),\(good) \(good)]")
        #expect(report.read == 2 && report.textFaults == 1)
        #expect(report.rejections.first?.offset == 2 * good.utf8.count + 3)
        report = Harness().read("[\(good)] trailing")
        #expect(report.read == 1 && report.textFaults == 1)
        #expect(Harness().read("[]").read == 0)
        #expect(Harness().read("[]").rejections == [])
    }

    @Test(
        "P14 in an array a bad element is named and its neighbours are kept",
        arguments: [
            "5", "null", "\"text\"", "[1,{}]", #"{"tenant":"\ud800","cost_usd":1}"#,
            #"{"tenant":"a\x","cost_usd":1}"#, #"{"tenant":"a","cost_usd":12x}"#, #"{"x":tru}"#,
            #"{"tenant" "a"}"#, #"{"tenant":"a","tags":{"k":"\q"}}"#, #"{"tenant":"a",}"#,
        ])
    func elements(_ bad: String) {
        let good = #"{"tenant":"a","cost_usd":1}"#
        let report = Harness().read("[\(good),\n\(bad),\(good), \(bad) ,\(good)]")
        #expect(report.read == 3, "\(report.rejections)")
        #expect(report.rejections.map(\.index) == [1, 3] && report.rejections.first?.line == 2)
    }

    @Test func `a byte order mark is passed over`() {
        let body: [UInt8] = [0xef, 0xbb, 0xbf] + Array("{\"tenant\":\"a\",\"cost_usd\":1}\n".utf8)
        #expect(Harness().read(body).report.read == 1)
    }

    @Test func `an event over several lines is one fault, not many`() {
        let report = Harness().read(
            "{\n  \"tenant\": \"a\",\n  \"cost_usd\": 1,,\n  \"user\": \"u\"\n}")
        #expect(report.read == 0 && report.rejections.count == 1)
        #expect(report.rejections.first?.line == 3)
        #expect(
            Harness().read(
                "{\n\"tenant\":\"a\",\n\"cost_usd\":1}\n\n{\"tenant\":\"b\",\"cost_usd\":2}"
            ).read == 2)
    }

    @Test(arguments: ["", "   \n\t", "not json", "{"])
    func `a body with nothing in it is a fault of the text`(_ body: String) {
        let report = Harness().read(body)
        #expect(report.read == 0 && report.textFaults == 1 && report.rejectedCount == 1)
    }

    @Test func `rejections are listed up to their bound and all counted`() {
        let report = Harness().read(String(repeating: "{\"tenant\":\"a\"}\n", count: 1500))
        #expect(report.rejections.count == 1000 && report.rejectedCount == 1500)
        #expect(report.reasons == [.missing: 1500])
        #expect(report.rejections.last?.line == 1000)
    }

    @Test func `a body holds a bounded number of events`() {
        let line = "{\"tenant\":\"a\",\"cost_usd\":1}\n"
        let full = Harness()
        #expect(full.read(String(repeating: line, count: 100_000)).rejections == [])
        let over = Harness()
        let report = over.read(String(repeating: line, count: 100_005))
        #expect(report.read == 100_000 && report.reasons == [.tooMany: 1])
    }
}

@Suite struct EventReaderTests {
    @Test func `a body of many slices and batches comes out whole and in order`() {
        let harness = Harness()
        let count = 20_000
        let body = (0..<count).map {
            "{\"id\":\"e\($0)\",\"tenant\":\"t\($0 % 7)\",\"user\":\"u\\n\($0)\",\"cost_usd\":0.\($0 + 100_000),"
                + "\"feature\":\"\(String(repeating: "f", count: $0 % 100))\"}"
        }.joined(separator: "\n")
        #expect(body.utf8.count > 2 * EventReader.sliceBytes)
        let (report, outcome) = harness.read(Array(body.utf8))
        #expect(report.read == count && outcome.accepted == count && report.rejections == [])
        for index in stride(from: 0, to: count, by: 37) {
            #expect(harness.text(index, \.id) == "e\(index)")
            #expect(harness.text(index, \.user) == "u\n\(index)")
            #expect(
                harness.sink.events[index].0.amount?.nanos == Int64(index + 100_000) * 1000)
        }
    }

    @Test func `mutated bodies never trap, and what is read is accounted for`() {
        var random = SeededRandom(seed: 2026)
        let seed = Array(
            """
            {"id":"evt_1","timestamp":"2026-11-20T09:59:00Z","tenant":"a\\u00e9","tags":{"k":"v"},"cost_usd":"1.5"}
            [{"tenant":"b","model":"m","input_tokens":12,"output_tokens":3,"x":[1,{"y":null}]}]
            {"tenant":"c","cost_usd":1e-3,"stage":"execution"}
            """.utf8)
        let harness = Harness()
        let alphabet = Array("{}[]\",:\\ntrue-0129.eE \n\u{0}".utf8) + [0xff, 0xc3]
        for _ in 0..<20_000 {
            var body = seed
            for _ in 0...random.below(6) {
                switch random.below(3) {
                case 0: body[random.below(body.count)] = random.pick(alphabet)
                case 1: body.remove(at: random.below(body.count))
                default: body.insert(random.pick(alphabet), at: random.below(body.count))
                }
            }
            if random.chance(10) { body.removeLast(random.below(body.count)) }
            let (report, outcome) = harness.read(body)
            #expect(outcome.accepted == report.read && report.rejectedCount >= report.textFaults)
            #expect(report.read > 0 || report.rejectedCount > 0 || report.rejections.isEmpty)
        }
    }
}
