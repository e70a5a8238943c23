import Foundation
import Testing
import Usage

@testable import Pricing

@Suite struct ModelNamesTests {
    private func find(
        _ provider: String, _ model: String, _ region: String = ""
    ) -> (key: String, rule: NameMatch.Rule, flag: String?)? {
        let found = Vectors.builtIn.find(
            provider: provider, model: model, region: region, at: BuiltInPrices.timestamp)
        return found.map { (Vectors.builtIn.rows[$0.row].key, $0.match.rule, $0.match.flag) }
    }

    @Test(
        arguments: [
            ("openai", "GPT-4o-Mini", "gpt-4o-mini", NameMatch.Rule.exact),
            ("", "gpt-4o-mini", "gpt-4o-mini", .exact),
            ("openai", "openai/openai/gpt-4o-mini", "gpt-4o-mini", .prefix),
            ("", "anthropic/claude-haiku-4-5", "claude-haiku-4-5", .prefix),
            ("azure.ai.openai", "gpt-4o-mini", "azure/gpt-4o-mini", .exact),
            ("aws.bedrock", "zai.glm-4.7", "zai.glm-4.7", .exact),
            ("mistral_ai", "codestral-embed", "mistral/codestral-embed", .exact),
            ("", "codestral-embed", "mistral/codestral-embed", .onlySeller),
            (
                "bedrock",
                "bedrock/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-5",
                "us.anthropic.claude-opus-5", .bedrockBase
            ),
            (
                "bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0:51k",
                "anthropic.claude-3-5-sonnet-20241022-v2:0", .bedrockBase
            ),
            (
                "bedrock", "us.anthropic.claude-opus-4-6-v1[1m]", "us.anthropic.claude-opus-4-6-v1",
                .bedrockBase
            ),
            ("gemini", "gemini-2.5-flash-001", "gemini/gemini-2.5-flash", .version),
            ("vertex_ai", "codestral", "vertex_ai/codestral@latest", .version),
            ("openai", "ft:gpt-4o-2024-08-06:my-org::id", "ft:gpt-4o-2024-08-06", .fineTune),
            ("azure_ai", "model_router/mine", "azure_ai/model_router", .router),
        ])
    func `names in use find their row, and the rule is told`(
        _ provider: String, _ model: String, _ key: String, _ rule: NameMatch.Rule
    ) {
        let found = find(provider, model)
        #expect(found?.key == key && found?.rule == rule)
        #expect(found?.flag == nil)
    }

    @Test func `a snapshot that is in no list takes the base price and says so`() {
        let found = find("openai", "gpt-4o-2031-01-01")
        #expect(found?.key == "gpt-4o" && found?.flag == "snapshot_not_listed")
        #expect(find("openai", "gpt-4o-2024-08-06")?.rule == .exact)
    }

    @Test func `a price by size class says so`() {
        let found = find("fireworks_ai", "accounts/acme/models/my-moe-8x7b")
        #expect(found?.key == "fireworks-ai-moe-up-to-56b" && found?.flag == "priced_by_size_class")
        #expect(find("fireworks_ai", "accounts/acme/models/my-own") == nil)
    }

    @Test func `the region of a call has a row of its own where the list has one`() {
        #expect(
            find("bedrock", "qwen.qwen3-next-80b-a3b", "eu-west-2")?.key
                == "bedrock/eu-west-2/qwen.qwen3-next-80b-a3b")
    }

    @Test(
        arguments: [
            ("openai", "gpt-9"), ("", "gpt-9"), ("anthropic", "gpt-4o-mini"), ("", ""),
            ("nobody", "gpt-4o-mini"), ("openai", "anthropic/claude-haiku-4-5"),
            ("openai", "-2024-01-01"),
            ("bedrock", "arn:"), ("bedrock", "]"), ("fireworks_ai", "b"), ("", "/"),
            ("vertex_ai", "@"),
        ])
    func `P4 what is not known is not guessed`(_ provider: String, _ model: String) {
        #expect(find(provider, model) == nil)
    }

    @Test func `a deployment of one's own is priced through its alias`() {
        let list = BuiltInPrices.list()
        let book = PriceBook(
            lists: [(PriceBook.Origin(name: "t", timestamp: 0), list.rows)],
            aliases: ["azure/Contoso-Chat": "azure/gpt-4o-2024-11-20"])
        let found = book.find(provider: "azure", model: "contoso-chat", at: BuiltInPrices.timestamp)
        #expect(found.map { book.rows[$0.row].key } == "azure/gpt-4o-2024-11-20")
        #expect(found?.match.rule == .alias)
        #expect(book.find(provider: "openai", model: "contoso-chat", at: 0) == nil)
    }
}

