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
            case 0: return ScriptedTransport.status(500)
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
        state.accepted[String(receiver), default: []].append(name(of: request))
        return ScriptedTransport.ok
    }

    private static func name(of request: HTTPClientRequest) -> String {
        if request.url.hasSuffix("/slack") {
            let text = request.json["text"]?.string ?? ""
            return String(text.dropFirst("title of ".count).prefix { $0 != ":" }) + " firing"
        }
        let type = request.json["type"]?.string ?? request.json["event_action"]?.string ?? ""
        let isResolved = type.hasSuffix("resolve") || type.hasSuffix("resolved")
        return request.dedupKey + (isResolved ? " resolved" : " firing")
    }
}
