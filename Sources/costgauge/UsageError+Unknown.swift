internal import Configuration
internal import Wire

// What a flag or command that is not there was meant to be.
extension UsageError {
    static func unknownFlag(_ name: String, of flags: [Flag]) -> UsageError {
        let hint = hint(name, flags).map { "; \($0)" } ?? ";"
        return UsageError(description: "unknown flag --\(name)\(hint) see --help")
    }

    static func unknownCommand(_ name: String) -> UsageError {
        let names = Tool.commands.map { $0.name }
        let guess = Guess.nearest(to: name, among: names + ["help"]) ?? begun(name, names)
        return UsageError(
            description: "unknown command \"\(name)\"; "
                + (guess.map { "did you mean \($0)?" }
                    ?? "there are \(names.joined(separator: ", "))"))
    }

    private static func hint(_ name: String, _ flags: [Flag]) -> String? {
        let names = flags.map(\.name)
        let switches = flags.filter(\.valueName.isEmpty).map { "no-\($0.name)" }
        if let near = Guess.nearest(to: name, among: names + switches) ?? begun(name, names) {
            return "did you mean --\(near)?"
        }
        let keys = Configuration.knownKeys().filter { !$0.contains("[]") }
        if keys.contains(name) { return "\(name) is a key of the configuration file;" }
        let owners = Tool.commands.filter { $0.flags.contains { $0.name == name } }.map { $0.name }
        if !owners.isEmpty { return "it is a flag of \(owners.joined(separator: ", "));" }
        if let shorter = names.first(where: { name.hasPrefix($0) }) {
            return "did you mean --\(shorter)?"
        }
        return Guess.nearest(to: name, among: keys).map {
            "did you mean \($0) in the configuration file?"
        }
    }

    /// The first that begins with what was written.
    private static func begun(_ text: String, _ words: [String]) -> String? {
        text.isEmpty ? nil : words.first { $0.hasPrefix(text) }
    }
}
