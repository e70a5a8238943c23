internal import Sidecar

enum VersionCommand: Command {
    static let name = "version"
    static let summary = "prints the version of costgauge, of Swift and of the C libraries"
    static let flags: [Flag] = []

    static var text: String {
        var text = "costgauge, version \(Version.number)\n  swift: \(Version.swift)\n"
        for (name, version) in Version.libraries { text += "  \(name): \(version)\n" }
        return text
    }

    static func run(_ arguments: Arguments) -> Int32 {
        printOutput(text)
        return 0
    }
}
