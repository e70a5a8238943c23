import Foundation
import TestSupport
import Testing

@testable import OTLP

/// Any bytes whatever are answered: taken, taken in part, or refused.
///
/// `OTLP_MUTATIONS` says how many bodies of each seed are tried; the default keeps the run short.
@Suite struct MutationTests {
    private static let count =
        ProcessInfo.processInfo.environment["OTLP_MUTATIONS"].flatMap { Int($0) } ?? 300

    private static let seeds: [(String, OTLPSignal, OTLPEncoding)] = [
        ("traces-genai-openai.pb", .traces, .protobuf),
        ("traces-litellm-otel.pb", .traces, .protobuf),
        ("traces-genai-openai.json", .traces, .json),
        ("metrics-genai-openai-cumulative.pb", .metrics, .protobuf),
        ("metrics-all-kinds-delta-1.json", .metrics, .json),
        ("metrics-all-kinds-cumulative-1.pb", .metrics, .protobuf),
        ("logs-openlit-inference-details.pb", .logs, .protobuf),
    ]

    @Test(arguments: seeds)
    func `mutated bodies are answered`(
        _ name: String, _ signal: OTLPSignal, _ encoding: OTLPEncoding
    ) throws {
        let seed = try OTLPHarness.fixture(name)
        var random = SeededRandom(seed: UInt64(seed.count))
        var settings = OTLPSettings()
        settings.sources.logs = true
        settings.trustsReportedCost = true
        var harness = OTLPHarness(settings)
        var statuses: [Int: Int] = [:]
        for index in 0..<Self.count {
            // What is remembered stays within bounds by itself; what a test keeps does not.
            if index % 2000 == 1999 { harness = OTLPHarness(settings) }
            let answer = harness.send(Self.mutated(seed, &random), signal, encoding)
            statuses[answer.status, default: 0] += 1
        }
        #expect(Set(statuses.keys).isSubset(of: [200, 400]), "\(statuses)")
        #expect(statuses[400] ?? 0 > 0, "\(statuses)")
    }

    private static func mutated(_ seed: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = seed
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + at % 16))
            case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 24)], at: at)
            case 4: bytes.replaceSubrange(at..<at, with: [0xff, 0xff, 0xff, 0xff, 0x0f])
            default: bytes.removeSubrange(at...)
            }
        }
        return bytes
    }
}