@Suite struct BuiltInPricesTests {
    /// 860 facts from the providers' price pages, as a table: the list has each of them.
    @Test func `the list has every row of the table of price facts, to the digit`() throws {
        let text = try String(contentsOfFile: Vectors.folder + "model-prices.csv", encoding: .utf8)
        let lines = text.split(separator: "\n")
        let columns = lines[0].split(separator: ",", omittingEmptySubsequences: false).map(
            String.init)
        let kinds: [(String, RateKey)] = [
            ("input_usd_per_mtok", RateKey(.input)), ("output_usd_per_mtok", RateKey(.output)),
            ("cached_input_usd_per_mtok", RateKey(.cachedInput)),
            ("cache_write_usd_per_mtok", RateKey(.cacheWrite)),
            ("cache_write_1h_usd_per_mtok", RateKey(.cacheWriteHour)),
            ("batch_input_usd_per_mtok", RateKey(.input, tier: .batch)),
            ("flex_output_usd_per_mtok", RateKey(.output, tier: .flex)),
            ("priority_input_usd_per_mtok", RateKey(.input, tier: .priority)),
        ]
        let rows = Dictionary(uniqueKeysWithValues: Vectors.builtIn.rows.map { ($0.key, $0) })
        var compared = 0
        for line in lines.dropFirst() {
            // Quoted cells stand at the end, behind what is compared.
            let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(
                String.init)
            func cell(_ name: String) -> String {
                columns.firstIndex(of: name).map { $0 < cells.count ? cells[$0] : "" } ?? ""
            }
            let source = cell("source_key")
            let key = source.isEmpty ? "\(cell("provider"))/\(cell("model"))" : source
            let row = try #require(rows[key], "\(key)")
            for (column, key) in kinds where !cell(column).isEmpty {
                guard case .value(let expected) = ExactUSD.read(cell(column), shift: -6),
                    let usd = row[key]
                else {
                    Issue.record("\(row.key) \(column)")
                    continue
                }
                // The table cut the noise of binary fractions at 12 digits.
                let difference = abs(usd.units - expected.units)
                #expect(difference <= expected.units / 1_000_000_000_000, "\(row.key) \(column)")
                compared += 1
            }
        }
        #expect(lines.count == 861 && compared > 2000)
    }

    @Test func `nothing in the list is doubtful`() {
        let list = BuiltInPrices.list()
        // The only rates above $0.001, as its seller publishes them.
        #expect(list.errors == [])
        #expect(
            Set(list.warnings.map(\.model)) == [
                "azure_ai/jais-30b-chat", "watsonx/core42/jais-13b-chat",
            ])
        #expect(list.rows.count == 4000)
        #expect(Set(list.rows.map(\.provider)).count > 60)
    }

    @Test func `P5 a price with a known end is unknown after it`() throws {
        let end = try #require(PriceDay.start(of: "2027-01-01"))
        func found(_ time: Int64) -> Bool {
            Vectors.builtIn.find(provider: "gemini", model: "gemini-3.8-flash", at: time) != nil
        }
        #expect(found(end - 1) && !found(end))
    }
}

@Suite struct LiteLLMFileTests {
    private func faults(_ text: String) -> [String] {
        LiteLLMFile.read(Array(text.utf8), name: "book.json").faults.map(\.description)
    }

