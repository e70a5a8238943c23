internal import JSON
internal import PriceFiles
internal import Pricing
internal import Usage
internal import Wire

enum PriceCommand: Command {
    static let name = "price"
    static let summary = "prints what one call costs, with the rate and rule of each kind of token"
    static let operands = ""
    static let flags =
        counts.map { Flag($0.flag, "COUNT", $0.help) } + [
            Flag("provider", "NAME", "as the events name it, such as openai or aws.bedrock"),
            Flag("model", "NAME", "as the events name it"),
            Flag("at", "TIME", "RFC 3339 time or day of the call (default: now)"),
            Flag("service-tier", "TIER", "standard, batch, flex, balanced, priority or ultrafast"),
            Flag(
                "region", "REGION", "data residency, Vertex location or Anthropic geo of the call"),
            Flag("audio-seconds", "SECONDS", "length of sound that is billed by its seconds"),
            Flag("cases", "FILE", "prices a JSONL file of cases, one JSON answer a line"),
            Flag(
                "pricing.file", "FILE",
                "a LiteLLM price file (.json) in place of the built-in list, or one of ours (.yaml) over it"
            ),
            Flag(switch: "pricing.lenient", "leaves out prices with a fault instead of stopping"),
            Flag(switch: "json", "one JSON object instead of text"),
            Flag(switch: "reprice", "has a running costgauge price its stored events again"),
            Flag("url", "URL", "where it listens (default http://127.0.0.1:10838)"),
            ServerToken.flag,
            Flag("since", "TIME", "only events from this time or day on"),
            Flag("until", "TIME", "only events before this time or day"),
            Flag(switch: "dry-run", "tells the difference per model and changes nothing"),
        ]

    private struct Count: Sendable {
        let flag: String
        let help: String
        let path: any WritableKeyPath<ReportedUsage, UInt64> & Sendable
    }

    private static let counts: [Count] = [
        Count(flag: "input-tokens", help: "cached and written ones included", path: \.prompt),
        Count(flag: "cached-input-tokens", help: "of the input", path: \.cached),
        Count(flag: "cache-write-tokens", help: "of the input, all lifetimes", path: \.cacheWrite),
        Count(flag: "cache-write-1h-tokens", help: "of the writes", path: \.cacheWriteHour),
        Count(flag: "cache-write-12h-tokens", help: "of the writes", path: \.cacheWriteHalfDay),
        Count(flag: "audio-input-tokens", help: "of the input", path: \.audioInput),
        Count(flag: "image-input-tokens", help: "of the input", path: \.imageInput),
        Count(flag: "video-input-tokens", help: "of the input", path: \.videoInput),
        Count(flag: "output-tokens", help: "reasoning included", path: \.completion),
        Count(flag: "reasoning-tokens", help: "of the output", path: \.reasoning),
        Count(flag: "audio-output-tokens", help: "of the output", path: \.audioOutput),
        Count(flag: "image-output-tokens", help: "of the output", path: \.imageOutput),
        Count(flag: "input-characters", help: "where billed", path: \.units.inputCharacters),
        Count(flag: "images", help: "where billed by their number", path: \.units.images),
        Count(flag: "queries", help: "of a reranker", path: \.units.queries),
        Count(flag: "web-searches", help: "made by the provider", path: \.units.webSearches),
        Count(flag: "pages", help: "read by a model for documents", path: \.units.pages),
    ]

