import Testing

@testable import JSON

/// Reads `text` and lends the document.
private func withDocument<Result>(
    _ text: String, _ body: (borrowing JSONDocument) -> Result
) throws -> Result {
    var bytes = Array(text.utf8)
    let length = bytes.count
    JSONIndexer.pad(&bytes)
    var indexer = JSONIndexer()
    return try indexer.read(bytes.span, 0..<length, body)
}

// These pin what simdjson's first stage means; its type is internal there and may change with an
// upgrade.
@Suite struct StructuralIndexTests {
    private func offsets(_ text: String) throws -> [Int] {
        try withDocument(text) { document in
            (0..<document.tokenCount).map { document.offset($0) }
        }
    }

    @Test func `tokens are structural characters, opening quotes and starts of scalars`() throws {
        #expect(try offsets(#"{"a":1}"#) == [0, 1, 4, 5, 6])
        #expect(try offsets(#"  [ true ,null, -1.5e3 ]"#) == [2, 4, 9, 10, 14, 16, 23])
        #expect(try offsets(#"{"k\"":"{[,:]}"}"#) == [0, 1, 6, 7, 15])
        #expect(try offsets("{}\n{}") == [0, 1, 3, 4])
        #expect(try offsets(#""abc"x"#) == [0, 5])
    }

    @Test func `faults of the whole text are told apart`() {
        func fault(_ bytes: [UInt8]) -> JSONTextFault? {
            var padded = bytes
            JSONIndexer.pad(&padded)
            var indexer = JSONIndexer()
            do throws(JSONTextFault) {
                try indexer.read(padded.span, 0..<bytes.count) { _ in }
                return nil
            } catch { return error }
        }
        #expect(fault([]) == .empty)
        #expect(fault(Array("   ".utf8)) == .empty)
        #expect(fault(Array(#"{"a":"b}"#.utf8)) == .unclosedString)
        #expect(fault(Array("{\"a\":\"\u{1}\"}".utf8)) == .controlCharacter)
        #expect(fault([0x22, 0xff, 0x22]) == .notUTF8)
        #expect(fault([0x22, 0xed, 0xa0, 0x80, 0x22]) == .notUTF8)
        #expect(fault(Array(#"{"a":12x}"#.utf8)) == nil)
    }

    @Test func `a part of a buffer is read by itself`() throws {
        var bytes = Array(#"xxx{"a":1}yyy"#.utf8)
        JSONIndexer.pad(&bytes)
        var indexer = JSONIndexer()
        let count = try indexer.read(bytes.span, 3..<10) { $0.tokenCount }
        #expect(count == 5)
    }

    @Test func `index memory follows the text up and down`() throws {
        var indexer = JSONIndexer()
        for size in [10, 3_000_000, 10, 500_000] {
            var bytes = Array(("[" + String(repeating: "1,", count: size / 2) + "1]").utf8)
            let length = bytes.count
            JSONIndexer.pad(&bytes)
            let count = try indexer.read(bytes.span, 0..<length) { $0.tokenCount }
            #expect(count == size / 2 * 2 + 3)
        }
    }
}

@Suite struct JSONDocumentTests {
    @Test func `strings end at their quote whatever follows`() throws {
        let text = #"{"a" : "x\"y" ,"b":"" }"#
        func string(_ token: Int) throws -> JSONDocument.Text? {
            try withDocument(text) { $0.string(token) }
        }
        let first = try string(1)
        #expect(first?.offset == 2 && first?.length == 1 && first?.isEscaped == false)
        let second = try string(3)
        #expect(second?.offset == 8 && second?.length == 4 && second?.isEscaped == true)
        #expect(try string(7)?.length == 0)
        #expect(try string(0) == nil && string(99) == nil)
    }

    @Test(
        arguments: [
            ("0", 0), ("7", 7), ("18446744073709551615", UInt64.max), ("18446744073709551616", nil),
            ("-1", nil), ("1.0", nil), ("1e3", nil), ("01", nil), ("12x", nil), ("true", nil),
        ] as [(String, UInt64?)])
    func `unsigned integers are plain digits`(_ text: String, _ value: UInt64?) throws {
        #expect(try withDocument("[\(text)]") { $0.unsignedInteger(1) } == value)
    }

    @Test func `words are matched whole`() throws {
        let text = "[true,tru,truex,false,null,nulls]"
        let booleans = try withDocument(text) { document in
            [1, 3, 5, 7].map { document.boolean($0) }
        }
        #expect(booleans == [true, nil, nil, false])
        #expect(try withDocument(text) { $0.isNull(9) && !$0.isNull(11) })
    }

