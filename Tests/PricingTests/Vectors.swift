import Foundation
import JSON
import TestSupport
import Testing

@testable import Pricing

/// The test vectors beside this file; LICENSE names where their numbers come from.
enum Vectors {
    static let folder = Costgauge.repository + "/Tests/PricingTests/Fixtures/"

    static let builtIn = BuiltInPrices.book()

    static let cases: [JSONValue] = {
        let text = FileManager.default.contents(atPath: folder + "cost-cases.jsonl") ?? Data()
        return text.split(separator: UInt8(ascii: "\n")).compactMap {
            try? JSONValue.read(Array($0))
        }
    }()

    /// What a reader of our answer compares: exact decimals where the vector has them, else doubles
    /// to a relative 1e-12.
    static func difference(_ expected: JSONValue, _ answer: JSONValue) -> String? {
        if expected["error"]?.string != nil {
            return answer["error"]?.string == "model_not_priced" ? nil : "should not be priced"
        }
        if let error = answer["error"]?.string { return error }
        for part in ["prompt", "completion"] {
            let ours = answer["\(part)_cost_usd"]?.string ?? ""
            if let exact = expected["\(part)_cost_exact"]?.string {
                if ours != exact { return "\(part) \(ours), expected \(exact)" }
            } else if let double = expected["\(part)_cost"]?.literal, !isNear(ours, double) {
                return "\(part) \(ours), expected about \(double)"
            }
        }
        if let total = expected["total_cost"]?.literal,
            !isNear(answer["total_cost_usd"]?.string ?? "", total)
        {
            return "total \(answer["total_cost_usd"]?.string ?? "none"), expected \(total)"
        }
        return nil
    }

    private static func isNear(_ ours: String, _ theirs: String) -> Bool {
        guard let ours = Double(ours), let theirs = Double(theirs) else { return false }
        return abs(ours - theirs) <= 1e-12 * max(abs(ours), abs(theirs))
    }

    static func answer(_ vector: JSONValue, _ book: PriceBook = builtIn) -> JSONValue {
        (try? JSONValue.read(PriceCase(vector).answerLine(by: book))) ?? .null
    }

    /// A list of one model in LiteLLM's layout.
    static func row(_ fields: String, provider: String = "openai", name: String = "m") -> PriceRow {
        let text = #"{"\#(name)":{"litellm_provider":"\#(provider)",\#(fields)}}"#
        let list = LiteLLMFile.read(Array(text.utf8), name: "test")
        #expect(list.faults == [])
        return list.rows.first ?? PriceRow(provider: "", key: "")
    }

    static func book(_ rows: [PriceRow]) -> PriceBook {
        PriceBook(lists: [(PriceBook.Origin(name: "test", timestamp: 0), rows)])
    }
}
