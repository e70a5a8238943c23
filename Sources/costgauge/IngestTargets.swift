internal import HTTPClient
internal import JSON
internal import Sidecar
internal import Threading

/// A running server: the chunk is posted, and again when the server asks for patience.
struct ServerTarget: IngestTarget {
    let server: RunningServer
    /// A server that is restarted or full is waited for this often, a second each.
    static let attemptsMax = 60

    func take(_ chunk: [UInt8]) throws -> IngestOutcome {
        let base = server.base
        var last = ""
        for attempt in 0..<Self.attemptsMax {
            if attempt > 0 { WakeSignal().wait(nanos: 1_000_000_000) }
            switch server.post("/v1/events", chunk, type: "application/x-ndjson") {
            case .failure(.badURL):
                throw IngestError(description: "--url: \"\(base)\" cannot be called")
            case .failure(let failure): last = failure.description
            case .success(let answer):
                switch answer.status {
                case 200, 422: return outcome(answer.body, of: chunk)
                case 429, 503: last = "it answered \(answer.status)"
                default:
                    let text = String(decoding: answer.body.prefix(500), as: UTF8.self)
                    throw IngestError(description: "\(base) answered \(answer.status): \(text)")
                }
            }
        }
        throw IngestError(description: "\(base): \(last); gave up after \(Self.attemptsMax) tries")
    }

    private func outcome(_ body: [UInt8], of chunk: [UInt8]) -> IngestOutcome {
        var outcome = IngestOutcome()
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
