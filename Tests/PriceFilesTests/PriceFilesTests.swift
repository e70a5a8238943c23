import Foundation
import Pricing
import TestSupport
import Testing
import YAML

@testable import PriceFiles

@Suite struct YAMLPriceFileTests {
    private func list(_ text: String) -> PriceList {
        YAMLPriceFile.read(Array(text.utf8), name: "p.yaml")
    }

    @Test func `a row says dollars per million, its days and its tiers`() {
        let list = list(
            """
            prices:
              - provider: openai
                model: gpt-x
                valid_from: 2026-01-01
                valid_to: 2026-01-31
                input_usd_per_mtok: 2.5
                cached_input_usd_per_mtok: "0.25"
                batch_output_usd_per_mtok: 5
                tier_above_prompt_tokens: 200000
                tier_input_usd_per_mtok: 5
                usd_per_web_search: 0.01
            """)
        #expect(list.faults == [])
        let row = list.rows.first
        #expect(row?.key == "openai/gpt-x")
        #expect(row?[.input]?.decimal == "0.0000025")
        #expect(row?[.cachedInput]?.decimal == "0.00000025")
        #expect(row?[RateKey(.output, tier: .batch)]?.decimal == "0.000005")
        #expect(row?[RateKey(.input, above: 200_000)]?.decimal == "0.000005")
        // The last day is included.
        #expect(row?.isValid(at: 1_769_903_999) == true && row?.isValid(at: 1_769_904_000) == false)
    }

    @Test(arguments: [
        ("a: 1", "p.yaml:1:1: a: unknown key; there is prices"),
        ("prices: 3", "p.yaml:1:9: must be a list of at most 20000 rows"),
        ("- 3", "p.yaml:1:3: must be a mapping of keys; got a single value"),
        (
            "- {provider: x, model: m, input_usd_per_mtok: -1}",
            "p.yaml:1:27: x/m: input_usd_per_mtok: -0.000001 is negative"
        ),
        (
            "- {provider: x, model: m, input_usd_per_mtok: .nan}",
            "p.yaml:1:27: x/m: input_usd_per_mtok: \".nan\" is not a price in dollars"
        ),
        (
            "- {provider: x, model: m, input_usd_per_token: 1}",
            "p.yaml:1:27: x/m: input_usd_per_token: unknown key"
        ),
        (
            "- {provider: x, model: m, input_usd_per_mtok: 1, input_usd_per_mtok: 2}",
            "p.yaml:1:50: x/m: input_usd_per_mtok: stands twice"
        ),
        (
            "- {provider: x, model: m, tier_input_usd_per_mtok: 1}",
            "p.yaml:1:27: x/m: tier_input_usd_per_mtok: needs tier_above_prompt_tokens"
        ),
        (
            "- {provider: x, model: m, valid_from: yesterday, input_usd_per_mtok: 1}",
            "p.yaml:1:27: x/m: valid_from: \"yesterday\" is no day such as 2026-06-30 and no RFC 3339 time"
        ),
        (
            "- {provider: x, model: m, valid_from: 2026-02-01, valid_to: 2026-01-01, input_usd_per_mtok: 1}",
            "p.yaml:1:51: x/m: valid_to: is before valid_from"
        ),
        (
            "- {provider: x, model: m}",
            "p.yaml:1:3: x/m: has no price; write input_usd_per_mtok or another rate"
        ),
        ("- {provider: x, input_usd_per_mtok: 1}", "p.yaml:1:3: x/: model: is missing or too long"),
        (
            "- {provider: x, model: m, input_usd_per_mtok: 2500000}",
            "p.yaml:1:27: x/m: input_usd_per_mtok: $2.5 per token is absurd; is it a price per million tokens?"
        ),
        (
            "- {provider: x, model: m, input_usd_per_mtok: 2500}",
            "p.yaml:1:27: x/m: input_usd_per_mtok: $0.0025 per token is more than $0.001; is the unit right?"
        ),
    ])
    func `P14 a bad price is named by file, place, model and key`(_ text: String, _ fault: String) {
        #expect(list(text).faults.map(\.description).first == fault)
    }

