import Foundation
import Testing

@testable import Tail

@Suite struct TailFaultTests {
    private static let line = "{\"cost_usd\":1}\n"

    /// Reads with the rights of a user who owns nothing, also when the tests run as root: this
    /// thread alone is another user to the file system meanwhile.
    private func asNobody(_ work: () -> Void) throws {
        guard getuid() == 0 else { return work() }
        typealias SetUser = @convention(c) (UInt32) -> Int32
        let symbol = try #require(dlsym(nil, "setfsuid"))
        let setUser = unsafeBitCast(symbol, to: SetUser.self)
        _ = setUser(65_534)
        defer { _ = setUser(0) }
        work()
    }

    @Test func `a file that is not there yet is told once, and read when it comes`() throws {
        let tail = try TailHarness()
        tail.read()
        tail.read()
        let told = tail.logged("not there yet")
        #expect(told.count == 1)
        #expect(told.first?.contains("level=INFO") == true)
        #expect(told.first?.contains("path=\(tail.path())") == true)
        try tail.append(Self.line)
        tail.read()
        #expect(tail.accepted == 1)
        // Between two files of a rotation nothing is told.
        try tail.move("app.jsonl", "app.jsonl.1")
        tail.read()
        #expect(tail.logged("not there yet").count == 1)
        #expect(tail.logged("level=WARN").isEmpty)
    }

    @Test(arguments: ["app.jsonl", "*.jsonl"])
    func `a file that may not be read is told with the cause, again only after a change`(
        _ name: String
    ) throws {
        let tail = try TailHarness(name)
        try tail.append(Self.line)
        #expect(chmod(tail.path(), 0) == 0)
        try asNobody {
            tail.read()
            // A pattern is looked at anew.
            tail.time.advance(seconds: 3)
            tail.read()
        }
        let told = tail.logged("cannot be tailed")
        #expect(told.count == 1)
        #expect(told.first?.contains("level=WARN") == true)
        #expect(told.first?.contains("path=\(tail.path())") == true)
        #expect(told.first?.contains("cause=\"Permission denied\"") == true)
        #expect(tail.accepted == 0)

        #expect(chmod(tail.path(), 0o644) == 0)
        tail.read()
        #expect(tail.accepted == 1)
        // Another file of that name that may not be read is news.
        try FileManager.default.removeItem(atPath: tail.path())
        try tail.append(Self.line)
        #expect(chmod(tail.path(), 0) == 0)
        try asNobody { tail.read() }
        #expect(tail.logged("cannot be tailed").count == 2)
    }

    @Test func `what is no file is told for a path, and passed over for a pattern`() throws {
        for (name, count) in [("app.jsonl", 1), ("*.jsonl", 0)] {
            let tail = try TailHarness(name)
            #expect(mkfifo(tail.path(), 0o644) == 0)
            tail.read()
            tail.read()
            #expect(tail.logged("cause=\"not a regular file\"").count == count)
            #expect(tail.logged("cannot be tailed").count == count)
        }
    }

    @Test func `a pattern says when its directory is not there or may not be listed`() throws {
        let tail = try TailHarness("sub/*.jsonl")
        tail.read()
        #expect(tail.logged("not there yet").count == 1)
        try FileManager.default.createDirectory(
            atPath: tail.path("sub"), withIntermediateDirectories: true)
        try tail.append(Self.line, to: "sub/a.jsonl")
        #expect(chmod(tail.path("sub"), 0) == 0)
        try asNobody { tail.read() }
        #expect(tail.logged("cause=\"Permission denied\"").count == 1)
        #expect(chmod(tail.path("sub"), 0o755) == 0)
        tail.read()
        #expect(tail.accepted == 1)
    }
}
