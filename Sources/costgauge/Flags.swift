/// What went wrong on the command line: one line, exit code 2.
struct UsageError: Error, CustomStringConvertible {
    let description: String
}

/// A flag in Prometheus' style: `--name=value` or `--name value`; a switch is `--name` or
/// `--no-name`.
struct Flag {
    let name: String
    /// Empty for a switch.
    let valueName: String
    let help: String

    init(_ name: String, _ valueName: String, _ help: String) {
        self.name = name
        self.valueName = valueName
        self.help = help
    }

    init(switch name: String, _ help: String) {
        self.init(name, "", help)
    }
}

/// The parsed arguments of one command.
struct Arguments {
    private var values: [String: String] = [:]
    private(set) var operands: [String] = []

    init(_ arguments: ArraySlice<String>, flags: [Flag], operandsMax: Int) throws(UsageError) {
        var rest = arguments
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--"), argument.count > 2 else {
                if argument.hasPrefix("-"), argument.count > 1 {
                    throw UsageError(
                        description: "unknown flag \"\(argument)\"; flags begin with two dashes")
                }
                operands.append(argument)
                continue
            }
            let parts = argument.dropFirst(2).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            try read(String(parts[0]), parts.count > 1 ? String(parts[1]) : nil, &rest, flags)
        }
        guard operands.count <= operandsMax else {
            throw UsageError(description: "unexpected argument \"\(operands[operandsMax])\"")
        }
    }

    private mutating func read(
        _ name: String, _ value: String?, _ rest: inout ArraySlice<String>, _ flags: [Flag]
    ) throws(UsageError) {
        if let flag = flags.first(where: { $0.name == name }) {
            if flag.valueName.isEmpty {
                guard value == nil else {
                    throw UsageError(description: "--\(name) takes no value")
                }
                values[name] = "true"
                return
            }
            guard let text = value ?? rest.popFirst() else {
                throw UsageError(
                    description: "--\(name) needs a value: --\(name)=\(flag.valueName)")
            }
            if values[name] != nil {
                throw UsageError(description: "--\(name) stands twice; keep one")
            }
            values[name] = text
            return
        }
        if name.hasPrefix("no-"),
            flags.contains(where: { $0.name == name.dropFirst(3) && $0.valueName.isEmpty })
        {
            values[String(name.dropFirst(3))] = "false"
            return
        }
        throw .unknownFlag(name, of: flags)
    }

    subscript(_ name: String) -> String? { values[name] }
    func isSet(_ name: String) -> Bool { values[name] == "true" }
}
