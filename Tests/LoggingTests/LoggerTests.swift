import Synchronization
import TestSupport
import Testing

@testable import Logging

private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ bytes: [UInt8]) {
        lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
    }
    var all: [String] { lines.withLock { $0 } }
}

@Suite struct LoggerTests {
    private let lines = Lines()

    private func logger(_ format: LogFormat, _ level: LogLevel = .info) -> Logger {
        let lines = lines
        return Logger(level: level, format: format, time: ManualTime()) { lines.add($0) }
    }

    @Test func `logfmt quotes what needs quotes`() {
        logger(.logfmt).info(
            "it works", ("path", "/a/b"), ("text", "say \"hi\"\n"), ("empty", ""), ("pair", "a=b"))
        #expect(
            lines.all == [
                "time=2026-11-20T10:00:00Z level=INFO msg=\"it works\" path=/a/b "
                    + "text=\"say \\\"hi\\\"\\n\" empty=\"\" pair=\"a=b\"\n"
            ])
    }

    @Test func `JSON lines are JSON`() {
        logger(.json).warn("odd\u{1b}", ("key", "value"))
        #expect(
            lines.all == [
                "{\"time\":\"2026-11-20T10:00:00Z\",\"level\":\"WARN\",\"msg\":\"odd\\u001b\","
                    + "\"key\":\"value\"}\n"
            ])
    }

    @Test func `levels below the set one are silent until it is lowered`() {
        let log = logger(.logfmt, .warn)
        log.info("no")
        log.debug("no")
        log.configure(level: .debug, format: .logfmt)
        log.debug("yes")
        #expect(lines.all.count == 1)
    }

    @Test func `a repeated fault is news when its text changes and when it clears`() {
        var fault = RepeatedFault()
        let news = ["full", "full", "gone"].map { fault.occurred($0) }
        #expect(news == [true, false, true])
        let counts = [fault.cleared(), fault.cleared()]
        #expect(counts == [3, nil])
    }
}
