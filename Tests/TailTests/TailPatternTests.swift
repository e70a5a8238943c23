import Foundation
import TestSupport
import Testing

@testable import Tail

@Suite struct TailPatternTests {
    /// Files `f0000.jsonl` and so on; the first was written to last, the last before all others.
    private func fill(_ tail: TailHarness, _ count: Int) throws {
        for index in 0..<count {
            let name = "f\(String(format: "%04d", index)).jsonl"
            try tail.append("{\"cost_usd\":1}\n", to: name)
            try date(tail, name, 1_700_000_000 - index)
        }
    }

    private func date(_ tail: TailHarness, _ name: String, _ seconds: Int) throws {
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: TimeInterval(seconds))],
            ofItemAtPath: tail.path(name))
    }

    @Test func `as many files as a pattern may match are all read, without a word`() throws {
        let tail = try TailHarness("*.jsonl")
        try fill(tail, SourceFiles.filesMax)
        try tail.append("{\"cost_usd\":1}\n", to: "old.jsonl.gz")
        tail.read()
        #expect(tail.accepted == SourceFiles.filesMax)
        #expect(tail.logged("too many files").isEmpty)
    }

    @Test func `of more files those written to last are read, and that is told once`() throws {
        let tail = try TailHarness("*.jsonl")
        let limit = SourceFiles.filesMax
        try fill(tail, limit + 1)
        tail.read()
        #expect(tail.accepted == limit)
        let told = tail.logged("too many files")
        #expect(told.count == 1)
        #expect(told.first?.contains("level=WARN") == true)
        #expect(told.first?.contains("matches=\(limit + 1) followed=\(limit)") == true)
        #expect(told.first?.contains("pattern=\(tail.path("*.jsonl"))") == true)

        // A new file with the last name of all takes the place of the one that is oldest now, and
        // the one that was left out takes a place when it grows.
        try tail.append("{\"cost_usd\":1}\n", to: "z.jsonl")
        try tail.append("{\"cost_usd\":1}\n", to: "f\(limit).jsonl")
        tail.time.advance(seconds: 2)
        tail.read()
        #expect(tail.accepted == limit + 3)
        #expect(tail.logged("too many files").count == 1)
    }

    @Test func `a file that falls out keeps its unfinished line until it grows again`() throws {
        let tail = try TailHarness("*.jsonl")
        let limit = SourceFiles.filesMax
        try fill(tail, limit)
        let last = "f0\(limit - 1).jsonl"
        try tail.append("{\"cost_usd\"", to: last)
        try date(tail, last, 1_600_000_000)
        tail.read()
        #expect(tail.accepted == limit)
        try tail.append("{\"cost_usd\":1}\n", to: "z.jsonl")
        tail.time.advance(seconds: 2)
        tail.read()
        tail.time.advance(seconds: 3600)
        tail.read()
        #expect(tail.files.files.count == limit)
        #expect(tail.accepted == limit + 1)
        try tail.append(":1}\n", to: last)
        tail.time.advance(seconds: 2)
        tail.read()
        #expect(tail.accepted == limit + 2)
        #expect(tail.rejected == 0)
    }
}
