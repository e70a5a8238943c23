import TestSupport
import Testing

@testable import YAML

private func read(_ text: String) throws(YAMLError) -> YAMLNode {
    try YAMLDocument.read(Array(text.utf8))
}

@Suite struct YAMLDocumentTests {
    @Test func `values know their places`() throws {
        let root = try read("a: 1\nb:\n  - x\n  - {c: 'two'}\n")
        guard case .mapping(let entries) = root.content else {
            Issue.record("no mapping")
            return
        }
        #expect(entries.map(\.key) == ["a", "b"])
        #expect(entries[0].value.mark == YAMLMark(line: 1, column: 4))
        guard case .sequence(let items) = entries[1].value.content,
            case .mapping(let inner) = items[1].content
        else {
            Issue.record("no list")
            return
        }
        #expect(items[0].content == .scalar(text: "x", isPlain: true))
        #expect(inner[0].keyMark == YAMLMark(line: 4, column: 6))
        #expect(inner[0].value.content == .scalar(text: "two", isPlain: false))
    }

    @Test(arguments: ["", "# nothing\n", "---\n", "~\n"])
    func `an empty document is an empty mapping`(_ text: String) throws {
        #expect(try read(text).content == .mapping([]))
    }

    @Test(
        arguments: [
            ("a: &x 1\nb: *x\n", 1, "anchors"),
            ("b: *x\n", 1, "alias"), ("a: [1\n", 2, ""), ("- a\n b: c\n", 2, ""),
            ("a: 1\n---\nb: 2\n", 2, "second document"), ("? [a]\n: 1\n", 1, "plain word"),
            ("a: \"x\n", 2, ""), ("a:\tb: c\n", 1, ""), ("x: [1, *y]\n", 1, "alias"),
        ])
    func `faults have a line and a cause`(_ text: String, _ line: Int, _ cause: String) {
        do {
            _ = try read(text)
            Issue.record("\(text) was read")
        } catch {
            #expect(error.mark.line == line, "\(error)")
            #expect(cause.isEmpty || error.message.contains(cause), "\(error)")
        }
    }

    @Test func `depth, size and number of values are bounded`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try read("a: " + nested(31)) }
        #expect(throws: YAMLError.self) { try read("a: " + nested(32)) }
        let many = "[" + String(repeating: "1,", count: 100_000) + "]"
        #expect(throws: YAMLError.self) { try read(many) }
        #expect(throws: YAMLError.self) {
            try YAMLDocument.read([UInt8](repeating: 0x20, count: YAMLDocument.bytesMax + 1))
        }
    }

    @Test func `any bytes give an answer`() {
        var random = SeededRandom(seed: 3)
        let seed = Array("a: [1, {b: \"c\"}]\nd:\n  - e: |\n      text\n".utf8)
        for _ in 0..<3000 {
            var bytes = seed
            for _ in 0...random.below(5) {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            _ = try? YAMLDocument.read(bytes)
        }
    }
}
