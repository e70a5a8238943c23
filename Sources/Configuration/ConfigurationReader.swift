internal import YAML

/// What all mappings of one file share while they are read.
final class ConfigurationReader {
    let file: String
    let environment: [String: String]
    private(set) var faults: [ConfigurationFault] = []
    /// Every key that was asked for: the schema, as the code knows it.
    private(set) var knownKeys: Set<String> = []
    private(set) var usedVariables: Set<String> = []
    /// Reads what `..._file` names.
    let secretFiles: SecretFiles
    /// Only the keys are wanted: lists are walked as if they had one entry.
    let isListingKeys: Bool

    init(
        file: String, environment: [String: String], secretFiles: SecretFiles,
        isListingKeys: Bool = false
    ) {
        self.file = file
        self.environment = environment
        self.secretFiles = secretFiles
        self.isListingKeys = isListingKeys
    }

    /// A variable that is no key's own override, such as one that defines a budget.
    func use(_ variable: String) -> String? {
        guard let value = environment[variable] else { return nil }
        usedVariables.insert(variable)
        return value
    }

    /// More faults than this are not worth reading at once.
    static let faultsMax = 100

    func fault(_ mark: YAMLMark?, _ key: String, _ message: String, variable: String? = nil) {
        guard faults.count < Self.faultsMax else { return }
        faults.append(
            ConfigurationFault(source: variable ?? file, mark: mark, key: key, message: message))
    }

    func know(_ key: String) { knownKeys.insert(key) }

    /// The override of a key: `web.listen` is `COSTGAUGE_WEB_LISTEN`.
    func variable(for key: String) -> (name: String, value: String)? {
        let name = "COSTGAUGE_" + key.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
        guard let value = environment[name] else { return nil }
        usedVariables.insert(name)
        return (name, value)
    }

    /// Variables with our prefix that name no key. Kubernetes sets some of its own for a service
    /// called costgauge, which is why they are no faults.
    var unusedVariables: [String] {
        environment.keys.filter { name in
            name.hasPrefix("COSTGAUGE_") && !usedVariables.contains(name)
                && !name.hasPrefix("COSTGAUGE_PORT") && !name.hasPrefix("COSTGAUGE_SERVICE")
        }.sorted()
    }

    /// Faults in the order of their places; those of the environment last.
    var sortedFaults: [ConfigurationFault] {
        faults.sorted { left, right in
            let a = left.mark.map { ($0.line, $0.column) } ?? (.max, .max)
            let b = right.mark.map { ($0.line, $0.column) } ?? (.max, .max)
            return a < b
        }
    }
}
