internal import HTTPClient
internal import JSON
internal import Sidecar
internal import Threading

/// A running server: the chunk is posted, and again when the server asks for patience or its answer
/// is lost. Each chunk has a key, so that events without ids count once however often it is sent.
final class ServerTarget: IngestTarget {
    /// A server that is restarted or full is waited for this often, a second each.
    static let attemptsMax = 60

    private let server: RunningServer
    /// Of this load and no other.
    private let key: String
    private let tell: (String) -> Void
    private var chunks = 0
    /// It is told once.
    private var hasWaited = false
    /// Bytes of the smallest body that was too large for the server.
    private var refusedBytes = Int.max

    init(server: RunningServer, key: String, tell: @escaping (String) -> Void) {
        self.server = server
        self.key = key
        self.tell = tell
    }

    func take(_ chunk: [UInt8]) throws -> IngestOutcome {
        guard chunk.count < refusedBytes else { return try takeHalves(chunk) }
        let base = server.base
        chunks += 1
        let headers = [("Idempotency-Key", "\(key)-\(chunks)")]
        var last = ""
        // By answers that said which part of the chunk was kept.
        var acceptedBefore = 0
        for attempt in 0..<Self.attemptsMax {
            if attempt == 1, !hasWaited {
                hasWaited = true
                tell("\(base): \(last); trying again for a minute")
            }
            if attempt > 0 { WakeSignal().wait(nanos: 1_000_000_000) }
            let answer = server.post(
                "/v1/events", chunk, type: "application/x-ndjson", headers: headers)
            switch answer {
            case .failure(.badURL):
                throw IngestError(description: "--url: \"\(base)\" cannot be called")
            case .failure(let failure): last = failure.description
            case .success(let answer):
                switch answer.status {
                case 200, 422:
                    guard var outcome = outcome(answer.body, of: chunk) else { break }
                    let known = min(acceptedBefore, outcome.duplicates)
                    outcome.accepted += known
                    outcome.duplicates -= known
                    return outcome
                case 400:
                    if let outcome = unreadable(answer.body, of: chunk) { return outcome }
                case 413:
                    refusedBytes = chunk.count
                    return try takeHalves(chunk)
                case 429, 503:
                    last = "it answered \(answer.status)"
                    acceptedBefore +=
                        (try? JSONValue.read(answer.body))?["error"]?["accepted"]?.integer ?? 0
                    continue
                default: break
                }
                let text = String(decoding: answer.body.prefix(500), as: UTF8.self)
                let doubt = answer.status == 200 ? ", but not as costgauge does" : ""
                throw IngestError(description: "\(base) answered \(answer.status)\(doubt): \(text)")
            }
        }
        throw IngestError(description: "\(base): \(last); gave up after \(Self.attemptsMax) tries")
    }

    /// The server takes smaller bodies only.
    private func takeHalves(_ chunk: [UInt8]) throws -> IngestOutcome {
        let newline = UInt8(ascii: "\n")
        let half = chunk.count / 2
        let middle =
            chunk[half..<(chunk.count - 1)].firstIndex(of: newline)
            ?? chunk[..<half].lastIndex(of: newline)
        guard let middle else {
            var outcome = IngestOutcome()
            outcome.rejected = 1
            outcome.rejections = [
                (1, "the line is longer than the server takes (web.body_bytes_max.events)")
            ]
            return outcome
        }
        var outcome = try take(Array(chunk[...middle]))
        let lines = chunk[...middle].count { $0 == newline }
        let second = try take(Array(chunk[(middle + 1)...]))
        outcome.accepted += second.accepted
        outcome.duplicates += second.duplicates
        outcome.rejected += second.rejected
        outcome.rejections += second.rejections.map { ($0.line + lines, $0.message) }
        return outcome
    }

    /// The answer to a chunk in which no line is an event; nil when it was refused for something
    /// else.
    private func unreadable(_ body: [UInt8], of chunk: [UInt8]) -> IngestOutcome? {
        guard let error = (try? JSONValue.read(body))?["error"],
            error["code"]?.string == "malformed_json"
        else { return nil }
        var outcome = IngestOutcome()
        outcome.rejected = chunk.split(separator: UInt8(ascii: "\n")).count { line in
            line.contains { $0 > UInt8(ascii: " ") }
        }
        if outcome.rejected > 0 {
            outcome.rejections = [
                (error["line"]?.integer ?? 1, "no line from here on is an event in JSON")
            ]
        }
        return outcome
    }

    /// Nil: costgauge does not answer so.
    private func outcome(_ body: [UInt8], of chunk: [UInt8]) -> IngestOutcome? {
        var outcome = IngestOutcome()
        guard body.starts(with: "{\"accepted\":".utf8) else { return nil }
        guard let answer = try? JSONValue.read(body) else {
            // The client cuts an answer that names very many rejections; its numbers come first.
            let numbers = body.prefix(80).split { !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0) }
                .prefix(2).map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
            (outcome.accepted, outcome.duplicates) = (numbers.first ?? 0, numbers.last ?? 0)
            let lines = chunk.split(separator: UInt8(ascii: "\n")).count
            outcome.rejected = lines - outcome.accepted - outcome.duplicates
            return outcome
        }
        outcome.accepted = answer["accepted"]?.integer ?? 0
        outcome.duplicates = answer["duplicates"]?.integer ?? 0
        let rejections = answer["rejected"]?.array ?? []
        outcome.rejected = answer["rejected_total"]?.integer ?? rejections.count
        outcome.rejections = rejections.map {
            ($0["line"]?.integer ?? 0, $0["message"]?.string ?? "")
        }
        return outcome
    }
}

/// The store itself, through the rooms that a server has.
struct DirectoryTarget: IngestTarget {
    let loader: Loader

    init(_ loader: Loader) { self.loader = loader }

    func take(_ chunk: [UInt8]) throws -> IngestOutcome {
        let result = loader.take(lines: chunk)
        if let failure = result.failure { throw IngestError(description: failure) }
        var outcome = IngestOutcome()
        outcome.accepted = result.accepted
        outcome.duplicates = result.duplicates
        outcome.rejected = result.rejected
        outcome.rejections = result.rejections
        return outcome
    }
}