    @Test func `the example has every key of a row, and is taken as it is`() throws {
        let path = Costgauge.repository + "/deploy/prices.example.yaml"
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let list = YAMLPriceFile.read(bytes, name: path)
        #expect(list.faults == [] && list.rows.count == 5)
        var settings = PricingSettings()
        settings.files = [path]
        let loaded = PriceCatalogue.load(settings, now: 0) { _ in .bytes(bytes) }
        #expect(loaded.faults == [])
        var named: Set<String> = []
        let root = try YAMLDocument.read(bytes)
        guard case .mapping(let entries) = root.content,
            case .sequence(let rows) = entries[0].value.content
        else { throw CancellationError() }
        for row in rows {
            guard case .mapping(let fields) = row.content else { continue }
            named.formUnion(fields.map(\.key))
        }
        // Of the tiers one key each stands for all.
        let perMillion = PriceFields.perMillion.map { "\($0.name)_usd_per_mtok" }
        let tiers = PriceFields.tiers.map { "\($0.prefix)input_usd_per_mtok" }
        let wanted =
            perMillion + tiers + PriceFields.perUnit.map(\.name)
            + ["tier_input_usd_per_mtok", "tier_output_usd_per_mtok"]
        #expect(named == Set(wanted).union(PriceFields.otherFields).subtracting(["withdrawn"]))
    }

    @Test func `a withdrawn row is none, and the rows beside a bad one are there`() {
        let list = list(
            """
            - {provider: x, model: a, withdrawn: true, input_usd_per_mtok: 1}
            - {provider: x, model: b, input_usd_per_mtok: nothing}
            - {provider: x, model: c, input_usd_per_mtok: 0}
            """)
        #expect(list.rows.map(\.key) == ["x/c"] && list.errors.count == 1)
    }
}

@Suite struct StoredPricesTests {
    private func row(_ model: String, _ more: [(String, String)]) -> [PriceFields.Field] {
        [PriceFields.Field("provider", "p"), PriceFields.Field("model", model)]
            + more.map { PriceFields.Field($0, $1) }
    }

    private func priced(_ model: String, from: String = "", to: String = "", _ usd: String = "1")
        -> [PriceFields.Field]
    {
        row(model, [("valid_from", from), ("valid_to", to), ("input_usd_per_mtok", usd)])
    }

    private func refusal(_ rows: [[PriceFields.Field]], of prices: StoredPrices = StoredPrices())
        -> StoredPrices.Refusal?
    {
        var prices = prices
        let before = prices
        do throws(StoredPrices.Refusal) { _ = try prices.apply(rows) } catch {
            #expect(prices == before)
            return error
        }
        return nil
    }

    @Test func `P5 a scheduled price is stored, replaced and withdrawn by its model and moment`()
        throws
    {
        var prices = StoredPrices()
        var change = try prices.apply([
            priced("m", to: "2026-12-31"), priced("m", from: "2027-01-01", "2"), priced("n"),
        ])
        #expect(change.stored.count == 3 && prices.rows.count == 3)
        change = try prices.apply([priced("M", from: "2027-01-01", "3")])
        #expect(change.replaced.map { $0?.row[.input]?.decimal } == ["0.000002"])
        #expect(prices.rows.map { $0[.input]?.decimal } == ["0.000001", "0.000003", "0.000001"])
        let withdrawal = row("m", [("valid_from", "2027-01-01"), ("withdrawn", "true")])
        change = try prices.apply([withdrawal])
        #expect(change.withdrawn.map(\.key) == ["p/m"])
        #expect(change.withdrawn.map(\.validFrom) == [1_798_761_600])
        #expect(prices.rows.count == 2)
        #expect(
            refusal([withdrawal], of: prices)
                == .notStored("p/m from 2027-01-01T00:00:00Z is not stored here"))
    }

    @Test func `P14 one bad row refuses all, by place, model and key`() throws {
        #expect(
            refusal([priced("m"), priced("n", "-1"), row("o", [("input_usd", "1")])])
                == .bad([
                    "prices[1]: p/n: input_usd_per_mtok: -0.000001 is negative",
                    "prices[2]: p/o: input_usd: unknown key",
                ]))
        var prices = StoredPrices()
        #expect(
            try prices.apply([priced("m", "2500")]).warnings == [
                "prices[0]: p/m: input_usd_per_mtok: $0.0025 per token is more than $0.001; "
                    + "is the unit right?"
            ])
        #expect(
            refusal([priced("m", from: "2027-01-01")], of: prices)
                == .overlap([
                    "prices: p/m: valid_from: in force together with a row of prices; "
                        + "end that one with valid_to"
                ]))
    }

    @Test func `P14 no more than ten thousand rows are stored`() throws {
        var prices = StoredPrices()
        _ = try prices.apply((0..<StoredPrices.countMax).map { priced("m\($0)") })
        #expect(refusal([priced("one-more")], of: prices) == .full)
        _ = try prices.apply([priced("m7", "2")])
        #expect(prices.rows.count == StoredPrices.countMax)
    }
}

