public import JSON
internal import Usage
internal import Wire

// A case is one call as a test vector describes it, in the shape of OpenAI's usage objects:
//
//     {"id": "bf39", "model": "gpt-4o", "provider": "openai", "call_type": "completion",
//      "usage": {"prompt_tokens": 1200, "completion_tokens": 80,
//                "prompt_tokens_details": {"cached_tokens": 1000}},
//      "service_tier": "flex", "billed_at": "2026-11-17T02:00:00Z"}
//
// `prompt_tokens` includes cached and cache-written tokens for every provider.

/// A call to be priced, read from one line of a file of cases.
public struct PriceCase: Sendable {
    public var id = ""
    public var model = ""
    public var provider = ""
    /// Preferred over `model`, in this order: a base model by configuration, then what the response
    /// names.
    public var baseModel = ""
    public var responseModel = ""
    public var region = ""
    public var usage = ReportedUsage()
    public var context = PriceContext()
    /// What the provider says the call cost.
    public var reported: ExactUSD?
    /// The caller's own rates; then no list is asked.
    public var ownRow: PriceRow?
    /// Rerankers are billed by searches or tokens: without either nothing is known.
    private var isRerank = false

    public init() {}

    public init(_ json: JSONValue) {
        func text(_ key: String) -> String { json[key]?.string ?? "" }
        id = text("id")
        model = text("model")
        provider = text("provider")
        baseModel = text("base_model")
        responseModel = text("response_model")
        region = text("region_name")
        readUsage(json["usage"] ?? .null)
        readUnits(json)
        readContext(json)
        if let own = json["custom_cost_per_token"] { readOwnRates(own) }
    }
}

extension PriceCase {
    private static func count(_ value: JSONValue?) -> UInt64 {
        decimal(value, scale: 0)
    }

    /// A number, also in quotes, times 10^scale; anything else and less than 0 are 0.
    private static func decimal(_ value: JSONValue?, scale: Int) -> UInt64 {
        guard let text = value?.literal ?? value?.string,
            case .value(let number) = FixedPoint.read(Array(text.utf8).span, scale: scale)
        else { return 0 }
        return UInt64(max(0, number))
    }

    private mutating func readUsage(_ json: JSONValue) {
        func firstCount(_ values: JSONValue?...) -> UInt64 {
            values.lazy.map(Self.count).first { $0 > 0 } ?? 0
        }
        let prompt = json["prompt_tokens_details"] ?? .null
        let answer = json["completion_tokens_details"] ?? .null
        usage.prompt = Self.count(json["prompt_tokens"])
        usage.cached = firstCount(prompt["cached_tokens"], json["cache_read_input_tokens"])
        let cachedParts = prompt["cached_tokens_details"] ?? .null
        usage.cachedParts.text = Self.count(cachedParts["text_tokens"])
        usage.cachedParts.audio = Self.count(cachedParts["audio_tokens"])
        usage.cachedParts.image = Self.count(cachedParts["image_tokens"])
        usage.cacheWrite = firstCount(
            prompt["cache_write_tokens"], prompt["cache_creation_tokens"],
            json["cache_creation_input_tokens"])
        let lifetimes = prompt["cache_creation_token_details"] ?? json["cache_creation"] ?? .null
        usage.cacheWriteHour = Self.count(lifetimes["ephemeral_1h_input_tokens"])
        usage.cacheWriteHalfDay = Self.count(lifetimes["ephemeral_12h_input_tokens"])
        usage.audioInput = Self.count(prompt["audio_tokens"])
        usage.imageInput = Self.count(prompt["image_tokens"])
        usage.videoInput = Self.count(prompt["video_tokens"])
        usage.textInput = prompt["text_tokens"].map { Self.count($0) }
        usage.citation = Self.count(json["citation_tokens"])
        usage.completion = Self.count(json["completion_tokens"])
        usage.reasoning = firstCount(answer["reasoning_tokens"], json["reasoning_tokens"])
        usage.audioOutput = Self.count(answer["audio_tokens"])
        usage.imageOutput = Self.count(answer["image_tokens"])
        usage.videoOutput = Self.count(answer["video_tokens"])
        // xAI counts reasoning beside the answer: then the total is more than the two.
        if provider == "xai", let total = json["total_tokens"],
            Self.count(total) != usage.prompt + usage.completion
        {
            usage.completion += usage.reasoning
        }
        usage.units.inputCharacters = Self.count(prompt["character_count"])
        usage.units.images = Self.count(prompt["image_count"])
        usage.units.videoNanos = Self.decimal(prompt["video_length_seconds"], scale: 9)
        usage.units.audioNanos = Self.decimal(prompt["audio_length_seconds"], scale: 9)
        usage.units.queries = Self.count(prompt["query_count"])
        usage.units.webSearches = firstCount(
            prompt["web_search_requests"],
            (json["server_tool_use"] ?? .null)["web_search_requests"])
        if let cost = json["cost"]?.literal, case .value(let usd) = ExactUSD.read(cost),
            usd >= .zero
        {
            reported = usd
        }
        context.isFast = json["speed"]?.string == "fast"
        context.geo = json["inference_geo"]?.string ?? ""
    }

