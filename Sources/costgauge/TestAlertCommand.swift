internal import Configuration
internal import Delivery
internal import HTTPClient
internal import Logging
internal import Sidecar
internal import Threading
internal import Usage

enum TestAlertCommand: Command {
    static let name = "test-alert"
    static let summary = "sends a sample notification to a receiver and tells what it answered"
    static let operands = "RECEIVER"
    static let operandsMax = 1
    static let flags = [
        Flag("config.file", "FILE", "the configuration that names the receiver")
    ]

    static func run(_ arguments: Arguments) throws -> Int32 {
        guard let name = arguments.operands.first else {
            throw UsageError(
                description: "name the receiver: costgauge test-alert --config.file=FILE RECEIVER")
        }
        let configuration = try ConfigurationSource(arguments).read()
        let receivers = configuration.alerts.receivers
        guard let receiver = receivers.first(where: { $0.name == name }) else {
            throw UsageError(
                description: "there is no receiver \"\(name)\"; "
                    + (receivers.isEmpty
                        ? "none is configured; name a configuration with --config.file"
                        : "there are \(receivers.map(\.name).joined(separator: ", "))"))
        }
        let client = HTTPClient(userAgent: "costgauge/\(Version.number)")
        client.start()
        defer { client.stop() }
        let time = SystemTime()
        let test = ReceiverTest(
            receiver: receiver, transport: client, time: time,
            id: "alr_test\(time.unixNanos / 1_000_000_000)",
            log: Logger(level: .info, format: .logfmt, time: time))
        switch waitForAnswer({ test.run($0) }) {
        case .delivered(let status):
            printOutput("\(name) took the test notification (\(status))\n")
            return 0
        case .failed(let reason):
            printError("\(name) did not take the test notification: \(reason)\n")
            return 1
        }
    }
}
