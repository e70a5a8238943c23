public import Intake
internal import JSON
internal import SelfMetrics
public import Usage
internal import Wire

/// Why a body is nothing that LiteLLM sends.
public struct LiteLLMFault: Error, Sendable, CustomStringConvertible {
    public let offset: Int
    public let message: String

    public var description: String { "byte \(offset): \(message)" }
}

/// Reads what LiteLLM's generic API callback posts: one payload, an array, or one a line. It says
/// `application/json` of all three, so the first byte decides.
/// https://docs.litellm.ai/docs/proxy/logging_spec
public struct LiteLLMReceiver: Sendable {
    private let intake: EventIntake

    public init(intake: EventIntake) {
        self.intake = intake
    }

    /// The good payloads are kept beside a bad one, for LiteLLM drops what it was not told to keep.
    /// Throws when there is not one payload; `completion` then does not run.
    public func read(
        _ body: [UInt8],
        completion: @escaping @Sendable (IntakeReport, Receipt.Outcome) -> Void
    ) throws(LiteLLMFault) {
        var text = body
        JSONIndexer.pad(&text)
        let start = firstNonBlank(body.span)
        guard start < body.count else {
            throw LiteLLMFault(offset: 0, message: "the body is empty")
        }
        var payloads: [Result<LiteLLMPayload, LiteLLMFault>] = []
        var indexer = JSONIndexer()
        let isWhole = Self.read(text.span, start..<body.count, &indexer, &payloads)
        if !isWhole { Self.readLines(text.span, start..<body.count, &indexer, &payloads) }
        if case .failure(let fault)? = payloads.first, payloads.allSatisfy({ !$0.isSuccess }) {
            throw fault
        }
        intake.feed(
            from: .litellm,
            { feed in
                for payload in payloads {
                    switch payload {
                    case .success(let payload):
                        if let fault = payload.fault {
                            feed.reject(field: fault.field, .outOfRange, fault.message)
                        } else {
                            let draft = payload.draft(&feed)
                            feed.add(draft)
                        }
                    case .failure(let fault):
                        feed.reject(field: "", .malformed, fault.description)
                    }
                }
            },
            completion: completion)
    }

    /// False when the text as a whole is not JSON: then a line may be.
    private static func read(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ indexer: inout JSONIndexer,
        _ payloads: inout [Result<LiteLLMPayload, LiteLLMFault>]
    ) -> Bool {
        let count = payloads.count
        do throws(JSONTextFault) {
            let isWhole = try indexer.read(bytes, range) { document in
                readAll(document, &payloads)
            }
            if !isWhole { payloads.removeLast(payloads.count - count) }
            return isWhole
        } catch {
            return false
        }
    }

    private static func readAll(
        _ document: borrowing JSONDocument,
        _ payloads: inout [Result<LiteLLMPayload, LiteLLMFault>]
    ) -> Bool {
        var token = 0
        let isArray = document.kind(0) == UInt8(ascii: "[")
        if isArray {
            token = 1
            if document.kind(1) == UInt8(ascii: "]") { return document.tokenCount == 2 }
        }
        while token < document.tokenCount {
            let start = token
            switch readOne(document, &token) {
            case .failure(let fault):
                // Where a bad one ends is told by the brackets of the array around it.
                guard isArray || token > start else { return false }
                if token == start {
                    guard let end = bracketed(document, start) else { return false }
                    token = end
                }
                payloads.append(.failure(fault))
            case let payload: payloads.append(payload)
            }
            guard isArray else { continue }
            let kind = document.kind(token)
            token += 1
            if kind == UInt8(ascii: "]") { return token == document.tokenCount }
            guard kind == UInt8(ascii: ",") else { return false }
        }
        return !isArray
    }

    /// `token` moves behind the payload, or stays where none could be read.
    private static func readOne(
        _ document: borrowing JSONDocument, _ token: inout Int
    ) -> Result<LiteLLMPayload, LiteLLMFault> {
        let offset = document.offset(token)
        func fault(_ message: String) -> Result<LiteLLMPayload, LiteLLMFault> {
            .failure(LiteLLMFault(offset: offset, message: message))
        }
        guard document.kind(token) == UInt8(ascii: "{") else {
            return fault("not a JSON object of LiteLLM")
        }
        var end = token
        do throws(JSONFault) {
            let payload = try LiteLLMPayload(document, &end)
            token = end
            return payload.hasID || payload.fault != nil
                ? .success(payload) : fault("neither litellm_call_id nor id")
        } catch {
            return fault("not a JSON object of LiteLLM: \(error.message)")
        }
    }

    /// Behind the value at `token`, whatever is in it; nil when it does not end.
    private static func bracketed(_ document: borrowing JSONDocument, _ token: Int) -> Int? {
        var depth = 0
        for at in token..<document.tokenCount {
            switch document.kind(at) {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            if depth <= 0 { return depth == 0 ? at + 1 : nil }
        }
        return nil
    }

    private static func readLines(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ indexer: inout JSONIndexer,
        _ payloads: inout [Result<LiteLLMPayload, LiteLLMFault>]
    ) {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            let first = start + firstNonBlank(bytes.extracting(start..<end))
            if first < end, !read(bytes, first..<end, &indexer, &payloads) {
                let fault = LiteLLMFault(offset: first, message: "not a JSON object of LiteLLM")
                payloads.append(.failure(fault))
            }
            start = end + 1
        }
    }
}

extension Result {
    fileprivate var isSuccess: Bool {
        if case .success = self { true } else { false }
    }
}

private func firstNonBlank(_ bytes: Span<UInt8>) -> Int {
    var at = 0
    while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
    return at
}
