import TestSupport
import Testing
import Usage

@testable import Budgets

@Suite struct PatternTests {
    @Test(
        arguments: [
            (["acme"], "acme", true), (["acme"], "Acme", false), (["acme"], "", false),
            (["*"], "x", true),
            (["*"], "", false), (["a*"], "acme", true), (["a*"], "ba", false),
            (["*me"], "acme", true),
            (["a?me"], "acme", true), (["a?me"], "ame", false), (["*a*b*"], "xxaxxbxx", true),
            (["*a*b*"], "xxbxxaxx", false), (["a", "b*"], "bc", true), (["a", "b*"], "c", false),
            (["!compute"], "chat", true), (["!compute"], "", true),
            (["!compute"], "compute", false),
            (["!a*"], "b", true), (["!a*"], "ab", false), (["*", "!b"], "a", true),
            (["*", "!b"], "b", false),
            (["**"], "a", true), (["*?"], "a", true), (["é*"], "éa", true),
        ])
    func `texts, globs, lists and exceptions`(_ texts: [String], _ value: String, _ matches: Bool) {
        #expect(Pattern(texts).matches(value) == matches, "\(texts) \(value)")
    }

    @Test func `many stars cost little`() {
        let pattern = Pattern([String(repeating: "a*", count: 100) + "b"])
        #expect(!pattern.matches(String(repeating: "a", count: 5000)))
    }

    @Test func `globs agree with a plain recursive reading`() {
        func slow(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
            guard let first = pattern.first else { return text.isEmpty }
            if first == UInt8(ascii: "*") {
                return slow(pattern.dropFirst(), text)
                    || (!text.isEmpty && slow(pattern, text.dropFirst()))
            }
            guard let byte = text.first else { return false }
            return (first == UInt8(ascii: "?") || first == byte)
                && slow(pattern.dropFirst(), text.dropFirst())
        }
        var random = SeededRandom(seed: 21)
        for _ in 0..<20_000 {
            let pattern =
                "*"
                + String(
                    (0..<random.below(6)).map { _ in
                        random.pick(["a", "b", "*", "?"])[...].first ?? "a"
                    })
            let text = String((0..<1 + random.below(7)).map { _ in random.chance(50) ? "a" : "b" })
            #expect(
                Pattern([pattern]).matches(text)
                    == slow(Array(pattern.utf8)[...], Array(text.utf8)[...]),
                "\(pattern) \(text)")
        }
    }

    @Test func `scopes are written and read back`() {
        let scope: [(dimension: Dimension, value: String)] = [
            (.tenant, "a,b=c%/ é"), (.tag("team"), "x"),
        ]
        let text = ScopeText.write(scope)
        #expect(text == "tenant=a%2Cb%3Dc%25%2F%20%C3%A9,tags.team=x")
        #expect(ScopeText.read(text, each: [.tenant, .tag("team")]) == ["a,b=c%/ é", "x"])
        #expect(ScopeText.read(text, each: [.tenant]) == nil)
        #expect(ScopeText.read(text, each: [.user, .tag("team")]) == nil)
        #expect(ScopeText.write([]) == "all" && ScopeText.read("all", each: []) == [])
    }
}
