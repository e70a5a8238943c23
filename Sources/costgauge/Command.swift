internal import Glibc

/// A subcommand: its flags, its help, its work. `run` answers the exit code.
protocol Command: Sendable {
    static var name: String { get }
    static var summary: String { get }
    /// Behind the name in the usage line.
    static var operands: String { get }
    static var operandsMax: Int { get }
    static var flags: [Flag] { get }
    static func run(_ arguments: Arguments) throws -> Int32
}

extension Command {
    static var operands: String { "" }
    static var operandsMax: Int { 0 }

    static var help: String {
        var text = "usage: costgauge \(name) [flags]\(operands.isEmpty ? "" : " " + operands)\n\n"
        text += "\(summary)\n"
        guard !flags.isEmpty else { return text }
        text += "\nFlags:\n"
        for flag in flags {
            let form = "--\(flag.name)" + (flag.valueName.isEmpty ? "" : "=\(flag.valueName)")
            text += "  \(form)\n      \(flag.help)\n"
        }
        return text
    }
}

@main
struct Tool {
    static let commands: [any (Command & Sendable).Type] = [
        ServeCommand.self, CheckConfigCommand.self, DemoCommand.self, ReportCommand.self,
        EventsCommand.self, IngestCommand.self, PriceCommand.self, DetectCommand.self,
        TestAlertCommand.self, ExplainCommand.self,
        VersionCommand.self,
    ]

    static func main() {
        exit(run(CommandLine.arguments.dropFirst()))
    }

    /// 0 done; 1 as each command says; 2 it could not be done.
    private static func run(_ arguments: ArraySlice<String>) -> Int32 {
        var arguments = arguments
        guard let name = arguments.popFirst() else {
            printError(help)
            return 2
        }
        switch name {
        case "help", "--help", "-h":
            printOutput(help)
            return 0
        case "--version":
            printOutput(VersionCommand.text)
            return 0
        default: break
        }
        guard let command = commands.first(where: { $0.name == name }) else {
            printError("costgauge: \(UsageError.unknownCommand(name))\n")
            return 2
        }
        if arguments.contains(where: { $0 == "--help" || $0 == "-h" }) {
            printOutput(command.help)
            return 0
        }
        do {
            let parsed = try Arguments(
                arguments, flags: command.flags, operandsMax: command.operandsMax)
            return try command.run(parsed)
        } catch {
            printError("costgauge \(name): \(error)\n")
            return 2
        }
    }

    private static var help: String {
        var text = """
            costgauge turns AI spend into numbers a team can see, be warned about and stop.

            usage: costgauge COMMAND [flags]; costgauge COMMAND --help

            """
        for command in commands {
            let padding = String(repeating: " ", count: 14 - command.name.count)
            text += "  \(command.name)\(padding)\(command.summary)\n"
        }
        return text
    }
}

func printOutput(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }
func printError(_ text: String) { write(Array(text.utf8), to: STDERR_FILENO) }

/// False when the reader has gone, as with `costgauge events | head`.
@discardableResult
func write(_ bytes: [UInt8], to file: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let written = unsafe rest.withUnsafeBytes {
            unsafe Glibc.write(file, $0.baseAddress, $0.count)
        }
        if written < 0 {
            if errno == EINTR { continue }
            return false
        }
        rest = rest.dropFirst(written)
    }
    return true
}
