import Foundation
import JSON
import Testing

@testable import Pricing

@Suite struct CostCasesTests {
    @Test func `every vector without a quirk has our answer to the last digit`() {
        let plain = Vectors.cases.filter { $0["quirk"]?.string == nil }
        #expect(plain.count == 359)
        for vector in plain {
            let difference = Vectors.difference(vector, Vectors.answer(vector))
            #expect(
                difference == nil, "\(vector["id"]?.string ?? "") \(vector["group"]?.string ?? "")")
        }
    }

    /// Where the vectors' source is likely wrong: our answer, and why.
    private static let quirks: [(id: String, prompt: String?, completion: String?, why: String)] = [
        ("822fd805eef3", "0.0125", "0.0035", "cached tokens of a batch are input: half its rate"),
        (
            "e06794486741", "0.049994375", "0.004515",
            "cached tokens of a batch: half the cached rate"
        ),
        ("b20203cc97e5", "0.048", "0.006", "the list names a cached rate"),
        ("bdc76985a0d6", "0.625", "0.0225", "the list names a cached rate and a threshold"),
        ("9c7787a93e21", "0.012125", "0.007", "the prompt includes its cached tokens"),
        ("e9dab94215cf", "0.0032", "0.0001", "audio is cut to the prompt"),
        ("46d459dc6a2c", "0.0001", "0.000024", "audio is cut to the prompt"),
        ("5f52097fadff", "0.000002", "0.0002", "cached tokens are cut to the prompt"),
        ("add7bab47a11", "0.0000125", "0.0001", "cached tokens are cut to the prompt"),
        (
            "5c8771d64e0b", "0.0000075", "0.0055",
            "cached, then written tokens are cut to the prompt"
        ),
        ("e39501678c35", "0.000125", "0.009", "what is not itemised is text"),
        ("5ccf29c96804", "0.000125", "0.0001", "reasoning is cut to the answer"),
        ("4c79bc0a52f1", "0.0002", "0.00008", "reasoning is cut to the answer"),
        ("6757a7d0d32b", "0.00125", "0.0001", "text is cut to the prompt"),
        ("26085cf9db67", "0.011875", "0.0001", "what is not itemised is text"),
        ("7b52901b66b2", "0.0148", "0.0032", "cached images have a rate of their own"),
        ("28ca628257c0", "0.01345", "0.0048", "cached images have a rate of their own"),
        ("5d1707bcf706", "0.0158345", "0.027115", "the regional row, not the base model's"),
        ("791470ba00d5", nil, nil, "no row is no price"),
        ("519b238c9374", nil, nil, "billed by the search, and none is reported"),
        ("d20f7c5185e0", nil, nil, "searches have no rate in its row"),
        ("c29f77a68df0", "0.0195254", "0.019008", "the list names rates for the tier"),
        ("b8879cea85d5", "0.27499825", "0.0150225", "a tier keeps its ratio above a threshold"),
        ("ed6905796ca2", "0.4399972", "0.018027", "a tier keeps its ratio above a threshold"),
        ("bc9dd08e9323", "5.2499575", "0.2253375", "a tier keeps its ratio above a threshold"),
        ("879a30aff0be", nil, nil, "no row is no price"),
        ("fca4bd7c1ec9", nil, nil, "no row is no price"),
        ("74efdfad1421", nil, nil, "no row is no price"),
        ("032f23134dcf", nil, nil, "no row is no price"),
    ]

    @Test func `each vector with a quirk has an answer of ours with a reason`() {
        let quirky = Vectors.cases.filter { $0["quirk"]?.string != nil }
        #expect(Set(quirky.map { $0["id"]?.string }) == Set(Self.quirks.map(\.id)))
        for vector in quirky {
            let quirk = Self.quirks.first { $0.id == vector["id"]?.string }
            let answer = Vectors.answer(vector)
            let why = Comment(rawValue: quirk?.why ?? "")
            #expect(answer["prompt_cost_usd"]?.string == quirk?.prompt, why)
            #expect(answer["completion_cost_usd"]?.string == quirk?.completion, why)
            let isPriced = answer["error"]?.string == nil
            #expect(isPriced == (quirk?.prompt != nil), why)
        }
    }

    /// The same through a file in LiteLLM's layout that takes the place of the built-in list.
    @Test func `a book of the vectors' own entries gives the same answers`() {
        var seen: Set<String> = []
        for vector in Vectors.cases where vector["quirk"]?.string == nil {
            guard let key = vector["catalogue_key"]?.string, let entry = vector["catalogue_entry"],
                vector["base_model"]?.string == nil, vector["response_model"]?.string == nil
            else { continue }
            seen.insert(key)
            let list = LiteLLMFile.read(Self.file(key, entry), name: "vector")
            #expect(list.faults == [], "\(key)")
            let answer = Vectors.answer(vector, Vectors.book(list.rows))
            #expect(
                Vectors.difference(vector, answer) == nil, "\(vector["id"]?.string ?? "") \(key)")
        }
        #expect(seen.count == 180)
    }

    private static func file(_ key: String, _ entry: JSONValue) -> [UInt8] {
        func text(_ value: JSONValue) -> String {
            switch value {
            case .string(let text): "\"\(text)\""
            case .number(let literal): literal
            case .boolean(let value): "\(value)"
            case .null: "null"
            case .array(let items): "[" + items.map(text).joined(separator: ",") + "]"
            case .object(let members):
                "{" + members.map { "\"\($0.key)\":\(text($0.value))" }.joined(separator: ",") + "}"
            }
        }
        return Array("{\"\(key)\":\(text(entry))}".utf8)
    }
}
