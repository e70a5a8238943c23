internal import HTTPClient
internal import JSON
internal import Wire

/// `costgauge price --reprice`: asks a running costgauge and prints what it answered.
enum RepriceRequest {
    /// Pricing millions of events again takes its time.
    private static let totalMillis = 3_600_000

    static func run(_ arguments: Arguments) throws -> Int32 {
        var body: [UInt8] = Array("{\"dry_run\":\(arguments.isSet("dry-run"))".utf8)
        for key in ["since", "until"] {
            guard let text = arguments[key] else { continue }
            body += Array(",\"\(key)\":".utf8)
            body.appendJSONString(text)
        }
        body.append(UInt8(ascii: "}"))
        let base = arguments["url"] ?? "http://127.0.0.1:10838"
        let outcome = try RunningServer.with(base, arguments) { server in
            server.post(
                "/v1/prices/reprice", body, type: "application/json", totalMillis: totalMillis)
        }
        switch outcome {
        case .success(let response):
            if arguments.isSet("json") || response.status != 200 {
                write(response.body, to: response.status == 200 ? 1 : 2)
            } else {
                printOutput(try text(JSONValue.read(response.body)))
            }
            return response.status == 200 ? 0 : 1
        case .failure(let failure):
            throw UsageError(
                description: "\(base): \(failure); name a running costgauge with --url")
        }
    }

    private static func text(_ report: JSONValue) -> String {
        func count(_ key: String) -> String { report[key]?.literal ?? "0" }
        var text = ""
        for model in report["models"]?.array ?? [] {
            func field(_ key: String) -> String { model[key]?.string ?? "" }
            text +=
                "\(field("provider")) \(field("model")): \(model["events"]?.literal ?? "0") events, "
            text +=
                "$\(field("before_usd")) -> $\(field("after_usd")) (\(field("difference_usd")))\n"
        }
        text += "\(count("events")) events looked at, \(count("adjusted")) with a difference, "
        text += "\(count("still_unpriced")) still without a price\n"
        if report["dry_run"]?.boolean == true { text += "nothing was changed\n" }
        return text
    }
}