    @Test(arguments: [
        ("[]", "book.json: not an object of models by name"),
        ("{", "book.json: not JSON at byte 1: a key and a colon are expected"),
        ("", "book.json: not JSON: no JSON value"),
        (
            #"{"a":{"input_cost_per_token":-1e-6}}"#,
            "book.json: a: input_cost_per_token: -0.000001 is negative"
        ),
        (
            #"{"a":{"input_cost_per_token":"NaN"}}"#,
            "book.json: a: input_cost_per_token: NaN is not a price in dollars"
        ),
        (
            #"{"a":{"input_cost_per_token":2.5}}"#,
            "book.json: a: input_cost_per_token: $2.5 per token is absurd; is it a price per million tokens?"
        ),
        (
            #"{"a":{"output_cost_per_token":0.002}}"#,
            "book.json: a: output_cost_per_token: $0.002 per token is more than $0.001; is the unit right?"
        ),
        (
            #"{"a":{"input_cost_per_token":1e-6},"A":{"input_cost_per_token":1e-6}}"#,
            "book.json: A: stands twice in the file"
        ),
        (
            #"{"a":{"input_cost_per_token":1e-6,"input_cost_per_token":2e-6}}"#,
            "book.json: a: input_cost_per_token: stands twice"
        ),
        (
            #"{"a":{"input_cost_per_token":[1]}}"#,
            "book.json: a: input_cost_per_token: a list or object is not a price in dollars"
        ),
        (
            #"{"a":{"input_cost_per_token":1e-6,"off_peak_pricing":{"hours_utc":"25:00-26:00"}}}"#,
            "book.json: a: off_peak_pricing: \"25:00-26:00\" is no span of hours such as 16:30-00:30"
        ),
        (
            #"{"a":{"input_cost_per_token":1e-6,"valid_to":"2026-02-30"}}"#,
            "book.json: a: valid_to: not a day such as 2026-12-31"
        ),
    ])
    func `P14 a bad price is named by file, model and key`(_ text: String, _ fault: String) {
        #expect(faults(text) == [fault])
    }

    @Test func `the models beside a bad one are there`() {
        let list = LiteLLMFile.read(
            Array(
                #"{"a":{"input_cost_per_token":-1},"b":{"input_cost_per_token":"3e-7"},"sample_spec":{}}"#
                    .utf8), name: "book.json")
        #expect(list.rows.map(\.key) == ["b"] && list.errors.count == 1 && list.warnings == [])
        #expect(list.rows.first?[.input]?.decimal == "0.0000003")
    }

    @Test func `P14 no prefix of a file crashes the reader`() {
        let text = Array(
            (#"{"a":{"litellm_provider":"x","tiered_pricing":[{"range":[0,3.0],"input_cost_per_token":1}],"#
                + #""off_peak_pricing":{"windows":[{"hours_utc":["0:0-1:0"],"weekdays":[1,"sun"]}]}}}"#)
                .utf8)
        for end in 0...text.count {
            _ = LiteLLMFile.read(Array(text.prefix(end)), name: "cut")
        }
    }

    @Test(arguments: [
        (
            "input_cost_per_token_above_200k_tokens_priority",
            RateKey(.input, tier: .priority, above: 200_000)
        ),
        ("cache_creation_input_token_cost_above_1hr", RateKey(.cacheWriteHour)),
        (
            "cache_creation_input_token_cost_above_12hr_above_272k_tokens_batches",
            RateKey(.cacheWriteHalfDay, tier: .batch, above: 272_000)
        ),
        ("output_cost_per_token_above_128_tokens", RateKey(.output, above: 128)),
        ("output_cost_per_reasoning_token", RateKey(.reasoning)),
    ])
    func `keys of the file say kind, tier and threshold`(_ text: String, _ key: RateKey) {
        #expect(RateKey(priceFileKey: text) == key)
    }

    @Test(arguments: [
        "supports_vision", "input_dbu_cost_per_token", "input_cost_per_token_above_k_tokens", "",
        "_above_1k_tokens", "input_cost_per_token_above_99999999999k_tokens",
    ])
    func `other keys are no prices`(_ text: String) {
        #expect(RateKey(priceFileKey: text) == nil)
    }
}
