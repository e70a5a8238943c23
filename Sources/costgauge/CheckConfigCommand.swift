internal import Configuration
internal import PriceFiles
internal import Pricing
internal import Sidecar

enum CheckConfigCommand: Command {
    static let name = "check-config"
    static let summary = "prints every fault of a configuration with its place; exit 0 or 2"
    static let operands = "FILE"
    static let operandsMax = 1
    static let flags = [
        Flag("web.config.file", "FILE", "checks this file, too, as serve would read it")
    ]

    static func run(_ arguments: Arguments) throws -> Int32 {
        guard let file = arguments.operands.first else {
            throw UsageError(description: "name the file: costgauge check-config FILE")
        }
        do throws(ConfigurationFaults) {
            var configuration = try Configuration.read(
                try ConfigurationSource.contents(of: file), file: file,
                environment: environmentVariables(), secretFiles: .system)
            if let webFile = arguments["web.config.file"] {
                try ConfigurationSource.add(webFile, to: &configuration)
            }
            for warning in configuration.warnings { printError("warning: \(warning)\n") }
            let faults = PriceCatalogue.load(
                configuration.pricing, now: 0, read: PriceFileReader.read
            ).faults
            for fault in faults {
                printError("\(fault.isWarning ? "warning: " : "")\(fault.description)\n")
            }
            guard configuration.pricing.isLenient || faults.allSatisfy(\.isWarning) else {
                return 2
            }
            printOutput("\(file): good\n")
            return 0
        } catch {
            printError(error.description + "\n")
            let count = error.faults.count
            printError("\(file): \(count) fault\(count == 1 ? "" : "s")\n")
            return 2
        }
    }
}
