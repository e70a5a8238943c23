// What pricing an event costs, and reading a price file of 3 MB:
// `swift run -c release pricing-bench [model_prices_and_context_window.json]`.

internal import Glibc
internal import Pricing
internal import Usage
internal import Wire

func cpuNanos() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

func readFile(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return bytes }
        bytes.append(contentsOf: chunk.prefix(count))
    }
}

/// The built-in list with the members that LiteLLM's has beside the prices: 3 MB like that one.
func largeFile() -> [UInt8] {
    var text: [UInt8] = Array("{".utf8)
    for row in BuiltInPrices.list().rows {
        if text.count > 1 { text += Array(",".utf8) }
        text += Array("\"\(row.key)\":{\"litellm_provider\":\"\(row.provider)\"".utf8)
        text += Array(",\"mode\":\"\(row.mode)\",\"max_input_tokens\":128000".utf8)
        for rate in row.rates {
            text += Array(",\"\(rate.key.priceFileKey)\":\(rate.usd.decimal)".utf8)
        }
        for ability in [
            "function_calling", "vision", "prompt_caching", "reasoning", "audio_input",
            "response_schema", "tool_choice", "system_messages", "pdf_input", "web_search",
        ] {
            text += Array(",\"supports_\(ability)\":true".utf8)
        }
        text += Array(
            ",\"supported_modalities\":[\"text\",\"image\"],\"source\":\"https://example.com/pricing\","
                .utf8)
        text += Array("\"supported_endpoints\":[\"/v1/chat/completions\",\"/v1/responses\"]}".utf8)
    }
    return text + Array("}".utf8)
}

func events(_ names: Names) -> EventRows {
    let models = [
        ("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("openai", "gpt-4.1-2025-04-14"),
        ("anthropic", "claude-sonnet-4-5-20250929"), ("anthropic", "claude-haiku-4-5"),
        ("gemini", "gemini-2.5-pro"),
        ("aws.bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("mistral", "mistral-large-latest"),
    ]
    var rows = EventRows()
    for index in 0..<EventBatch.capacity {
        var event = CostEvent()
        let (provider, model) = models[index &* 7919 % models.count]
        event.provider = names.intern(provider)
        event.model = names.intern(model)
        event.tenant = names.intern("tenant-\(index % 40)")
        event.tokens.input = UInt32(index % 9000)
        event.tokens.cachedInput = event.tokens.input / 3
        event.tokens.output = UInt32(index % 700)
        event.timestamp = BuiltInPrices.timestamp * 1_000_000_000 + Int64(index)
        rows.events.append(event)
    }
    return rows
}

func run() {
    let names = Names(hash: SeededHash(seed: 1))
    let pricer = Pricer(book: BuiltInPrices.book(), names: names)
    var rows = events(names)
    let rounds = 4000
    var (priced, best) = (0.0, Double.infinity)
    for _ in 0..<5 {
        let began = cpuNanos()
        for _ in 0..<rounds {
            for index in rows.events.indices { rows.events[index].cost = CostEvent.noCost }
            pricer.price(&rows, rows.events.indices)
        }
        best = min(best, (cpuNanos() - began) / Double(rounds * rows.events.count))
        priced += Double(rows.events.count { $0.amount != nil })
    }
    let unpriced = rows.events.count { $0.amount == nil }
    print("pricing an event: \(Int(best.rounded())) ns (target: 60; \(unpriced) without a price)")

    let path = CommandLine.arguments.dropFirst().first
    let bytes = path.map { readFile($0) } ?? largeFile()
    var fastest = Double.infinity
    var list = PriceList(name: "")
    for _ in 0..<5 {
        let began = cpuNanos()
        list = LiteLLMFile.read(bytes, name: "large.json")
        fastest = min(fastest, cpuNanos() - began)
    }
    print(
        "reading \(bytes.count / 1000) kB of LiteLLM's prices: \(Int(fastest / 1e6)) ms (target: 200; "
            + "\(list.rows.count) rows, \(list.errors.count) faults)")
}

run()
