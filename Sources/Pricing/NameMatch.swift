/// How the name of a model led to its price.
public struct NameMatch: Equatable, Sendable {
    public enum Rule: String, Equatable, Sendable, CaseIterable {
        /// The name as it was given.
        case exact
        /// An alias of the configuration stands for another name.
        case alias
        /// The provider was put before the name or taken off it.
        case prefix
        /// The region that serves the call has a row of its own.
        case region
        /// A Bedrock route, region, ARN or throughput suffix was taken off.
        case bedrockBase = "bedrock_base"
        /// A version such as `-001` or `@latest` was taken off or added.
        case version
        /// The organisation and name of a fine-tuned model were taken off.
        case fineTune = "fine_tune"
        /// A date was taken off: that snapshot is in no list.
        case dateSuffix = "date_suffix"
        /// The only provider that sells a model of this name.
        case onlySeller = "only_seller"
        /// The provider prices models without a row by their size in parameters.
        case sizeClass = "size_class"
        /// Every deployment behind a router pays the router's fee.
        case router
    }

    /// The catalogue's key, in lower case.
    public var key: String
    public var rule: Rule

    /// What a reader of the bill must know: the price is that of another name than the one given.
    public var flag: String? {
        switch rule {
        case .dateSuffix: "snapshot_not_listed"
        case .sizeClass: "priced_by_size_class"
        default: nil
        }
    }
}

/// The names under which a price may stand, most particular first. Everything is in lower case.
struct NameCandidates {
    let provider: String
    let model: String
    private(set) var list: [NameMatch] = []

    /// `region` is that of the call, when it is known.
    init(provider: String, model: String, region: String) {
        self.provider = provider
        var model = model
        // `openai/openai/gpt-4o`: routers repeat the provider.
        for spelling in Self.spellings(provider) {
            while model.hasPrefix("\(spelling)/\(spelling)/") {
                model = String(model.dropFirst(spelling.utf8.count + 1))
            }
        }
        self.model = model
        let bare = Self.withoutProvider(model, provider)
        if !region.isEmpty { addPrefixed("\(region)/\(bare)", .region) }
        addPrefixed(model, .exact)
        addPrefixed(bare, .prefix)
        switch provider {
        case "bedrock": addBedrock(bare)
        case "vertex_ai", "gemini", "databricks": addVersions(bare)
        case "azure_ai": addRouter(bare)
        default: break
        }
        if bare.contains("ft:") { addFineTune(bare) }
        addWithoutDate(bare)
        // Providers whose own names begin like the provider: `perplexity/perplexity/...`.
        for spelling in Self.spellings(provider) { add("\(spelling)/\(model)", .prefix) }
        if provider == "fireworks_ai" { addFireworksSize(bare) }
        if provider == "together_ai" { addTogetherSize(bare) }
    }

    private static func spellings(_ provider: String) -> [String] {
        provider.isEmpty ? [] : ProviderNames.fileSpellings(of: provider)
    }

    private static func withoutProvider(_ model: String, _ provider: String) -> String {
        guard !provider.isEmpty, let slash = model.firstIndex(of: "/"),
            ProviderNames.canonical(String(model[..<slash])) == provider
        else { return model }
        return String(model[model.index(after: slash)...])
    }

    private mutating func add(_ key: String, _ rule: NameMatch.Rule) {
        if !list.contains(where: { $0.key == key }) {
            list.append(NameMatch(key: key, rule: rule))
        }
    }

    /// With the provider before it, then as it is.
    private mutating func addPrefixed(_ name: String, _ rule: NameMatch.Rule) {
        for spelling in Self.spellings(provider) where !name.hasPrefix("\(spelling)/") {
            add("\(spelling)/\(name)", rule)
        }
        add(name, rule)
    }
}

extension NameCandidates {
    private static let bedrockRoutes = [
        "chat_completions/", "converse/", "invoke/", "mantle/", "openai/",
    ]
    /// https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
    private static let bedrockGroups = [
        "us.", "eu.", "apac.", "au.", "jp.", "ca.", "global.", "us-gov.", "sa.", "me.", "uk.",
    ]