@Suite struct PriceCatalogueTests {
    private func load(
        _ files: [String: String], change: (inout PricingSettings) -> Void = { _ in }
    ) -> PriceCatalogue.Loaded {
        var settings = PricingSettings()
        settings.files = files.keys.sorted()
        change(&settings)
        return PriceCatalogue.load(settings, now: 1_800_000_000) { path in
            files[path].map { .bytes(Array($0.utf8)) } ?? .unreadable(cause: "not there")
        }
    }

    private func input(_ book: PriceBook, _ provider: String, _ model: String, at: Int64) -> String?
    {
        book.find(provider: provider, model: model, at: at)
            .flatMap { book.rows[$0.row][.input]?.decimal }
    }

    @Test func `P5 a row of a file hides the built-in one while it is in force`() {
        let loaded = load([
            "a.yaml":
                "- {provider: openai, model: gpt-4o, valid_from: 2027-01-01, input_usd_per_mtok: 9}"
        ])
        #expect(loaded.faults == [])
        let start = PriceDay.start(of: "2027-01-01") ?? 0
        for provider in ["openai", ""] {
            #expect(input(loaded.book, provider, "gpt-4o", at: start) == "0.000009")
            #expect(input(loaded.book, provider, "gpt-4o", at: start - 1) == "0.0000025")
        }
    }

    @Test func `later files hide earlier ones`() {
        let loaded = load([
            "a.json": #"{"my":{"litellm_provider":"openai","input_cost_per_token":1e-6}}"#,
            "b.json": #"{"my":{"litellm_provider":"openai","input_cost_per_token":2e-6}}"#,
        ])
        #expect(input(loaded.book, "openai", "my", at: 0) == "0.000002")
        #expect(loaded.book.origins.map(\.name) == ["built-in", "a.json", "b.json"])
    }

    @Test
    func `rows of one model that are in force together are a fault, days that touch are none`() {
        func row(_ dates: String) -> String {
            "- {provider: x, model: m, \(dates)input_usd_per_mtok: 1}"
        }
        let touching = load([
            "a.yaml": row("valid_to: 2026-01-31, "), "b.yaml": row("valid_from: 2026-02-01, "),
        ])
        #expect(touching.faults == [])
        let overlapping = load([
            "a.yaml": row("valid_to: 2026-01-31, "), "b.yaml": row("valid_from: 2026-01-31, "),
        ])
        #expect(
            overlapping.faults.map(\.description) == [
                "b.yaml: x/m: valid_from: in force together with a row of a.yaml; end that one with valid_to"
            ])
        #expect(load(["a.yaml": row("") + "\n" + row("")]).errors.count == 1)
    }

    @Test func `a file that is not there is a fault`() {
        var settings = PricingSettings()
        settings.files = ["gone.yaml"]
        let loaded = PriceCatalogue.load(settings, now: 0) { _ in .unreadable(cause: "not there") }
        #expect(loaded.faults.map(\.description) == ["gone.yaml: cannot read it: not there"])
        #expect(loaded.book.rows.count > 3000)
    }
}
