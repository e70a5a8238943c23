internal import Wire

/// One spelling per provider, that of the price list. The others are those of the OpenTelemetry
/// GenAI conventions, of LiteLLM and of the Vercel AI SDK.
public enum ProviderName {
    public static func canonical(_ provider: String) -> String {
        let name = provider.lowercased()
        if let known = known(name) { return known }
        // The Vercel AI SDK appends the interface: `openai.chat`, `anthropic.messages`.
        guard let dot = name.firstIndex(of: ".") else { return name }
        let head = String(name[..<dot])
        return [
            "openai", "anthropic", "mistral", "cohere", "xai", "groq", "deepseek", "perplexity",
        ]
        .contains(head) ? head : known(head) ?? name
    }

    private static func known(_ name: String) -> String? {
        if name.hasPrefix("vertex_ai") { return "vertex_ai" }
        if name.hasPrefix("fireworks_ai") { return "fireworks_ai" }
        return switch name {
        case "azure.ai.openai", "az.ai.openai", "azure_openai", "azure-openai", "azureopenai",
            "azure_text", "azure":
            "azure"
        case "azure.ai.inference", "az.ai.inference": "azure_ai"
        case "aws.bedrock", "amazon-bedrock", "aws_bedrock", "bedrock_converse", "aws", "amazon":
            "bedrock"
        case "gcp.gemini", "google", "google.generative-ai", "gcp.gen_ai", "google_genai",
            "google_generativeai":
            "gemini"
        case "gcp.vertex_ai", "google.vertex", "google.vertex.chat", "vertexai", "vertex",
            "google_vertexai":
            "vertex_ai"
        case "mistral_ai", "mistralai": "mistral"
        case "x_ai", "x.ai": "xai"
        case "cohere_chat": "cohere"
        case "text-completion-openai": "openai"
        case "text-completion-codestral": "codestral"
        case "ibm.watsonx.ai": "watsonx"
        case "moonshot_ai", "moonshotai": "moonshot"
        default: nil
        }
    }
}
