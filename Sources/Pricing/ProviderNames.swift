internal import Usage

/// The spellings of providers. The others are those of the OpenTelemetry GenAI conventions, LiteLLM
/// and the Vercel AI SDK.
enum ProviderNames {
    /// One spelling per provider; an unknown one stays as it is. Takes lower case.
    static func canonical(_ provider: String) -> String { ProviderName.canonical(provider) }

    /// The part of a model's name before its first slash, as a provider; empty without one.
    static func leading(of name: String) -> String {
        guard let slash = name.firstIndex(of: "/") else { return "" }
        return canonical(name[..<slash].lowercased())
    }

    /// Spellings by which lists file a provider's models, besides the canonical one.
    static func fileSpellings(of provider: String) -> [String] {
        switch provider {
        case "cohere": ["cohere", "cohere_chat"]
        case "openai": ["openai", "text-completion-openai"]
        case "codestral": ["codestral", "text-completion-codestral"]
        default: [provider]
        }
    }

    /// Models of `owner` may be priced for `provider`: Azure AI resells what Azure and OpenAI sell,
    /// at their prices.
    static func matches(owner: String, provider: String) -> Bool {
        if owner == provider { return true }
        return provider == "azure_ai" && (owner == "azure" || owner == "openai")
    }

    /// Providers that sell models of their own: a bare model name means theirs, not a reseller's.
    static let makers = [
        "openai", "anthropic", "gemini", "mistral", "deepseek", "cohere", "xai", "perplexity",
    ]
}
