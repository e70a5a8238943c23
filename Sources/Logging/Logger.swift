internal import Glibc
internal import Synchronization
public import Usage
internal import Wire

public enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case debug, info, warn, error

    public static func < (left: LogLevel, right: LogLevel) -> Bool {
        let order = LogLevel.allCases
        return (order.firstIndex(of: left) ?? 0) < (order.firstIndex(of: right) ?? 0)
    }
}

public enum LogFormat: String, CaseIterable, Sendable {
    case logfmt, json
}

/// One line a message, on standard error unless a test says otherwise:
///
///     time=2026-11-20T10:00:00.250Z level=INFO msg="listening" address=127.0.0.1:10838
///
/// Lines are written whole. Secrets never reach a logger: `Secret` prints as `<secret>`.
public final class Logger: Sendable {
    private struct State {
        var level: LogLevel
        var format: LogFormat
    }

    private let state: Mutex<State>
    private let time: any TimeSource
    private let write: @Sendable ([UInt8]) -> Void

    public init(
        level: LogLevel, format: LogFormat, time: any TimeSource,
        write: @escaping @Sendable ([UInt8]) -> Void = Logger.standardError
    ) {
        state = Mutex(State(level: level, format: format))
        self.time = time
        self.write = write
    }

    /// Takes effect with the next line.
    public func configure(level: LogLevel, format: LogFormat) {
        state.withLock { $0 = State(level: level, format: format) }
    }

    public func debug(_ message: String, _ fields: (String, String)...) {
        log(.debug, message, fields)
    }

    public func info(_ message: String, _ fields: (String, String)...) {
        log(.info, message, fields)
    }

    public func warn(_ message: String, _ fields: (String, String)...) {
        log(.warn, message, fields)
    }

    public func error(_ message: String, _ fields: (String, String)...) {
        log(.error, message, fields)
    }

    private func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)]) {
        let current = state.withLock { $0 }
        guard level >= current.level else { return }
        var line: [UInt8] = []
        let all =
            [
                ("time", RFC3339.text(unixNanos: time.unixNanos / 1_000_000 * 1_000_000)),
                ("level", level.rawValue.uppercased()), ("msg", message),
            ] + fields
        switch current.format {
        case .logfmt: appendLogfmt(all, to: &line)
        case .json: appendJSON(all, to: &line)
        }
        line.append(UInt8(ascii: "\n"))
        write(line)
    }

    private func appendLogfmt(_ fields: [(String, String)], to line: inout [UInt8]) {
        for (index, (key, value)) in fields.enumerated() {
            if index > 0 { line.append(UInt8(ascii: " ")) }
            line.append(key)
            line.append(UInt8(ascii: "="))
            let isPlain =
                !value.isEmpty && key != "msg"
                && value.utf8.allSatisfy {
                    $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=")
                }
            if isPlain { line.append(value) } else { line.appendJSONString(value) }
        }
    }

    private func appendJSON(_ fields: [(String, String)], to line: inout [UInt8]) {
        line.append(UInt8(ascii: "{"))
        for (index, (key, value)) in fields.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line.appendJSONString(key)
            line.append(UInt8(ascii: ":"))
            line.appendJSONString(value)
        }
        line.append(UInt8(ascii: "}"))
    }

    public static let standardError: @Sendable ([UInt8]) -> Void = { line in
        var rest = line[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
            }
            // Nobody is left to tell when the log itself cannot be written.
            if written < 0 && errno != EINTR { return }
            rest = rest.dropFirst(max(written, 0))
        }
    }
}

/// A fault that comes back is logged when its text changes, and once more with the count when it
/// clears.
public struct RepeatedFault: Sendable {
    private var text: String?
    private var count = 0

    public init() {}

    /// True when this text is news.
    public mutating func occurred(_ newText: String) -> Bool {
        count += 1
        defer { text = newText }
        return newText != text
    }

    /// How often it occurred, when it had; then forgets it.
    public mutating func cleared() -> Int? {
        guard text != nil else { return nil }
        defer { self = RepeatedFault() }
        return count
    }
}