    static func run(_ arguments: Arguments) throws -> Int32 {
        if arguments.isSet("reprice") { return try RepriceRequest.run(arguments) }
        let book = try book(arguments)
        if let file = arguments["cases"] { return try priceCases(file, book) }
        guard let model = arguments["model"] else {
            throw UsageError(description: "name the model: --model=gpt-4o-mini, or --cases=FILE")
        }
        var call = PriceCase()
        call.model = model
        call.provider = arguments["provider"] ?? ""
        for count in counts {
            guard let text = arguments[count.flag] else { continue }
            guard let value = UInt64(text), value <= Limits.tokensMax else {
                throw UsageError(
                    description:
                        "--\(count.flag): \"\(text)\" is not an integer from 0 to \(Limits.tokensMax)"
                )
            }
            call.usage[keyPath: count.path] = value
        }
        try readContext(arguments, into: &call)
        do throws(Unpriced) {
            let answer = try call.priced(by: book)
            if arguments.isSet("json") {
                write(call.answerLine(by: book), to: 1)
            } else {
                printOutput(BillText.text(answer, book: book))
            }
            return 0
        } catch {
            if arguments.isSet("json") {
                write(call.answerLine(by: book), to: 1)
            } else {
                printError("no price: \(BillText.reason(error, call))\n")
            }
            return 1
        }
    }

    private static func readContext(
        _ arguments: Arguments, into call: inout PriceCase
    ) throws(UsageError) {
        call.context.time = SystemTime().unixNanos / 1_000_000_000
        if let at = arguments["at"] {
            guard let time = PriceDay.start(of: at) else {
                throw UsageError(
                    description: "--at: \"\(at)\" is not a time such as 2026-11-20T10:00:00Z")
            }
            call.context.time = time
        }
        if let tier = arguments["service-tier"] { call.context.tier = ServiceTier(spelling: tier) }
        if let region = arguments["region"] {
            call.context.setRegion(region)
            call.region = region
        }
        if let text = arguments["audio-seconds"] {
            guard case .value(let nanos) = FixedPoint.read(Array(text.utf8).span, scale: 9),
                nanos >= 0
            else { throw UsageError(description: "--audio-seconds: \"\(text)\" is no number") }
            call.usage.units.audioNanos = UInt64(nanos)
        }
    }

    /// The built-in list, the file that takes its place, or the built-in list and a file over it.
    private static func book(_ arguments: Arguments) throws -> PriceBook {
        guard let file = arguments["pricing.file"] else { return BuiltInPrices.book() }
        let bytes: [UInt8]
        do throws(FileError) { bytes = try readFile(file, bytesMax: 64 << 20) } catch {
            throw UsageError(description: "\(file): cannot read it: \(error.cause)")
        }
        let isOurs = file.hasSuffix(".yaml") || file.hasSuffix(".yml")
        let list =
            isOurs
            ? YAMLPriceFile.read(bytes, name: file) : LiteLLMFile.read(bytes, name: file)
        for fault in list.faults.prefix(100) {
            printError("\(fault.isWarning ? "warning" : "fault"): \(fault.description)\n")
        }
        guard list.errors.isEmpty || arguments.isSet("pricing.lenient") else {
            throw UsageError(
                description:
                    "\(file) has \(list.errors.count) faults; --pricing.lenient leaves those models out"
            )
        }
        let now = SystemTime().unixNanos / 1_000_000_000
        var lists = [(origin: PriceBook.Origin(name: file, timestamp: now), rows: list.rows)]
        if isOurs { lists.insert(BuiltInPrices.part(), at: 0) }
        return PriceBook(lists: lists)
    }

    private static func priceCases(_ file: String, _ book: PriceBook) throws -> Int32 {
        let bytes: [UInt8]
        do throws(FileError) { bytes = try readFile(file, bytesMax: 1 << 30) } catch {
            throw UsageError(description: "\(file): cannot read it: \(error.cause)")
        }
        var output: [UInt8] = []
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }) { continue }
            do throws(JSONFault) {
                output += PriceCase(try JSONValue.read(Array(line))).answerLine(by: book)
            } catch {
                write(output, to: 1)
                printError("\(file):\(number): not JSON: \(error.message)\n")
                return 2
            }
            if output.count > 1 << 20 {
                guard write(output, to: 1) else { return 1 }
                output.removeAll(keepingCapacity: true)
            }
        }
        return write(output, to: 1) ? 0 : 1
    }
}