    @Test func `skip steps over any value and refuses broken ones`() throws {
        func end(_ text: String) throws -> Int? {
            try withDocument(text) { document -> Int? in try? document.skip(0) }
        }
        #expect(try end(#"{"a":[1,{"b":null}],"c":"d"}"#) == 17)
        #expect(try end("{}") == 2)
        #expect(try end("[]") == 2)
        for broken in [
            "[1,]", "[1 2]", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "[tru]", "[01]", "[1", "{", "]",
            "[}",
            "[12x]", #"{1:2}"#, #"["a"x]"#,
        ] {
            #expect(try end(broken) == nil, "\(broken)")
        }
        let deep = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
        #expect(try end(deep) == nil)
        let bearable = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(try end(bearable) == 128)
    }

    @Test func `known keys of any length are told apart by their words`() throws {
        let keys = ["a", "ab", "tenant", "abcdefgh", "abcdefghi", "cached_input_tokens"]
        for key in keys {
            let words = try withDocument("{\"\(key)\":1}") { document in
                document.words(document.string(1) ?? .init(offset: 0, length: 0, isEscaped: false))
            }
            #expect(words == KeyWords(Array(key.utf8)))
            for other in keys where other != key { #expect(words != KeyWords(Array(other.utf8))) }
        }
        let long = String(repeating: "x", count: 25)
        #expect(KeyWords(Array(long.utf8)).length == 25)
        #expect(
            KeyWords(Array("cached_inXXX_tokens".utf8))
                != KeyWords(Array("cached_input_tokens".utf8)))
    }
}

@Suite struct JSONValueTests {
    private func read(_ text: String) -> JSONValue? { try? JSONValue.read(Array(text.utf8)) }

    @Test func `a document is read with its literals`() {
        let value = read(#"{"a":[1.50,-2e3,true,null,"x\u00e9\ud83d\ude00\n"],"b":{}}"#)
        #expect(value?["a"]?.array?.map(\.literal) == ["1.50", "-2e3", nil, nil, nil])
        #expect(value?["a"]?.array?.last?.string == "xé😀\n")
        #expect(value?["b"] == .object([]))
        #expect(read("7")?.integer == 7)
    }

    @Test(
        arguments: [
            "", "{", "[1,]", "{\"a\" 1}", "{\"a\":1,}", "[1]]", "nul", "01", "1 2",
            "{\"a\":\"\\q\"}",
            "\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\"", "\"\\u12\"", "[1}", "{1:2}",
            "\"\\ud83d\\u0041\"",
        ])
    func `what is no JSON is refused`(_ text: String) {
        #expect(read(text) == nil)
    }

    @Test func `nesting is bounded`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(read(nested(64)) != nil)
        #expect(read(nested(65)) == nil)
    }
}

@Suite struct WalkingTests {
    /// What a walk of an object of arrays of strings finds: `key=first,second;`.
    private func walk(_ text: String) throws(JSONFault) -> String {
        try JSONDocument.read(Array(text.utf8)) { (document, token) throws(JSONFault) in
            var found = ""
            try document.members(&token) { (document, token, key) throws(JSONFault) in
                let name = try document.text(key)
                if name.hasPrefix("_") { return false }
                var items: [String] = []
                try document.elements(&token) { (document, token) throws(JSONFault) in
                    items.append(try document.text(token))
                    token += 1
                }
                found += "\(name)=\(items.joined(separator: ","));"
                return true
            }
            return found
        }
    }

    @Test func `members and elements come in order, what is not wanted is skipped`() throws {
        #expect(try walk("{}") == "")
        #expect(try walk(#"{"a":[]}"#) == "a=;")
        #expect(try walk(#"{"a":["x","y"],"_b":{"c":[1,{}]},"d":["\u00e9\n"]}"#) == "a=x,y;d=é\n;")
    }

    @Test(arguments: [
        ("[]", 0, "an object is expected"), (#"{"a":1}"#, 5, "a list is expected"),
        (#"{"a":[1]}"#, 6, "a string is expected"), (#"{"a" ["x"]}"#, 1, "a key and a colon"),
        ("{1:[]}", 1, "a key and a colon"), (#"{"a":[],}"#, 8, "a key and a colon"),
        (#"{"a":[] "b":[]}"#, 8, "a comma is expected"), (#"{"a":["x" "y"]}"#, 10, "a comma"),
        (#"{"a":["x""#, 9, "a comma"), (#"{"a":["\q"]}"#, 7, "an unknown escape"),
        (#"{"_a":tru}"#, 6, "not a JSON value"), ("{} {}", 3, "text after the value"),
        ("", 0, "no JSON value"),
    ])
    func `faults name their place`(_ text: String, _ offset: Int, _ message: String) {
        do throws(JSONFault) {
            let found = try walk(text)
            Issue.record("found \(found)")
        } catch {
            #expect(error.offset == offset)
            #expect(error.description.contains(message))
            #expect(error.description.hasPrefix("byte \(offset): "))
        }
    }
}
