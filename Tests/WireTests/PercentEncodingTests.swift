import Testing
import Wire

@Suite struct PercentEncodingTests {
    @Test func `only unreserved characters stand for themselves`() {
        func check(_ text: String, _ expected: String) {
            #expect(PercentEncoding.encode(text) == expected)
            #expect(PercentEncoding.decode(expected) == text)
        }
        let unreserved = "ABCXYZabcxyz0189-._~"
        check(unreserved, unreserved)
        check("", "")
        check("a/b c", "a%2Fb%20c")
        check("+%&=,:@[`{", "%2B%25%26%3D%2C%3A%40%5B%60%7B")
        check("\u{0}\n\u{7f}", "%00%0A%7F")
        check("é 🙂", "%C3%A9%20%F0%9F%99%82")
    }

    @Test func `every ASCII character comes back`() {
        for byte in UInt8(0)..<128 {
            let text = "x\(Unicode.Scalar(byte))y"
            #expect(PercentEncoding.decode(PercentEncoding.encode(text)) == text)
        }
    }

    @Test func `digits of an escape may be small, and a plus stays a plus`() {
        #expect(PercentEncoding.decode("%2f%2F%c3%A9") == "//é")
        #expect(PercentEncoding.decode("a+b") == "a+b")
        #expect(PercentEncoding.decode("a%2Fb".dropFirst()) == "/b")
    }

    @Test(arguments: ["%", "%4", "a%4", "%g0", "%0g", "%+5", "% 5", "%%41", "%FF", "%C3", "%C3%28"])
    func `broken escapes and what is not UTF-8 are refused`(text: String) {
        #expect(PercentEncoding.decode(text) == nil)
    }
}
