import TestSupport
import Testing
import Usage

@testable import Pricing

@Suite struct PriceEngineTests {
    private func usage(_ change: (inout ReportedUsage) -> Void) -> ReportedUsage {
        var usage = ReportedUsage()
        change(&usage)
        return usage
    }

    private func bill(
        _ row: PriceRow, tier: ServiceTier = .standard, _ change: (inout ReportedUsage) -> Void
    ) throws -> Bill {
        var context = PriceContext()
        context.tier = tier
        return try PriceEngine.bill(usage(change), row: row, context: context)
    }

    @Test func `kinds without a rate of their own take the input or output rate`() throws {
        let row = Vectors.row(#""input_cost_per_token":1e-6,"output_cost_per_token":4e-6"#)
        let bill = try bill(row) {
            $0.prompt = 100
            $0.cached = 60
            $0.audioInput = 10
            $0.completion = 10
            $0.reasoning = 4
        }
        #expect(bill.prompt.decimal == "0.0001" && bill.completion.decimal == "0.00004")
        #expect(bill.lines.map(\.kind) == [.input, .cachedInput, .audioInput, .output, .reasoning])
    }

    @Test func `an explicit 0 is a price`() throws {
        let row = Vectors.row(#""input_cost_per_token":1e-6,"cache_read_input_token_cost":0"#)
        let bill = try bill(row) {
            $0.prompt = 100
            $0.cached = 60
        }
        #expect(bill.prompt.decimal == "0.00004")
    }

    @Test func `P4 tokens without any rate have no cost, not a cost of zero`() {
        let row = Vectors.row(#""input_cost_per_token":1e-6"#)
        #expect(throws: Unpriced.noRate(.output)) { try bill(row) { $0.completion = 1 } }
        let query = Vectors.row(#""input_cost_per_token":0,"input_cost_per_query":0.002"#)
        #expect(throws: Unpriced.unitMissing(.query)) { try bill(query) { $0.prompt = 1 } }
        #expect(throws: Unpriced.noRate(.query)) { try bill(row) { $0.units.queries = 1 } }
    }

    @Test func `P14 absurd counts give no amount instead of a crash`() {
        let row = Vectors.row(#""input_cost_per_token":0.0009"#)
        #expect(throws: Unpriced.outOfRange) { try bill(row) { $0.prompt = .max } }
    }

    @Test func `parts that do not add up are cut, and the bill says so`() throws {
        let row = Vectors.row(
            #""input_cost_per_token":1e-6,"output_cost_per_token":1e-6,"#
                + #""input_cost_per_audio_token":5e-6"#)
        let cut = try bill(row) {
            $0.prompt = 10
            $0.cached = 20
            $0.cacheWrite = 20
            $0.audioInput = 20
            $0.completion = 5
            $0.reasoning = 4
            $0.audioOutput = 4
        }
        #expect(cut.prompt.decimal == "0.00001" && cut.completion.decimal == "0.000005")
        #expect(cut.flags == ["prompt_parts_clamped", "completion_parts_clamped"])
    }

    @Test func `writes that live longer cost more, the rest the plain rate`() throws {
        let row = Vectors.row(
            #""input_cost_per_token":1e-6,"cache_creation_input_token_cost":2e-6,"#
                + #""cache_creation_input_token_cost_above_1hr":4e-6"#)
        let bill = try bill(row) {
            $0.prompt = 100
            $0.cacheWrite = 60
            $0.cacheWriteHour = 50
            $0.cacheWriteHalfDay = 5
        }
        // 40 fresh, 5 plain, 50 for an hour, 5 for half a day at the plain rate.
        #expect(bill.prompt.decimal == "0.00026")
    }

    @Test func `a tier takes its fields one by one and falls back to the standard ones`() throws {
        let row = Vectors.row(
            #""input_cost_per_token":4e-6,"input_cost_per_token_flex":2e-6,"#
                + #""output_cost_per_token":8e-6,"input_cost_per_token_batches":1e-6"#)
        func cost(_ tier: ServiceTier) throws -> String? {
            try bill(row, tier: tier) {
                $0.prompt = 10
                $0.completion = 10
            }.total?.decimal
        }
        #expect(try cost(.flex) == "0.0001")
        #expect(try cost(.priority) == "0.00012")
        // Output has no batch rate: half of the standard one.
        #expect(try cost(.batch) == "0.00005")
    }

    @Test(arguments: [
        ("flex", "", ServiceTier.flex), ("auto", "", .standard), ("priority", "default", .standard),
        ("auto", "FAST", .priority), ("flex", "scale", .flex), ("", "", .standard),
    ])
    func `the tier that was served beats the one asked for`(
        _ requested: String, _ served: String, _ tier: ServiceTier
    ) {
        #expect(PriceContext.tier(requested: requested, served: served) == tier)
    }

    @Test func `sound, queries, pages and characters are billed by their number`() throws {
        let sound = Vectors.row(#""input_cost_per_second":0.0001,"mode":"audio_transcription""#)
        #expect(
            try bill(sound) { $0.units.audioNanos = 61_500_000_000 }.prompt.decimal == "0.00615")
        let pages = Vectors.row(#""ocr_cost_per_page":0.001,"mode":"ocr""#)
        #expect(try bill(pages) { $0.units.pages = 3 }.prompt.decimal == "0.003")
        let speech = Vectors.row(#""input_cost_per_character":1.5e-05,"mode":"audio_speech""#)
        let spoken = try bill(speech) { $0.units.inputCharacters = 777 }
        #expect(spoken.prompt.decimal == "0.011655")
        let running = Vectors.row(#""input_cost_per_second":0.0004"#)
        #expect(
            try bill(running) { $0.units.runningNanos = 2_500_000_000 }.prompt.decimal == "0.001")
    }

    @Test func `a search costs beside the tokens, per prompt or each`() throws {
        let each = Vectors.row(
            #""input_cost_per_token":1e-6,"search_context_cost_per_query":"#
                + #"{"search_context_size_medium":0.01}"#)
        let bill = try bill(each) {
            $0.prompt = 1
            $0.units.webSearches = 3
        }
        #expect(bill.tools.decimal == "0.03" && bill.total?.decimal == "0.030001")
    }

    @Test func `a sandbox costs its size times its seconds`() {
        let row = Vectors.row(
            #""vcpu_cost_per_second":0.000014,"gib_ram_cost_per_second":0.0000045"#)
        // Two vCPUs and half a GiB for 1.5 s: (2 x 0.000014 + 0.5 x 0.0000045) x 1.5.
        #expect(
            PriceEngine.computeCost(row, micros: 1_500_000, vcpuMilli: 2000, gibMilli: 500)
                == NanoUSD(nanos: 45_375))
    }
}

/// Laws that hold for every row and usage, tried on seeded draws from the built-in list.
@Suite struct PricingLawTests {
    private static let rows = Vectors.builtIn.rows.filter {
        $0.isBilledByTokens && $0[.input] != nil && $0[.output] != nil
    }

    private func draw(_ random: inout SeededRandom, max: UInt64) -> ReportedUsage {
        var usage = ReportedUsage()
        usage.prompt = UInt64.random(in: 0...max, using: &random)
        var room = usage.prompt
        func part() -> UInt64 {
            let count = UInt64.random(in: 0...room, using: &random)
            room -= count
            return count
        }
        usage.cached = part()
        usage.cacheWrite = part()
        usage.cacheWriteHour = UInt64.random(in: 0...usage.cacheWrite, using: &random)
        usage.audioInput = part()
        usage.completion = UInt64.random(in: 0...max, using: &random)
        usage.reasoning = UInt64.random(in: 0...usage.completion, using: &random)
        return usage
    }

    private func cost(
        _ usage: ReportedUsage, _ row: PriceRow, _ context: PriceContext = PriceContext()
    ) -> ExactUSD? {
        (try? PriceEngine.bill(usage, row: row, context: context))?.total
    }

    @Test func `within one tier two usages cost together what their sum costs`() {
        var random = SeededRandom(seed: 5)
        var tried = 0
        for index in 0..<4000 {
            let row = Self.rows[index % Self.rows.count]
            // Both and their sum stay on one side of every threshold.
            let first = draw(&random, max: 15_000)
            let second = draw(&random, max: 15_000)
            var sum = first
            sum.prompt += second.prompt
            sum.cached += second.cached
            sum.cacheWrite += second.cacheWrite
            sum.cacheWriteHour += second.cacheWriteHour
            sum.audioInput += second.audioInput
            sum.completion += second.completion
            sum.reasoning += second.reasoning
            if first.prompt == 0 || second.prompt == 0 { continue }
            let span = RateResolver.steadyPrompts(of: row, around: UInt32(sum.prompt))
            guard span.contains(UInt32(first.prompt)), span.contains(UInt32(second.prompt)),
                let one = cost(first, row), let two = cost(second, row), let both = cost(sum, row)
            else { continue }
            tried += 1
            #expect(one.units + two.units == both.units, "\(row.key)")
        }
        #expect(tried > 3000)
    }

    @Test func `within one tier more fresh input or more output never costs less`() {
        var random = SeededRandom(seed: 6)
        for index in 0..<4000 {
            let row = Self.rows[index % Self.rows.count]
            let usage = draw(&random, max: 300_000)
            var more = usage
            more.prompt += UInt64.random(in: 0...1000, using: &random)
            more.completion += UInt64.random(in: 0...1000, using: &random)
            let span = RateResolver.steadyPrompts(of: row, around: UInt32(usage.prompt))
            guard span.contains(UInt32(more.prompt)), let less = cost(usage, row),
                let dearer = cost(more, row)
            else { continue }
            #expect(less <= dearer, "\(row.key)")
        }
    }

    @Test func `the way of an event and the way of a bill lead to one amount`() {
        var random = SeededRandom(seed: 7)
        var tried = 0
        for index in 0..<4000 {
            let row = Self.rows[index % Self.rows.count]
            var usage = draw(&random, max: 400_000)
            var context = PriceContext()
            context.tier = ServiceTier.allCases[index % ServiceTier.allCases.count]
            context.time = Int64.random(in: 1_795_000_000...1_795_700_000, using: &random)
            var event = CostEvent()
            event.tokens.input = UInt32(usage.prompt)
            event.tokens.cachedInput = UInt32(usage.cached)
            event.tokens.cacheWrite = UInt32(usage.cacheWrite)
            event.cacheWriteHour = UInt32(usage.cacheWriteHour)
            event.tokens.audioInput = UInt32(usage.audioInput)
            event.tokens.output = UInt32(usage.completion)
            event.tokens.reasoning = UInt32(usage.reasoning)
            if row.searchPrice != nil {
                usage.units.webSearches = UInt64.random(in: 0...3, using: &random)
                event.webSearches = UInt32(usage.units.webSearches)
            }
            let card = RateCard(RateResolver(row: row, prompt: usage.prompt, context: context))
            let bill = cost(usage, row, context)
            if bill != nil { tried += 1 }
            #expect(card.cost(event) == bill, "\(row.key)")
        }
        #expect(tried > 3000)
    }

    @Test func `P5 a price change at T alters no bill before T`() {
        var random = SeededRandom(seed: 8)
        let old = Self.rows.prefix(200)
        for row in old {
            let change = Int64.random(in: 1_700_000_000...1_800_000_000, using: &random)
            var before = row
            before.validTo = change
            var after = row
            after.validFrom = change
            after.rates = row.rates.map {
                PriceRow.Rate(key: $0.key, usd: $0.usd.times(3) ?? .zero)
            }
            let book = Vectors.book([before, after])
            for time in [change - 1, change - 1_000_000, Int64.min] {
                let found = book.find(provider: row.provider, model: row.key, at: time)
                #expect(found.map { book.rows[$0.row].rates } == row.rates)
            }
            let found = book.find(provider: row.provider, model: row.key, at: change)
            #expect(found.map { book.rows[$0.row].rates } == after.rates)
        }
    }
}
