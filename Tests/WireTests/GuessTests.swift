import Testing
import Wire

@Suite struct GuessTests {
    private func check(_ text: String, _ words: [String], _ expected: String?) {
        #expect(Guess.nearest(to: text, among: words) == expected, "\(text)")
    }

    @Test func `up to two letters may be wrong, missing or too many`() {
        check("tennant", ["tenant", "user"], "tenant")
        check("tnant", ["tenant"], "tenant")
        check("tanent", ["tenant"], "tenant")
        check("tananxo", ["tenant"], nil)
        check("tenantxx", ["tenant"], "tenant")
        check("tenantxxx", ["tenant"], nil)
        check("", ["a"], nil)
        check("tenant", [], nil)
    }

    @Test func `some letter of a short word is right`() {
        check("db", ["at"], nil)
        check("ab", ["at"], "at")
        check("a", ["b"], nil)
    }

    @Test func `case and separators make no difference`() {
        check(
            "WEB_listen.address", ["web.listen-address", "web.config.file"], "web.listen-address")
    }

    @Test func `the nearest wins, and of two as near the first by the alphabet`() {
        check("modle", ["model", "mode"], "mode")
        check("cost", ["host", "post", "lost"], "host")
    }
}
