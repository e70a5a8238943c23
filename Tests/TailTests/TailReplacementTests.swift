import Foundation
import Testing

@testable import Tail

@Suite struct TailReplacementTests {
    private static let old = "{\"cost_usd\":1}\n{\"cost_usd\":2}\n"
    private static let new = "{\"cost_usd\":3}\n{\"cost_usd\":4}\n"

    /// Puts the text at the start of the file.
    private func overwrite(_ tail: TailHarness, _ text: String, flags: Int32) throws {
        let file = open(tail.path(), O_WRONLY | flags)
        try #require(file >= 0)
        defer { close(file) }
        #expect(write(file, text, text.utf8.count) == text.utf8.count)
    }

    @Test(arguments: [O_TRUNC, 0])
    func `other content of the same size is read from its start`(_ flags: Int32) throws {
        let tail = try TailHarness()
        try tail.append(Self.old)
        tail.read()
        #expect(tail.accepted == 2)
        try overwrite(tail, Self.new, flags: flags)
        tail.read()
        #expect(tail.accepted == 4)
        #expect(tail.logged("truncated or replaced").count == 1)
        // And that is followed on.
        try tail.append(Self.new)
        tail.read()
        #expect(tail.accepted == 6)
    }

    @Test func `a change is looked at when the last one was long ago, and settled by then`() throws
    {
        let tail = try TailHarness()
        try tail.append(Self.old)
        // Beyond the time of every change of the file: each is looked at once.
        let now = Int64(Date().timeIntervalSince1970 * 1_000_000_000)
        tail.time.advance(nanos: now + 3_600_000_000_000 - tail.time.unixNanos)
        tail.read()
        tail.read()
        #expect(tail.accepted == 2)
        var before = stat()
        #expect(stat(tail.path(), &before) == 0)
        // The kernel's clock must have moved on for the change to show.
        var after = before
        repeat {
            try overwrite(tail, Self.new, flags: 0)
            #expect(stat(tail.path(), &after) == 0)
        } while after.st_ctim.tv_nsec == before.st_ctim.tv_nsec
        tail.read()
        #expect(tail.accepted == 4)
    }

    @Test func `the same bytes again, or another mode, are nothing new`() throws {
        let tail = try TailHarness()
        try tail.append(Self.old)
        tail.read()
        try overwrite(tail, Self.old, flags: 0)
        #expect(chmod(tail.path(), 0o600) == 0)
        tail.read()
        #expect(tail.accepted == 2)
        #expect(tail.logged("truncated or replaced").isEmpty)
    }
}
