import HTTPClient
import Synchronization
import TestSupport

@testable import Delivery

/// Receivers at their worst, from a seed; remembers what they took.
final class ChaosScript: Sendable {
    private struct State {
        var random: SeededRandom
        var isCalm = false
        var accepted: [String: [String]] = [:]
        var held: [HTTPClientRequest] = []
    }

    private let state: Mutex<State>

    init(seed: UInt64) { state = Mutex(State(random: SeededRandom(seed: seed))) }

    func calm() { state.withLock { $0.isCalm = true } }

    /// `key status` of each request that a receiver answered with success.
    func accepted(by receiver: String) -> [String] {
        state.withLock { $0.accepted[receiver] ?? [] }
    }

    func answer(_ request: HTTPClientRequest) -> HTTPClientOutcome? {
        state.withLock { state in
            guard !state.isCalm else { return Self.take(request, &state) }
            switch state.random.below(10) {
            case 0: return ScriptedTransport.status(request.mail == nil ? 500 : 451)
            case 1: return ScriptedTransport.status(429, retryAfter: "3")
            case 2: return .failure(.timedOut)
            case 3: return .failure(.brokenOff)
            case 4: return .failure(.cannotResolve)
            case 5: return nil
            default: return Self.take(request, &state)
            }
        }
    }

    /// What a request that hung ends in.
    func answerHeld() -> HTTPClientOutcome { .failure(.timedOut) }

    private static func take(
        _ request: HTTPClientRequest, _ state: inout State
    ) -> HTTPClientOutcome {
        let receiver = request.url.split(separator: "/")[1]
        state.accepted[String(receiver), default: []] += names(of: request)
        return ScriptedTransport.ok
    }

    /// The alert's key, where this kind of receiver carries it.
    static func key(of request: HTTPClientRequest) -> String {
        names(of: request).first.map { String($0.split(separator: " ")[0]) } ?? ""
    }

    /// What a request tells: each alert's key and whether it fires.
    private static func names(of request: HTTPClientRequest) -> [String] {
        let text = String(decoding: request.body, as: UTF8.self)
        if request.mail != nil {
            func header(_ name: String) -> String {
                let start = text.firstRange(of: "\(name): ")?.upperBound ?? text.endIndex
                return String(text[start...].prefix { $0 != "\r\n" })
            }
            let id = header("Message-ID")
            return [
                header("X-Costgauge-Dedup-Key")
                    + (id.contains("-resolved@") ? " resolved" : " firing")
            ]
        }
        if let alerts = request.json.array {
            return alerts.map { alert in
                let isOver = alert["annotations"]?["summary"]?.string?.hasPrefix("Resolved")
                return (alert["labels"]?["dedup_key"]?.string ?? "")
                    + (isOver == true ? " resolved" : " firing")
            }
        }
        if request.url.hasSuffix("/slack") || request.url.hasSuffix("/flow") {
            let start = text.firstRange(of: "title of ")?.upperBound ?? text.endIndex
            return [text[start...].prefix { $0.isLetter || $0.isNumber } + " firing"]
        }
        let type = request.json["type"]?.string ?? request.json["event_action"]?.string ?? ""
        let isResolved = type.hasSuffix("resolve") || type.hasSuffix("resolved")
        return [request.dedupKey + (isResolved ? " resolved" : " firing")]
    }
}