    private mutating func readUnits(_ json: JSONValue) {
        if let characters = json["characters"] {
            usage.units.inputCharacters = Self.count(characters)
        }
        if let characters = json["completion_characters"] {
            usage.units.outputCharacters = Self.count(characters)
        }
        if let seconds = json["audio_seconds"] {
            usage.units.audioNanos = Self.decimal(seconds, scale: 9)
        }
        usage.units.runningNanos = Self.decimal(json["response_time_ms"], scale: 6)
        if json["call_type"]?.string == "rerank" {
            isRerank = true
            let billed = json["billed_units"] ?? .null
            usage.units.queries = Self.count(billed["search_units"])
            usage.prompt = max(usage.prompt, Self.count(billed["total_tokens"]))
        }
    }

    private mutating func readContext(_ json: JSONValue) {
        func text(_ key: String) -> String { json[key]?.string ?? "" }
        context.tier = PriceContext.tier(
            requested: json["service_tier"]?.string ?? text("requested_service_tier"),
            served: text("response_service_tier"))
        if text("call_type").hasSuffix("retrieve_batch") { context.tier = .batch }
        context.residency = text("data_residency")
        context.location = text("vertex_location")
        if let moment = RFC3339.read(Array(text("billed_at").utf8).span) {
            context.time = floorDivide(moment, RFC3339.nanosPerSecond)
        }
    }

    private mutating func readOwnRates(_ json: JSONValue) {
        var row = PriceRow(provider: provider, key: model)
        for (key, value) in json.members ?? [] {
            guard let rateKey = RateKey(priceFileKey: key),
                let literal = value.literal ?? value.string,
                case .value(let usd) = ExactUSD.read(literal)
            else { continue }
            row.set(rateKey, usd)
        }
        ownRow = row
    }
}

extension PriceCase {
    public struct Answer: Equatable, Sendable {
        public var bill: Bill
        public var row: PriceRow?
        public var match: NameMatch?
    }

    /// The bill by a book. A model that a response names counts when the book knows it.
    public func priced(by book: PriceBook) throws(Unpriced) -> Answer {
        if let ownRow {
            return Answer(
                bill: try PriceEngine.bill(usage, row: ownRow, context: context), row: ownRow,
                match: nil)
        }
        let found = find(in: book)
        if let reported {
            let row = found.map { book.rows[$0.row] }
            // Perplexity's figure includes a fee per request: none of it is the prompt's.
            var computed: Bill?
            if let row, row.provider != "perplexity" {
                do throws(Unpriced) {
                    computed = try PriceEngine.bill(usage, row: row, context: context)
                } catch { computed = nil }
            }
            return Answer(
                bill: PriceEngine.split(reported: reported, by: computed), row: row,
                match: found?.match)
        }
        guard let found else { throw .unknownModel }
        let row = book.rows[found.row]
        if isRerank, usage.units.queries == 0, usage.prompt == 0 { throw .unitMissing(.query) }
        var bill = try PriceEngine.bill(usage, row: row, context: context)
        if let flag = found.match.flag { bill.flags.append(flag) }
        return Answer(bill: bill, row: row, match: found.match)
    }

    private func find(in book: PriceBook) -> PriceBook.Found? {
        for name in [baseModel, responseModel, model] where !name.isEmpty {
            let found = book.find(
                provider: provider, model: name, region: region, at: context.time)
            if let found { return found }
        }
        return nil
    }

    /// `{"id": ..., "prompt_cost_usd": "0.0015", ..., "error": null, "flags": []}` in one line.
    public func answerLine(by book: PriceBook) -> [UInt8] {
        var line: [UInt8] = Array("{\"id\":".utf8)
        line.appendJSONString(id)
        func add(_ key: String, _ value: String?) {
            line += Array(",\"\(key)\":".utf8)
            if let value { line.appendJSONString(value) } else { line += Array("null".utf8) }
        }
        var flags: [String] = []
        do throws(Unpriced) {
            let answer = try priced(by: book)
            guard let total = answer.bill.total else { throw .outOfRange }
            flags = answer.bill.flags
            add("prompt_cost_usd", answer.bill.prompt.decimal)
            add("completion_cost_usd", answer.bill.completion.decimal)
            add("total_cost_usd", total.decimal)
            add("tools_cost_usd", answer.bill.tools.decimal)
            add("row", answer.row?.key)
            add("rule", answer.match?.rule.rawValue)
            add("error", nil)
        } catch {
            for key in ["prompt_cost_usd", "completion_cost_usd", "total_cost_usd"] {
                add(key, nil)
            }
            add("error", "model_not_priced")
            flags = [error.flag]
        }
        line += Array(",\"flags\":[".utf8)
        for (index, flag) in flags.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line.appendJSONString(flag)
        }
        line += Array("]}\n".utf8)
        return line
    }
}

extension Unpriced {
    /// The reason in one word.
    public var flag: String {
        switch self {
        case .unknownModel: "unknown_model"
        case .noRate(let kind): "no_rate_for_\(kind.word)"
        case .unitMissing(let kind): "no_\(kind.word)_reported"
        case .outOfRange: "amount_out_of_range"
        }
    }
}
