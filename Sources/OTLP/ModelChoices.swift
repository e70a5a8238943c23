internal import Intake
internal import Usage
internal import Wire

/// What the price list knows, as far as names are chosen by it.
public struct PriceLookup: Sendable {
    let isKnown: @Sendable (_ provider: String, _ model: String) -> Bool
    let areEqual: @Sendable (_ provider: String, _ model: String, _ other: String) -> Bool

    /// `areEqual`: both models are known and all their rates are the same.
    public init(
        isKnown: @escaping @Sendable (_ provider: String, _ model: String) -> Bool,
        areEqual:
            @escaping @Sendable (_ provider: String, _ model: String, _ other: String) -> Bool
    ) {
        self.isKnown = isKnown
        self.areEqual = areEqual
    }
}

/// Which provider and model a call is booked under, remembered: few sets occur often.
///
/// The response's model is what was run and so is charged; the request's is what people know it
/// by. So the request's is taken where both cost the same, and where the price list knows only it,
/// because a deployment's own name came back.
struct ModelChoices {
    struct Choice: Sendable {
        let provider: [UInt8]
        let model: [UInt8]
    }

    /// Past this many the memory starts again: names may be invented without end.
    static let countMax = 4096

    private var known: [UInt64: Choice] = [:]

    mutating func choose(
        _ call: Call, _ bytes: Span<UInt8>, _ hash: SeededHash,
        _ prices: PriceLookup
    ) -> Choice {
        var key: UInt64 = 0
        for fact in [Fact.provider, .requestModel, .responseModel] {
            let value = call.facts[fact]
            let part = value.kind == .text ? hash.narrow(bytes.extracting(value.range)) : 0
            key = (key ^ part) &* 0x9e37_79b9_7f4a_7c15
            key ^= key >> 29
        }
        if let choice = known[key] { return choice }
        if known.count >= Self.countMax { known.removeAll(keepingCapacity: true) }
        let choice = Self.choose(call.facts, bytes, prices)
        known[key] = choice
        return choice
    }

    private static func choose(
        _ facts: Facts, _ bytes: Span<UInt8>, _ prices: PriceLookup
    ) -> Choice {
        let provider = ProviderName.canonical(facts.text(.provider, bytes) ?? "")
        let request = facts.text(.requestModel, bytes).map { stripped($0, of: provider) }
        let response = facts.text(.responseModel, bytes).map { stripped($0, of: provider) }
        let model =
            if let request, let response {
                prices.areEqual(provider, request, response)
                    || prices.isKnown(provider, request) && !prices.isKnown(provider, response)
                    ? request : response
            } else { response ?? request ?? "" }
        return Choice(provider: Array(provider.utf8), model: Array(model.utf8))
    }

    /// `openai/gpt-4o` of the provider openai is `gpt-4o`.
    private static func stripped(_ model: String, of provider: String) -> String {
        guard let slash = model.firstIndex(of: "/"), !provider.isEmpty,
            ProviderName.canonical(String(model[..<slash])) == provider
        else { return model }
        return String(model[model.index(after: slash)...])
    }
}

/// Puts a call into the feed's terms.
enum CallWriter {
    static func draft(
        _ call: Call, resource: Facts, _ choice: ModelChoices.Choice, _ bytes: Span<UInt8>,
        _ feed: inout EventFeed
    ) -> EventDraft {
        var draft = EventDraft()
        draft.event.tokens = call.tokens
        draft.hasTokens = call.hasTokens
        draft.event.amount = call.amount
        draft.event.status = call.status
        draft.event.timestamp = call.startNanos
        draft.event.durationMillis = call.durationMillis
        if !call.span.isNone {
            draft.event.id = feed.text(call.span.text.span)
        } else if call.record != 0 {
            draft.event.id = feed.text(Array("log-\(String(call.record, radix: 16))".utf8).span)
        }
        // An id that had to be cut would no longer be one.
        let response = call.facts[.responseID]
        if response.kind == .text, response.range.count <= Limits.textBytes {
            draft.event.request = feed.text(bytes.extracting(response.range))
        }
        draft.provider = feed.text(choice.provider.span)
        draft.model = feed.text(choice.model.span)
        draft.operation = operation(call.facts, bytes, &feed)
        func name(_ fact: Fact) -> TextRef {
            text(call.facts, fact, bytes, &feed) ?? text(resource, fact, bytes, &feed) ?? .none
        }
        draft.tenant = name(.tenant)
        draft.user = name(.user)
        draft.feature = name(.feature)
        draft.agent = name(.agent)
        draft.event.task = name(.task)
        draft.event.conversation = text(call.facts, .conversation, bytes, &feed) ?? .none
        return draft
    }

    private static func text(
        _ facts: Facts, _ fact: Fact, _ bytes: Span<UInt8>, _ feed: inout EventFeed
    ) -> TextRef? {
        let value = facts[fact]
        switch value.kind {
        case .absent: return nil
        case .text: return feed.text(bytes.extracting(value.range))
        case .boolean, .integer, .double:
            return facts.text(fact, bytes).map { feed.text(Array($0.utf8).span) }
        }
    }

    /// The conventions' word where a producer has its own.
    private static func operation(
        _ facts: Facts, _ bytes: Span<UInt8>, _ feed: inout EventFeed
    ) -> TextRef {
        let word: String
        switch facts.text(.operation, bytes) {
        case "completion", "acompletion": word = "chat"
        case "embedding", "aembedding": word = "embeddings"
        case let name?: word = name
        case nil:
            switch facts.text(.openInferenceKind, bytes)
                ?? facts.text(.langfuseKind, bytes)
            {
            case "LLM", "generation": word = "chat"
            case "EMBEDDING", "embedding": word = "embeddings"
            case "RERANKER": word = "rerank"
            default: return .none
            }
        }
        return feed.text(Array(word.utf8).span)
    }
}
