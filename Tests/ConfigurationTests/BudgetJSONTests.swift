import Budgets
import Testing
import Usage

@testable import Configuration

@Suite struct BudgetJSONTests {
    private func read(_ text: String) -> BudgetReading { Configuration.budget(Array(text.utf8)) }

    private func faults(_ text: String) -> [String] {
        if case .faults(let faults) = read(text) { return faults }
        return []
    }

    @Test func `a definition comes back from its JSON as it was`() throws {
        let full = #"""
            {"name":"t","match":{"tenant":["é\"x","pre-*"],"tags.team":"!core"},
             "each":["tenant","tags.team"],"period":"quarter","timezone":"Europe/Berlin",
             "week_start":"sunday","reset_hour":6,"month_start_day":15,"limit_usd":"100.000000001",
             "overrides":[{"when":{"tenant":["a","b"]},"limit_usd":400}],
             "thresholds":[0.5,{"at":0.95,"severity":"critical"}],"cooldown":"90s","burn":false,"forecast":true,
             "enforce":{"mode":"observe","throttle_at":0.7,"deny_at":1.1,"grace":0.05,
              "when_unsure":"deny"},"rollover":{"cap":0.25}}
            """#
        let rolling =
            #"{"name":"r","each":["conversation"],"rolling":"90m","limit_usd":2,"idle":"5m"}"#
        for text in [full, rolling, #"{"name":"x","limit_usd":1}"#] {
            guard case .definition(let definition) = read(text) else {
                Issue.record("\(faults(text))")
                continue
            }
            guard case .definition(let again) = Configuration.budget(definition.json) else {
                Issue.record("\(String(decoding: definition.json, as: UTF8.self))")
                continue
            }
            #expect(again == definition, "\(text)")
        }
    }

    @Test func `faults name their keys, and no variable is read`() {
        #expect(faults("[]").contains { $0.hasPrefix("must be a mapping") })
        let missing = faults(#"{"name":"a","limit":1}"#)
        #expect(missing.contains("limit_usd: is missing; write the budget in dollars, such as 100"))
        #expect(missing.contains { $0.hasPrefix("limit: unknown key; there are burn, cooldown") })
        let text = faults(#"{"name":"a b","limit_usd":"${HOME}"}"#)
        #expect(text.count == 2 && text[0].hasPrefix("name: \"a b\" is not a name"))
        #expect(text[1].hasPrefix("limit_usd: \"${HOME}\" is not an amount"))
        #expect(faults(#"{"name":"a","limit_usd":1,"match":{"x":"y"}}"#).count == 1)
        #expect(faults("{").count == 1)
    }
}
