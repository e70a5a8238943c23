import Foundation
import TestSupport
import Testing

/// Rules of the house that no compiler checks. Each fails on a planted breach, see the last test.
struct Tidy {
    struct File {
        let path: String
        let lines: [String]
    }

    static func sources(_ folders: [String] = ["Sources", "Tests"]) -> [File] {
        folders.flatMap { folder -> [File] in
            let root = Costgauge.repository + "/" + folder
            let names = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String }
            return (names ?? []).filter { $0.hasSuffix(".swift") }.sorted().compactMap { name in
                let text = try? String(contentsOfFile: root + "/" + name, encoding: .utf8)
                return text.map {
                    File(
                        path: "\(folder)/\(name)",
                        lines: $0.split(separator: "\n", omittingEmptySubsequences: false)
                            .map(String.init))
                }
            }
        }
    }

    static let linesMax = 400
    static let columnsMax = 100
    /// A text literal is not worth breaking for a few columns.
    static let literalColumnsMax = 130
    static let functionLinesMax = 70

    /// Breaches in one file of Sources, as `path:line: what`.
    static func breaches(_ file: File) -> [String] {
        var breaches: [String] = []
        func breach(_ index: Int, _ what: String) {
            breaches.append("\(file.path):\(index + 1): \(what)")
        }
        if file.lines.count > linesMax {
            breach(0, "\(file.lines.count) lines; at most \(linesMax)")
        }
        var functionStart: (line: Int, indent: Int)?
        for (index, line) in file.lines.enumerated() {
            let code = line.trimmingCharacters(in: .whitespaces)
            let isComment = code.hasPrefix("//")
            let isLiteral = line.contains("\"") || file.path.hasSuffix("Schema.swift")
            if line.count > (isLiteral ? literalColumnsMax : columnsMax) {
                breach(index, "\(line.count) columns")
            }
            if !isComment {
                for banned in ["try!", "as!", " print(", "Task.detached", "fatalError("]
                where code.contains(banned)
                    || code.hasPrefix(banned.trimmingCharacters(in: .whitespaces))
                {
                    breach(index, "\(banned) is banned")
                }
                if code.contains("@unchecked Sendable") || code.contains("nonisolated(unsafe)") {
                    let around = file.lines[
                        max(0, index - 3)...min(file.lines.count - 1, index + 2)]
                    if !around.contains(where: { $0.contains("//") }) {
                        breach(index, "without a reason")
                    }
                }
            }
            for word in ["TODO", "FIXME", "XXX"] where isComment && line.contains(word) {
                breach(index, "a leftover \(word)")
            }
            let indent = line.prefix { $0 == " " }.count
            if code.range(of: #"^[a-z @()]*\b(func|init)\b.*"#, options: .regularExpression) != nil,
                !isComment, functionStart == nil
            {
                functionStart = (index, indent)
            } else if let start = functionStart, indent == start.indent, code.hasPrefix("}") {
                if index - start.line > functionLinesMax {
                    breach(start.line, "a function of \(index - start.line) lines")
                }
                functionStart = nil
            }
        }
        return breaches
    }
}

@Suite struct TidyTests {
    @Test func `sources keep the rules of the house`() {
        #expect(Tidy.sources(["Sources"]).flatMap(Tidy.breaches) == [])
    }

    @Test func `test files are not too long to read`() {
        let long = Tidy.sources(["Tests"]).filter { $0.lines.count > Tidy.linesMax }
        #expect(long.map(\.path) == [])
    }

    @Test func `each C module is imported by one target`() {
        var importers: [String: Set<String>] = [:]
        for file in Tidy.sources(["Sources"]) {
            for line in file.lines {
                let words = line.split(separator: " ")
                guard let module = words.last.map(String.init), words.contains("import"),
                    ["CMicroHTTPD", "CSQLite", "CYAML", "CZlib", "CSimdJSON", "CCurl", "CCrypto"]
                        .contains(module)
                else { continue }
                importers[module, default: []].insert(String(file.path.split(separator: "/")[1]))
            }
        }
        #expect(importers.count >= 5)
        #expect(importers.filter { $0.value.count != 1 }.isEmpty, "\(importers)")
    }

    @Test func `only wrappers and the lowest rooms hold unsafe code`() {
        let allowed: Set<String> = [
            // Wrappers around C.
            "HTTPServer", "HTTPClient", "SQLite", "YAML", "JSON", "Gzip", "Crypto",
            // Loads of several bytes, clocks and system calls.
            "Wire", "Usage", "Threading", "TimeZones", "Store", "Logging", "Exposition", "Sidecar",
            "Pricing", "Files", "WebPage",
            "costgauge",
        ]
        let rooms = Set(
            Tidy.sources(["Sources"]).filter { file in
                file.lines.contains { $0.contains("unsafe ") && !$0.contains("//") }
            }.map { String($0.path.split(separator: "/")[1]) })
        #expect(rooms.subtracting(allowed).isEmpty, "\(rooms.subtracting(allowed))")
    }

    @Test func `the map names every room`() throws {
        let map = try String(
            contentsOfFile: Costgauge.repository + "/Sources/README.md", encoding: .utf8)
        let rooms = try FileManager.default.contentsOfDirectory(
            atPath: Costgauge.repository + "/Sources")
        for room in rooms where room != "README.md" {
            #expect(map.contains("`\(room)`"), "\(room)")
        }
    }

    @Test func `make tsan names suites that are there`() throws {
        let makefile = try String(
            contentsOfFile: Costgauge.repository + "/Makefile", encoding: .utf8)
        let list = try #require(makefile.firstMatch(of: /INTAKE := ((?:.*\\\n)*.*)/))
        let suites = list.1.matches(of: /\w+/).map { String($0.0) }
        #expect(suites.count >= 10)
        for suite in suites {
            let room = Costgauge.repository + "/Tests/" + suite
            let file = Costgauge.repository + "/Tests/EndToEndTests/\(suite).swift"
            #expect([room, file].contains(where: FileManager.default.fileExists), "\(suite)")
        }
    }

    @Test func `every exported metric is documented, and no other`() throws {
        let page = try String(
            contentsOfFile: Costgauge.repository + "/dashboards/README.md", encoding: .utf8)
        let documented = Set(
            page.matches(of: /`((costgauge|process)_[a-z_]+)/).map { String($0.1) })
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        #expect(try server.client().post(#"{"cost_usd":1}"#).status == 200)
        let metrics = try server.client().request("GET", "/metrics").text
        let exported = Set(metrics.matches(of: #/# TYPE (\S+) /#).map { String($0.1) })
        #expect(exported.subtracting(documented) == [])
        #expect(documented.subtracting(exported) == [])
    }

    @Test func `a planted breach is found`() {
        let long = Array(repeating: "let a = 1", count: 401)
        let function = ["func f() {"] + Array(repeating: "    a()", count: 80) + ["}"]
        for lines in [
            long, function, ["let a = try! b()"], ["let a = b as! C"], ["    print(a)"],
            ["// TODO later"], [String(repeating: "x", count: 101)],
            ["class A: @unchecked Sendable {"],
            ["fatalError()"],
        ] {
            #expect(!Tidy.breaches(Tidy.File(path: "Sources/X/Y.swift", lines: lines)).isEmpty)
        }
        #expect(Tidy.breaches(Tidy.File(path: "Sources/X/Y.swift", lines: ["let a = 1"])) == [])
    }
}
