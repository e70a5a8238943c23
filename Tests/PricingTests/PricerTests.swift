import TestSupport
import Testing
import Usage
import Wire

@testable import Pricing

@Suite struct PricerTests {
    private let names = Names(hash: SeededHash(seed: 1))

    private func event(_ provider: String, _ model: String, input: UInt32 = 0) -> CostEvent {
        var event = CostEvent()
        event.provider = names.intern(provider)
        event.model = names.intern(model)
        event.tokens.input = input
        event.timestamp = BuiltInPrices.timestamp * 1_000_000_000
        return event
    }

    private func usd(_ text: String) -> ExactUSD {
        guard case .value(let usd) = ExactUSD.read(text) else { return .zero }
        return usd
    }

    private func price(_ events: [CostEvent], _ book: PriceBook = Vectors.builtIn) -> [CostEvent] {
        let pricer = Pricer(book: book, names: names)
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

    @Test func `P4 a price of one's own for tokens leaves that of web searches as it was`() {
        let list = Vectors.builtIn
        func own(search: ExactUSD?) -> PriceBook {
            var row = PriceRow(provider: "openai", key: "openai/gpt-4o-mini")
            row.set(RateKey(.input), ExactUSD(units: 0))
            row.set(RateKey(.output), usd("0.0000005"))
            row.searchMedium = search
            row.isSearchPerQuery = search != nil
            return list.replacing(stored: [row], timestamp: 0)
        }
        var call = event("openai", "gpt-4o-mini", input: 1000)
        call.tokens.output = 1000
        call.webSearches = 2
        let searches = price([call], list)[0].amount?.nanos ?? 0
        call.webSearches = 0
        let tokens = price([call], list)[0].amount?.nanos ?? 0
        call.webSearches = 2
        #expect(searches - tokens == 50_000_000)
        #expect(price([call], own(search: nil))[0].amount?.nanos == 50_500_000)
        #expect(price([call], own(search: usd("0.001")))[0].amount?.nanos == 2_500_000)
        // One that no list knows has no price for them at all.
        var other = PriceRow(provider: "own", key: "own/model")
        other.set(RateKey(.output), usd("0.0000005"))
        var strange = event("own", "model")
        strange.tokens.output = 1000
        let book = list.replacing(stored: [other], timestamp: 0)
        #expect(price([strange], book)[0].amount?.nanos == 500_000)
        strange.webSearches = 1
        let partly = price([strange], book)[0]
        #expect(partly.amount?.nanos == 500_000 && partly.costSource == .estimated)
        #expect(partly.flags.contains(.lacksSearchPrice))
        // Without a rate for its tokens it has no price at all.
        strange.tokens.input = 1
        #expect(price([strange], book)[0].amount == nil)
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
        let rerank = event("cohere", "rerank-v3.5", input: 100)
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

    @Test func `P5 an event takes the price of its own time, in any order`() {
        var early = Vectors.row(#""input_cost_per_token":1e-6,"valid_to":"2026-11-09""#)
        early.key = "openai/m"
        let late = Vectors.row(
            #""input_cost_per_token":2e-6,"valid_from":"2026-11-10""#, name: "openai/m")
        let book = Vectors.book([early, late])
        let change = (PriceDay.start(of: "2026-11-10") ?? 0) * 1_000_000_000
        func at(_ nanos: Int64) -> CostEvent {
            var event = event("openai", "m", input: 1000)
            event.timestamp = nanos
            return event
        }
        let priced = price([at(change), at(change - 1), at(change + 1), at(change - 86_400)], book)
        #expect(priced.map(\.cost) == [2_000_000, 1_000_000, 2_000_000, 1_000_000])
    }

    @Test func `a row ends with the day of its valid_to, or at its moment`() {
        func end(_ text: String) -> Int64 {
            Vectors.row(#""input_cost_per_token":1e-6,"valid_to":"\#(text)""#).validTo
        }
        #expect(end("2026-11-09") == PriceDay.start(of: "2026-11-10"))
        #expect(end("2026-11-09T12:00:00Z") == PriceDay.start(of: "2026-11-09T12:00:00Z"))
    }

    @Test func `a long prompt takes the rates above its threshold, a short one beside it does not`()
    {
        let row = Vectors.row(
            #""input_cost_per_token":1e-6,"input_cost_per_token_above_1k_tokens":2e-6"#)
        let inputs: [UInt32] = [1000, 1001, 1, 999_999]
        let priced = price(inputs.map { event("openai", "m", input: $0) }, Vectors.book([row]))
        #expect(priced.map(\.cost) == [1_000_000, 2_002_000, 1000, 1_999_998_000])
    }

    @Test func `off-peak hours hold for the events within them`() {
        let row = Vectors.row(
            #""input_cost_per_token":2e-6,"off_peak_pricing":{"hours_utc":"22:00-02:00","#
                + #""input_cost_per_token":1e-6}"#)
        let midnight = (PriceDay.start(of: "2026-11-17") ?? 0)
        let seconds: [Int64] = [0, 7199, 7200, 22 * 3600 - 1, 22 * 3600, 12 * 3600]
        let events = seconds.map { second in
            var event = event("openai", "m", input: 1)
            event.timestamp = (midnight + second) * 1_000_000_000
            return event
        }
        #expect(
            price(events, Vectors.book([row])).map(\.cost) == [1000, 1000, 2000, 2000, 1000, 2000])
    }

    @Test func `an answer whose prompt nobody counted takes the first of the prices by length`() {
        let row = Vectors.row(
            #""tiered_pricing":[{"range":[0,10],"input_cost_per_token":1e-6,"output_cost_per_token":3e-6},"#
                + #"{"range":[10,99],"input_cost_per_token":2e-6,"output_cost_per_token":6e-6}]"#)
        let inputs: [UInt32] = [0, 10, 11]
        let events = inputs.map { input in
            var event = event("openai", "m", input: input)
            event.tokens.output = 1
            return event
        }
        #expect(price(events, Vectors.book([row])).map(\.cost) == [3000, 13_000, 28_000])
    }

    @Test func `a region costs more where the list says so`() {
        let row = Vectors.row(
            #""input_cost_per_token":1e-6,"regional_processing_uplift_multiplier_eu":1.1"#)
        let regions = ["", "eu", "EU", "us", "eu"]
        let events = regions.map { region in
            var event = event("openai", "m", input: 1000)
            event.region = names.intern(region)
            return event
        }
        #expect(
            price(events, Vectors.book([row])).map(\.cost)
                == [1_000_000, 1_100_000, 1_100_000, 1_000_000, 1_100_000])
    }

    @Test func `a new book prices what comes after it`() {
        let pricer = Pricer(book: Vectors.book([]), names: names)
        var rows = EventRows()
        rows.events = [event("openai", "m", input: 1), event("openai", "m", input: 1)]
        pricer.price(&rows, 0..<1)
        pricer.replace(
            book: Vectors.book([Vectors.row(#""input_cost_per_token":1e-6"#)]),
            policy: PricingPolicy())
        pricer.price(&rows, 1..<2)
        #expect(rows.events.map(\.amount) == [nil, NanoUSD(nanos: 1000)])
    }
}

@Suite struct PlanCacheTests {
    private func key(_ model: Int) -> PlanKey {
        PlanKey(provider: 1, model: NameID(model), tenant: 0)
    }

    private func plan(_ from: Int64, _ to: Int64) -> PricePlan {
        var plan = PricePlan()
        plan.from = from
        plan.to = to
        return plan
    }

    @Test func `a plan is found by its key, time, prompt and tier`() {
        var cache = PlanCache()
        let first = cache.insert(key(7), plan(0, 10), nil)
        let second = cache.insert(key(7), plan(10, 20), nil)
        #expect(cache.find(key(7), 9, 1, .standard) == first)
        #expect(cache.find(key(7), 10, 1, .standard) == second)
        #expect(cache.find(key(7), 20, 1, .standard) == nil)
        #expect(cache.find(key(7), 10, 1, .flex) == nil)
        #expect(cache.find(key(8), 9, 1, .standard) == nil)
    }

    @Test func `P14 models and changes without end do not fill the memory`() {
        var cache = PlanCache()
        for model in 0..<PlanCache.plansMax { _ = cache.insert(key(model), plan(0, 10), nil) }
        #expect(cache.find(key(65_535), 0, 0, .standard) == 65_535)
        #expect(cache.insert(key(65_536), plan(0, 10), nil) == 0)
        #expect(cache.find(key(0), 0, 0, .standard) == nil)
        for time in 0..<Int64(PlanCache.chainMax + 1) {
            _ = cache.insert(key(1), plan(time, time + 1), nil)
        }
        // The chain began anew; the newest plan is there, the first is looked for again.
        #expect(cache.find(key(1), Int64(PlanCache.chainMax), 0, .standard) != nil)
        #expect(cache.find(key(1), 0, 0, .standard) == nil)
    }
}
