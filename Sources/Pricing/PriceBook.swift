/// All known prices, immutable. A reload builds a new book.
public struct PriceBook: Sendable {
    public let rows: [PriceRow]
    /// Unix seconds at which the facts were gathered.
    public let timestamp: Int64
    private let byName: [Key: Int]
    private let byModel: [String: [Int]]

    private struct Key: Hashable {
        let provider: String
        let model: String
    }

    /// Of two rows with one name the later one counts.
    public init(rows: [PriceRow], timestamp: Int64) {
        self.rows = rows
        self.timestamp = timestamp
        var byName: [Key: Int] = [:]
        var byModel: [String: [Int]] = [:]
        for (index, row) in rows.enumerated() {
            byName[Key(provider: row.provider.lowercased(), model: row.model.lowercased())] = index
            byModel[row.model.lowercased(), default: []].append(index)
        }
        self.byName = byName
        self.byModel = byModel
    }

    /// The row of a model, by `provider` as the event names it (any spelling in use) or, when that
    /// is empty, by a `provider/model` name or by the one provider that makes the model itself.
    public func find(provider: String, model: String) -> Int? {
        let model = model.lowercased()
        let provider = Self.canonical(provider.lowercased())
        if !provider.isEmpty {
            if let match = byName[Key(provider: provider, model: model)] { return match }
            // `openai/gpt-4o` sent with provider openai.
            guard let slash = model.firstIndex(of: "/"),
                Self.canonical(String(model[..<slash])) == provider
            else { return nil }
            return byName[
                Key(provider: provider, model: String(model[model.index(after: slash)...]))]
        }
        if let slash = model.firstIndex(of: "/") {
            let key = Key(
                provider: Self.canonical(String(model[..<slash])),
                model: String(model[model.index(after: slash)...]))
            if let match = byName[key] { return match }
        }
        let candidates = byModel[model] ?? []
        for maker in Self.makers {
            if let match = candidates.last(where: { rows[$0].provider == maker }) { return match }
        }
        return candidates.count == 1 ? candidates[0] : nil
    }

    /// Providers that sell models of their own: a bare model name means theirs, not a reseller's.
    private static let makers = [
        "openai", "anthropic", "gemini", "mistral", "deepseek", "cohere", "xai", "perplexity",
    ]

    /// One spelling per provider. The others are those of the OpenTelemetry GenAI conventions,
    /// LiteLLM and the Vercel AI SDK.
    static func canonical(_ provider: String) -> String {
        switch provider {
        case "azure.ai.openai", "azure.ai.inference", "az.ai.openai", "azure_openai", "azure_ai":
            "azure"
        case "aws.bedrock", "amazon-bedrock", "aws_bedrock", "bedrock_converse": "bedrock"
        case "gcp.gemini", "google", "google.generative-ai", "gcp.gen_ai": "gemini"
        case "gcp.vertex_ai", "google.vertex", "vertexai", "vertex_ai_beta": "vertex_ai"
        case "mistral_ai", "mistralai": "mistral"
        case "x_ai", "x.ai": "xai"
        case "cohere_chat": "cohere"
        default: provider
        }
    }
}
