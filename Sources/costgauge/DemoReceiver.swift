internal import Alerts
internal import Budgets
internal import Configuration
internal import Delivery
internal import Glibc
internal import HTTPServer
internal import JSON
internal import Usage
internal import Wire

/// The demo's own receiver: an HTTP server on loopback that prints each notification it is sent.
final class DemoReceiver: Sendable {
    private let server: HTTPServer

    init() throws(HTTPServerError) {
        server = try HTTPServer(
            settings: HTTPServer.Settings(address: ListenAddress(host: "127.0.0.1", port: 0)),
            handler: Printer(), log: { _ in })
    }

    func stop() { server.stop() }

    /// Who is told: the webhook that this server answers.
    var receiver: Receiver {
        Receiver(
            profile: ReceiverProfile(name: "terminal", sendsResolved: false),
            kind: .webhook(url: Secret("http://\(server.address)/"), secrets: []))
    }

    /// What the simulated company may spend.
    static let budgets = [
        budget("company-daily", 60, .day, each: []),
        budget("tenant-daily", 5, .day, each: [.tenant]),
        budget("tenant-monthly", 120, .month, each: [.tenant]),
    ]

    private static func budget(
        _ name: String, _ dollars: Int64, _ period: PeriodRule.Kind, each: [Dimension]
    ) -> BudgetDefinition {
        BudgetDefinition(
            name: name, each: each, period: PeriodRule(kind: period),
            limit: NanoUSD(nanos: dollars * 1_000_000_000))
    }

    private struct Printer: HTTPHandler {
        func admit(_ exchange: HTTPExchange) -> HTTPAdmission { .receive(bytesMax: 256 * 1024) }

        func handle(_ exchange: HTTPExchange) {
            let body = exchange.takeBody()
            if let line = Self.line(body) { printLine(line) }
            exchange.respond(
                HTTPResponse(status: 200, contentType: "text/plain", body: Array("ok".utf8)))
        }

        /// `! warning   acme has used 92% of tenant-daily: $4.60 of $5.00 today`
        private static func line(_ body: [UInt8]) -> String? {
            guard let data = (try? JSONValue.read(body))?["data"],
                let title = data["title"]?.string,
                let severity = data["severity"]?.string
            else { return nil }
            let isTerminal = isatty(STDOUT_FILENO) == 1
            let color = ["critical": "31", "warning": "33"][severity] ?? "36"
            let padded = severity + String(repeating: " ", count: max(0, 9 - severity.count))
            let mark = isTerminal ? "\u{1b}[\(color)m\(padded)\u{1b}[0m" : padded
            return "  ! \(mark) \(title): \(data["summary"]?.string ?? "")"
        }
    }
}

/// A line of its own, also while the last line of a terminal shows progress.
func printLine(_ text: String) {
    printOutput(isatty(STDOUT_FILENO) == 1 ? "\r\u{1b}[K" + text + "\n" : text + "\n")
}
