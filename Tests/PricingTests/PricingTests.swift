import TestSupport
import Testing
import Usage
import Wire

@testable import Pricing

@Suite struct PriceRowTests {
    private func row(input: Int64?, cached: Int64? = nil, output: Int64? = nil) -> PriceRow {
        var row = PriceRow(provider: "p", model: "m")
        row.input = input
        row.cachedInput = cached
        row.output = output
        return row
    }

    private func tokens(_ input: UInt32, cached: UInt32 = 0, output: UInt32 = 0) -> TokenCounts {
        var tokens = TokenCounts()
        tokens.input = input
        tokens.cachedInput = cached
        tokens.output = output
        return tokens
    }

    @Test func `P3 the cost is rounded once, half away from zero`() {
        // 0.0375 dollars a million: 37.5 million femto-dollars a token.
        let cheap = row(input: 37_500_000)
        #expect(cheap.cost(of: tokens(1)) == NanoUSD(nanos: 38))
        #expect(cheap.cost(of: tokens(2)) == NanoUSD(nanos: 75))
        #expect(cheap.cost(of: tokens(1_000_000)) == NanoUSD(nanos: 37_500_000))
        #expect(row(input: 499_999).cost(of: tokens(1)) == .zero)
    }

    @Test func `kinds without a rate of their own take the input or output rate`() {
        let price = row(input: 1_000_000, output: 4_000_000)
        #expect(price.cost(of: tokens(100, cached: 60, output: 10)) == NanoUSD(nanos: 140))
        let discounted = row(input: 1_000_000, cached: 100_000, output: 4_000_000)
        #expect(discounted.cost(of: tokens(100, cached: 60, output: 10)) == NanoUSD(nanos: 86))
        let free = row(input: 1_000_000, cached: 0)
        #expect(free.cost(of: tokens(100, cached: 60)) == NanoUSD(nanos: 40))
    }

    @Test func `P4 tokens without any rate have no cost, not a cost of zero`() {
        #expect(row(input: 1_000_000).cost(of: tokens(1, output: 1)) == nil)
        #expect(row(input: nil, output: 1).cost(of: tokens(1)) == nil)
        #expect(
            row(input: nil, output: 1_000_000).cost(of: tokens(0, output: 2)) == NanoUSD(nanos: 2))
    }

    @Test func `the largest usage at the largest rate does not overflow`() {
        #expect(row(input: Int64.max).cost(of: tokens(.max)) == nil)
        #expect(row(input: 1_000_000).cost(of: tokens(.max)) == NanoUSD(nanos: 4_294_967_295))
    }

    @Test func `a sandbox costs its size times its seconds`() {
        var row = PriceRow(provider: "e2b", model: "sandbox")
        row.vcpuSecond = 14_000_000_000
        row.gibSecond = 4_500_000_000
        // Two vCPUs and half a GiB for 1.5 s: (2 x 0.000014 + 0.5 x 0.0000045) x 1.5.
        #expect(
            row.cost(computeMicros: 1_500_000, vcpuMilli: 2000, gibMilli: 500)
                == NanoUSD(nanos: 45_375))
    }
}

@Suite struct BuiltInPricesTests {
    private let book = BuiltInPrices.book()

    private func row(_ provider: String, _ model: String) -> PriceRow? {
        book.find(provider: provider, model: model).map { book.rows[$0] }
    }

    @Test func `the list covers the providers that people use`() {
        #expect(book.rows.count == 860)
        let providers = Set(book.rows.map(\.provider))
        for provider in [
            "openai", "anthropic", "gemini", "vertex_ai", "azure", "bedrock", "mistral", "deepseek",
            "cohere", "xai",
        ] {
            #expect(providers.contains(provider))
        }
    }

    @Test func `rates are read exactly`() {
        let mini = row("openai", "gpt-4o-mini")
        #expect(mini?.input == 150_000_000 && mini?.cachedInput == 75_000_000)
        #expect(mini?.output == 600_000_000)
        let haiku = row("anthropic", "claude-haiku-4-5")
        #expect(haiku?.cacheWrite == 1_250_000_000)
        // A row with quoted cells.
        #expect(row("deepseek", "deepseek-flash")?.cachedInput == 6_000_000)
        #expect(
            row("e2b", "sandbox")?.vcpuSecond
                ?? book.rows.first { $0.provider == "e2b" }?.vcpuSecond == 14_000_000_000)
    }

    @Test(
        arguments: [
            ("openai", "GPT-4o-Mini", "openai"), ("", "gpt-4o-mini", "openai"),
            ("", "openai/gpt-4o-mini", "openai"), ("openai", "openai/gpt-4o-mini", "openai"),
            ("azure.ai.openai", "gpt-4o-mini", "azure"), ("aws.bedrock", "zai.glm-4.7", "bedrock"),
            ("mistral_ai", "codestral-embed", "mistral"), ("", "claude-haiku-4-5", "anthropic"),
        ])
    func `names in use find their row`(_ provider: String, _ model: String, _ owner: String) {
        #expect(row(provider, model)?.provider == owner)
    }

    @Test(
        arguments: [
            ("openai", "gpt-9"), ("", "gpt-9"), ("anthropic", "gpt-4o-mini"), ("", ""),
            ("nobody", "gpt-4o-mini"), ("openai", "anthropic/claude-haiku-4-5"),
        ])
    func `P4 what is not known is not guessed`(_ provider: String, _ model: String) {
        #expect(row(provider, model) == nil)
    }
}