    private mutating func addBedrock(_ name: String) {
        var name = name
        for route in Self.bedrockRoutes where name.hasPrefix(route) {
            name = String(name.dropFirst(route.utf8.count))
        }
        addPrefixed(name, .bedrockBase)
        // The region path before a model: `us-east-2/us.anthropic...`.
        if let slash = name.firstIndex(of: "/"), !name.hasPrefix("arn:"),
            name[..<slash].split(separator: "-").count >= 3
        {
            name = String(name[name.index(after: slash)...])
        }
        if name.hasPrefix("arn:"), let slash = name.lastIndex(of: "/") {
            name = String(name[name.index(after: slash)...])
        }
        // A longer context, as Anthropic's clients name it: `claude-opus-4-6-v1[1m]`.
        if name.hasSuffix("]"), let open = name.lastIndex(of: "[") { name = String(name[..<open]) }
        addPrefixed(name, .bedrockBase)
        // Provisioned throughput: `...-v2:0:51k`.
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 3, parts[2].last == "k", Int(parts[2].dropLast()) != nil {
            name = "\(parts[0]):\(parts[1])"
            addPrefixed(name, .bedrockBase)
        }
        for group in Self.bedrockGroups where name.hasPrefix(group) {
            addPrefixed(String(name.dropFirst(group.utf8.count)), .bedrockBase)
        }
    }

    /// `gemini-2.0-flash-001` is a version of `gemini-2.0-flash`; `@latest` means the plain name.
    private mutating func addVersions(_ name: String) {
        if provider == "vertex_ai" {
            addPrefixed("meta/\(name)", .version)
            addPrefixed("\(name)@latest", .version)
            if let at = name.lastIndex(of: "@") { addPrefixed(String(name[..<at]), .version) }
        }
        if let dash = name.lastIndex(of: "-"), dash != name.startIndex,
            !name[name.index(after: dash)...].isEmpty,
            name[name.index(after: dash)...].allSatisfy(\.isNumber)
        {
            addPrefixed(String(name[..<dash]), .version)
        }
    }

    private mutating func addRouter(_ name: String) {
        guard name.hasPrefix("model_router/") || name.hasPrefix("model-router/") else { return }
        add("azure_ai/\(name.prefix(12))", .router)
    }

    /// `ft:gpt-4o-2024-08-06:my-org:name:id` costs what `ft:gpt-4o-2024-08-06` does.
    private mutating func addFineTune(_ name: String) {
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 5 else { return }
        addPrefixed(parts.prefix(2).joined(separator: ":"), .fineTune)
    }

    /// `-2024-08-06` at the end, whether or not there is such a day.
    private mutating func addWithoutDate(_ name: String) {
        let tail = Array(name.utf8.suffix(11))
        guard tail.count == 11, name.utf8.count > 11 else { return }
        let isDate = tail.enumerated().allSatisfy { index, byte in
            [0, 5, 8].contains(index)
                ? byte == UInt8(ascii: "-") : (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        if isDate { addPrefixed(String(name.dropLast(11)), .dateSuffix) }
    }
}

// Models without a row of their own, priced by the number of their parameters:
// https://fireworks.ai/pricing and https://www.together.ai/pricing
extension NameCandidates {
    /// The first number before a `b`, and the factor before it in `8x7b`.
    private static func billions(_ name: String) -> (experts: Int, each: Double)? {
        let bytes = Array(name.utf8)
        func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
        for index in bytes.indices where bytes[index] == UInt8(ascii: "b") {
            var start = index
            while start > 0, isDigit(bytes[start - 1]) || bytes[start - 1] == UInt8(ascii: ".") {
                start -= 1
            }
            let text = String(decoding: bytes[start..<index], as: UTF8.self)
            guard start < index, let each = Double(text) else { continue }
            var experts = 0
            if start > 1, bytes[start - 1] == UInt8(ascii: "x"), isDigit(bytes[start - 2]) {
                var first = start - 1
                while first > 0, isDigit(bytes[first - 1]) { first -= 1 }
                experts = Int(String(decoding: bytes[first..<start - 1], as: UTF8.self)) ?? 0
            }
            return (experts, each)
        }
        return nil
    }

    private mutating func addFireworksSize(_ name: String) {
        guard let (experts, each) = Self.billions(name) else { return }
        let total = Double(experts) * each
        if experts > 0, total <= 56 { return add("fireworks-ai-moe-up-to-56b", .sizeClass) }
        if experts > 0, total <= 176 { return add("fireworks-ai-56b-to-176b", .sizeClass) }
        if each <= 4 { return add("fireworks-ai-up-to-4b", .sizeClass) }
        add(each <= 16 ? "fireworks-ai-4.1b-to-16b" : "fireworks-ai-above-16b", .sizeClass)
    }

    private mutating func addTogetherSize(_ name: String) {
        guard let (_, each) = Self.billions(name) else { return }
        let sizes: [(Double, String)] = [
            (4, "up-to-4b"), (8, "4.1b-8b"), (21, "8.1b-21b"), (41, "21.1b-41b"),
            (80, "41.1b-80b"), (110, "81.1b-110b"),
        ]
        guard let size = sizes.first(where: { each <= $0.0 }) else { return }
        add("together-ai-\(size.1)", .sizeClass)
    }
}
