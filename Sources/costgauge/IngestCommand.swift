internal import Configuration
internal import Glibc
internal import Logging
internal import Sidecar
internal import Synchronization
internal import Threading
internal import Usage

/// Loads files of events into a server or, while none runs, into a data directory.
enum IngestCommand: Command {
    static let name = "ingest"
    static let summary =
        "loads NDJSON files (- is standard input), one event a line, with a progress line"
    static let operands = "FILE..."
    static let operandsMax = 10_000
    static let flags =
        [
            Flag(
                "url", "URL",
                "a running server, such as http://127.0.0.1:10838; without it the data directory "
                    + "is written, which no server may use meanwhile"),
            ServerToken.flag,
        ] + ConfigurationSource.flags.filter { $0.name != "web.listen-address" }

    static func run(_ arguments: Arguments) throws -> Int32 {
        guard let first = arguments.operands.first else {
            throw UsageError(description: "name at least one file, or - for standard input")
        }
        let place = IngestPlace(file: first)
        place.tellWhenInterrupted()
        let progress = IngestProgress(
            bytesTotal: LineReader.size(of: arguments.operands), time: SystemTime())
        let isComplete: Bool
        if let url = arguments["url"] {
            isComplete = try RunningServer.with(url, arguments) { server in
                let key = String(UInt64.random(in: .min ... .max), radix: 36)
                let target = ServerTarget(server: server, key: key) { progress.note($0) }
                return try load(arguments.operands, into: target, progress, place)
            }
        } else {
            var configuration = try ConfigurationSource(arguments).read()
            configuration.logLevel = arguments["log.level"] == nil ? .warn : configuration.logLevel
            let log = Logger(
                level: configuration.logLevel, format: configuration.logFormat, time: SystemTime())
            let loader = try Loader(configuration: configuration, log: log)
            defer { loader.stop() }
            isComplete = try load(
                arguments.operands, into: DirectoryTarget(loader), progress, place)
        }
        progress.finish()
        return isComplete ? 0 : 1
    }

    /// False when some events were not taken. All files can be read before the first is loaded;
    /// an error says where the load stands.
    private static func load(
        _ files: [String], into target: any IngestTarget, _ progress: IngestProgress,
        _ place: IngestPlace
    ) throws -> Bool {
        for file in files { try LineReader.check(file) }
        for file in files {
            var reader = try LineReader(file)
            place.set(file, 1)
            while let piece = try reader.next() {
                let (outcome, bytes, line) = try take(piece, file, into: target, progress, place)
                progress.add(bytes: bytes, outcome)
                for rejection in outcome.rejections.prefix(progress.rejectionsLeft) {
                    progress.tell(
                        "\(file):\(line + rejection.line - 1): \(rejection.message)")
                }
            }
        }
        return progress.rejected == 0
    }

    private static func take(
        _ piece: LineReader.Piece, _ file: String, into target: any IngestTarget,
        _ progress: IngestProgress, _ place: IngestPlace
    ) throws -> (IngestOutcome, bytes: Int, line: Int) {
        switch piece {
        case .tooLong(let line):
            var outcome = IngestOutcome()
            outcome.rejected = 1
            outcome.rejections = [(1, "the line has more than \(LineReader.lineBytesMax) bytes")]
            return (outcome, LineReader.lineBytesMax, line)
        case .lines(let chunk, let line):
            place.set(file, line)
            do {
                return (try target.take(chunk), chunk.count, line)
            } catch {
                progress.finish()
                throw IngestError(description: "\(error)\n\(place.text)")
            }
        }
    }
}

/// What became of one chunk.
struct IngestOutcome {
    var accepted = 0
    var duplicates = 0
    var rejected = 0
    /// Lines from 1, in the chunk.
    var rejections: [(line: Int, message: String)] = []
}

protocol IngestTarget {
    /// Returns when the chunk is durable.
    func take(_ chunk: [UInt8]) throws -> IngestOutcome
}

/// Where loading ended: the files before are in, and those with ids can be loaded again.
struct IngestError: Error, CustomStringConvertible {
    let description: String
}

/// The progress line on standard error: rewritten in place on a terminal, silent otherwise.
final class IngestProgress {
    private let bytesTotal: Int64?
    private let time: any TimeSource
    private let started: UInt64
    private let isTerminal = isatty(STDERR_FILENO) != 0
    private var shownAt: UInt64 = 0
    private var bytes: Int64 = 0
    private var accepted = 0
    private var duplicates = 0
    private(set) var rejected = 0
    private var told = 0
    /// Rejected lines that are told one by one.
    private static let rejectionsMax = 20

    init(bytesTotal: Int64?, time: any TimeSource) {
        self.bytesTotal = bytesTotal
        self.time = time
        started = time.monotonicNanos
    }

    var rejectionsLeft: Int { max(0, Self.rejectionsMax - told) }

    func add(bytes count: Int, _ outcome: IngestOutcome) {
        bytes += Int64(count)
        accepted += outcome.accepted
        duplicates += outcome.duplicates
        rejected += outcome.rejected
        let now = time.monotonicNanos
        guard isTerminal, now - shownAt > 200_000_000 else { return }
        shownAt = now
        printError("\r\u{1b}[K" + line(now))
    }

    func tell(_ text: String) {
        told += 1
        note(text)
        if told == Self.rejectionsMax { printError("further rejected lines are only counted\n") }
    }

    func note(_ text: String) {
        printError((isTerminal ? "\r\u{1b}[K" : "") + text + "\n")
    }

    func finish() {
        printError((isTerminal ? "\r\u{1b}[K" : "") + line(time.monotonicNanos) + "\n")
    }

    private func line(_ now: UInt64) -> String {
        let seconds = max(Double(now - started) / 1e9, 0.001)
        let rate = Double(bytes) / seconds
        var text =
            "\(accepted) events, \(duplicates) duplicates, \(rejected) rejected, "
            + "\(Int(rate / 1e5).tenths) MB/s, \(Int(Double(accepted) / seconds)) events/s"
        if let bytesTotal, bytesTotal > bytes, rate > 0 {
            text += ", \(Int(Double(bytesTotal - bytes) / rate) + 1) s left"
        }
        return text
    }
}

extension Int {
    /// 123 is "12.3".
    fileprivate var tenths: String { "\(self / 10).\(self % 10)" }
}
