/// Tokens from characters, for calls whose counts are missing: what the providers say of English
/// text. Other languages have fewer characters to a token, so the amounts are marked as estimated.
///
/// - Anthropic: 3.5 characters, https://docs.claude.com/en/docs/about-claude/glossary
/// - Google: 4, https://ai.google.dev/gemini-api/docs/tokens
/// - OpenAI, and everybody else: 4,
///   https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them
struct TokenEstimate {
    /// Characters to ten tokens.
    private let charactersPerTen: UInt64

    init(provider: String) {
        charactersPerTen =
            ProviderNames.canonical(provider.lowercased()) == "anthropic" ? 35 : 40
    }

    /// Rounded up: no text is no token, and any text is at least one.
    func tokens(_ characters: UInt32) -> UInt32 {
        UInt32((UInt64(characters) * 10 + charactersPerTen - 1) / charactersPerTen)
    }
}

extension PriceBook {
    /// The model of a provider whose fresh input and output together cost most, of those for text.
    func dearest(of provider: String, at unixSeconds: Int64) -> Int? {
        let provider = ProviderNames.canonical(provider.lowercased())
        func price(_ row: PriceRow) -> Int128 {
            (row[.input] ?? .zero).units + (row[.output] ?? .zero).units
        }
        let modes: Set<String> = ["chat", "responses", "completion"]
        return rows.indices.filter { index in
            let row = rows[index]
            return row.provider == provider && modes.contains(row.mode)
                && row.isValid(at: unixSeconds) && row[.input] != nil && row[.output] != nil
        }.max { price(rows[$0]) < price(rows[$1]) }
    }
}
