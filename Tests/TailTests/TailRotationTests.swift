import Foundation
import Testing

@testable import Tail

@Suite struct TailRotationTests {
    private static let line = "{\"cost_usd\":1}\n"
    private static let seconds = Int64(TailedFiles.goneNanos / 1_000_000_000)

    @Test func `a renamed file is followed until it has been quiet for five minutes`() throws {
        let tail = try TailHarness()
        try tail.append(Self.line)
        tail.read()
        // Hours before the rename do not count.
        tail.time.advance(seconds: 7200)
        try tail.move("app.jsonl", "app.jsonl.1")
        tail.read()
        tail.time.advance(seconds: Self.seconds - 1)
        tail.read()
        try tail.append(Self.line, to: "app.jsonl.1")
        tail.read()
        #expect(tail.accepted == 2)
        // The time begins anew.
        tail.time.advance(seconds: Self.seconds - 1)
        tail.read()
        #expect(tail.files.files.count == 1)
        tail.time.advance(seconds: 1)
        tail.read()
        #expect(tail.files.files.isEmpty)
        #expect(Self.seconds == 300)
    }

    @Test func `a line that was half written at the rename is taken whole`() throws {
        let tail = try TailHarness()
        try tail.append(Self.line + "{\"cost_usd\"")
        tail.read()
        try tail.move("app.jsonl", "app.jsonl.1")
        try tail.append(Self.line)
        tail.read()
        tail.time.advance(seconds: Self.seconds - 1)
        tail.read()
        #expect(tail.rejected == 0)
        try tail.append(":1}\n", to: "app.jsonl.1")
        tail.read()
        #expect(tail.accepted == 3)
        #expect(tail.rejected == 0)
    }

    @Test func `a last line without an end counts when the time is over`() throws {
        let tail = try TailHarness()
        try tail.append("{\"cost_usd\":1}")
        tail.read()
        try tail.move("app.jsonl", "app.jsonl.1")
        tail.read()
        tail.time.advance(seconds: Self.seconds - 1)
        tail.read()
        #expect(tail.accepted == 0)
        tail.time.advance(seconds: 1)
        tail.read()
        #expect(tail.accepted == 1)
        #expect(tail.files.files.isEmpty)
    }

    @Test func `a deleted file is read to its end and let go after five seconds`() throws {
        let tail = try TailHarness()
        try tail.append(Self.line)
        tail.read()
        let writer = open(tail.path(), O_WRONLY | O_APPEND)
        try #require(writer >= 0)
        defer { close(writer) }
        try FileManager.default.removeItem(atPath: tail.path())
        #expect(write(writer, Self.line, Self.line.utf8.count) == Self.line.utf8.count)
        tail.read()
        #expect(tail.accepted == 2)
        tail.time.advance(nanos: Int64(TailedFiles.leftNanos) - 1)
        tail.read()
        #expect(tail.files.files.count == 1)
        tail.time.advance(nanos: 1)
        tail.read()
        #expect(tail.files.files.isEmpty)
    }

    @Test func `more renamed files than may wait are let go, the quietest first`() throws {
        let tail = try TailHarness()
        let limit = TailedFiles.goneMax
        for index in 0...limit {
            try tail.append(Self.line)
            tail.read()
            try tail.move("app.jsonl", "old.\(index)")
            tail.read()
            tail.time.advance(nanos: 1)
        }
        #expect(tail.files.files.count == limit + 1)
        tail.time.advance(nanos: Int64(TailedFiles.leftNanos))
        tail.read()
        #expect(tail.files.files.count == limit)
        try tail.append(Self.line, to: "old.1")
        try tail.append(Self.line, to: "old.0")
        tail.read()
        #expect(tail.accepted == limit + 2)
    }

    @Test func `a renamed file and its successor are one number of unread bytes`() throws {
        let tail = try TailHarness()
        try tail.append("{\"cost")
        tail.read()
        try tail.move("app.jsonl", "app.jsonl.1")
        try tail.append("{\"co")
        tail.read()
        #expect(tail.files.files.count == 2)
        let unread = tail.files.unreadBytes
        #expect(unread.map(\.path) == [tail.path()])
        #expect(unread.map(\.bytes) == [10])
    }

    @Test func `a half line of a renamed file is waited for after a restart, too`() throws {
        let before = try TailHarness()
        try before.append(Self.line + "{\"cost_usd\"")
        before.read()
        try before.move("app.jsonl", "app.jsonl.1")
        let tail = try TailHarness(after: before)
        tail.read()
        #expect(tail.rejected == 0)
        try tail.append(":1}\n", to: "app.jsonl.1")
        tail.read()
        #expect(tail.accepted == 1)
        #expect(tail.rejected == 0)
    }

    @Test func `a file renamed just before a restart is followed after it, an old one not`() throws
    {
        let before = try TailHarness()
        try before.append(Self.line)
        before.read()
        try before.move("app.jsonl", "app.jsonl.1")
        let tail = try TailHarness(after: before)
        tail.read()
        tail.time.advance(seconds: 60)
        tail.read()
        try tail.append(Self.line, to: "app.jsonl.1")
        tail.read()
        #expect(tail.accepted == 1)

        let written = Int64(Date().timeIntervalSince1970 * 1_000_000_000)
        tail.time.advance(nanos: written - tail.time.unixNanos)
        tail.time.advance(seconds: Self.seconds + 60)
        let later = try TailHarness(after: tail)
        #expect(later.files.files.isEmpty)
    }

    @Test func `a renamed file that could not be read to its end is not let go`() throws {
        let tail = try TailHarness()
        try tail.append(Self.line)
        tail.read()
        try tail.move("app.jsonl", "app.jsonl.1")
        tail.read()
        tail.endLedger()
        try tail.append(Self.line, to: "app.jsonl.1")
        tail.time.advance(seconds: 2 * Self.seconds)
        #expect(tail.files.pass() > 0)
        #expect(tail.files.files.count == 1)
        #expect(tail.files.unreadBytes.map(\.bytes) == [Int64(Self.line.utf8.count)])
    }
}