@Suite struct PricerTests {
    private let names = Names(hash: SeededHash(seed: 1))

    private func event(_ provider: String, _ model: String, input: UInt32 = 0) -> CostEvent {
        var event = CostEvent()
        event.provider = names.intern(provider)
        event.model = names.intern(model)
        event.tokens.input = input
        return event
    }

    private func price(_ events: [CostEvent]) -> [CostEvent] {
        let pricer = Pricer(book: BuiltInPrices.book(), names: names)
        var rows = EventRows()
        rows.events = events
        pricer.price(&rows, 0..<events.count)
        return rows.events
    }

    @Test func `a reported amount wins`() {
        var reported = event("openai", "gpt-4o-mini", input: 1_000_000)
        reported.amount = NanoUSD(nanos: 7)
        reported.costSource = .reported
        let priced = price([reported])
        #expect(priced[0].amount == NanoUSD(nanos: 7) && priced[0].costSource == .reported)
    }

    @Test func `P4 an unknown model stays unpriced`() {
        let priced = price([event("openai", "gpt-9", input: 5), event("openai", "gpt-9", input: 6)])
        #expect(priced.allSatisfy { $0.amount == nil && $0.costSource == .unpriced })
    }

    @Test func `a missing provider is filled in from the row`() {
        let priced = price([event("", "gpt-4o-mini", input: 1_000_000)])
        #expect(priced[0].amount == NanoUSD(nanos: 150_000_000))
        #expect(names.text(priced[0].provider) == "openai")
    }

    @Test func `characters stand in for tokens and say so`() {
        var chars = event("openai", "gpt-4o-mini")
        chars.textInputChars = 4_000_001
        let priced = price([chars])
        #expect(priced[0].tokens.input == 1_000_001 && priced[0].costSource == .estimated)
        #expect(priced[0].amount == NanoUSD(nanos: 150_000_150))
    }

    @Test func `P4 what is billed by other units than tokens is not called free`() {
        var rerank = event("cohere", "rerank-v3.5", input: 100)
        rerank.tokens.output = 0
        var whisper = event("openai", "whisper-1")
        whisper.computeMicros = 60_000_000
        let priced = price([rerank, whisper])
        #expect(priced.map(\.amount) == [nil, nil])
    }

    @Test func `a sandbox without a size has the default one, an unknown kind no price`() {
        var standard = CostEvent()
        standard.resource = names.intern("e2b.standard")
        standard.computeMicros = 3_600_000_000
        var gpu = standard
        gpu.resource = names.intern("e2b.gpu")
        gpu.vcpuMilli = 4000
        let priced = price([standard, gpu])
        // Two vCPUs and half a GiB for an hour.
        #expect(priced[0].amount == NanoUSD(nanos: 108_900_000))
        #expect(priced[1].amount == nil)
    }

    @Test func `a sandbox is priced by its resource`() {
        var sandbox = CostEvent()
        sandbox.resource = names.intern("e2b.standard")
        sandbox.computeMicros = 1_000_000
        sandbox.vcpuMilli = 1000
        let priced = price([sandbox])
        #expect(
            priced[0].amount == NanoUSD(nanos: 14_000) && names.text(priced[0].provider) == "e2b")
    }

    @Test func `the cache answers like the book, however many models there are`() {
        var cache = PriceCache()
        for key in 0..<UInt64(PriceCache.countMax) {
            cache.insert(key, PriceCache.Match(row: Int(key), provider: 1))
        }
        #expect(cache.find(0)?.row == 0 && cache.find(65_535)?.row == 65_535)
        #expect(cache.find(65_536) == nil)
        cache.insert(65_536, PriceCache.Match(row: -1, provider: 0))
        #expect(cache.count == 1 && cache.find(65_536)?.row == -1 && cache.find(0) == nil)
    }
}
