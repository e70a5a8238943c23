internal import Anomalies
internal import Configuration
internal import Demo
internal import Glibc
internal import HTTPServer
internal import Logging
internal import Sidecar
internal import Store
internal import Synchronization
internal import Threading
internal import Usage
internal import Wire

enum DemoCommand: Command {
    static let name = "demo"
    static let summary =
        "a simulated company sends its traffic to a sidecar on a temporary directory"
    static let flags = [
        Flag("web.listen-address", "ADDRESS", "address to listen on (default 127.0.0.1:10838)"),
        Flag("weeks", "N", "simulated weeks of history before the live traffic (default 4)"),
        Flag("speed", "N", "simulated seconds in a real one (default 1440: a day in a minute)"),
        Flag("seed", "N", "another company for every number (default 1)"),
        Flag("exit-after", "DURATION", "stop by itself, such as 10s (default: at Ctrl-C)"),
    ]

    static func run(_ arguments: Arguments) throws -> Int32 {
        let weeks = try number(arguments, "weeks", 4, 0...52)
        let speed = try number(arguments, "speed", 1440, 1...100_000)
        let seed = try number(arguments, "seed", 1, 0...Int64.max)
        let exitAfter = try arguments["exit-after"].map { text throws(UsageError) in
            guard let nanos = DurationText.nanos(text) else {
                throw UsageError(
                    description: "--exit-after: \"\(text)\" is no duration, such as 10s")
            }
            return UInt64(nanos)
        }
        let signals = Signals([SIGTERM, SIGINT, SIGHUP])
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let real = SystemTime()
        let step = SimulatedCompany.stepSeconds
        let liveFrom = real.unixNanos / 1_000_000_000 / step * step
        let origin = liveFrom - weeks * 7 * 86_400
        let time = SimulatedTime(unixNanos: origin * 1_000_000_000, real: real)
        var configuration = try ConfigurationSource(arguments).read()
        configuration.storage.path = directory.path
        configuration.budgets = DemoReceiver.budgets
        configuration.logLevel = .warn
        // The data is gone with the process, and a step's calls are sent when it is over.
        configuration.storage.sync = .normal
        configuration.anomalies.latenessNanos = 1800 * 1_000_000_000
        let receiver = try DemoReceiver()
        defer { receiver.stop() }
        // History is told to nobody; what happens live is.
        var live = configuration
        live.alerts.receivers = [receiver.receiver]
        let liveConfiguration = live
        let sidecar = try Sidecar(
            configuration: configuration, time: time, random: { UInt64.random(in: .min ... .max) },
            log: Logger(level: .warn, format: .logfmt, time: real)
        ) { () throws(ConfigurationFaults) in liveConfiguration }
        var player = DemoPlayer(
            company: SimulatedCompany(seed: UInt64(seed), origin: origin, liveFrom: liveFrom),
            sidecar: sidecar, time: time)
        let stop = StopRequest()
        // It waits for as long as the process lives: nobody joins it.
        _ = NamedThread("demo-signals") {
            while signals.next() == SIGHUP {}
            stop.request()
        }
        player.backfill(from: origin, to: liveFrom, until: stop)
        if !stop.isRequested {
            printOutput(introduction(sidecar.address, directory.path))
            sidecar.reload()
            let deadline = exitAfter.map { real.monotonicNanos + $0 }
            player.play(from: liveFrom, speed: speed, until: stop, deadline: deadline)
        }
        sidecar.stop()
        printOutput("\nstopped; the data of the demo is gone\n")
        return 0
    }

    private static func number(
        _ arguments: Arguments, _ name: String, _ fallback: Int64, _ range: ClosedRange<Int64>
    ) throws(UsageError) -> Int64 {
        guard let text = arguments[name] else { return fallback }
        guard let value = Int64(text), range.contains(value) else {
            throw UsageError(
                description: "--\(name): \"\(text)\" is not a number from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return value
    }

    private static func introduction(_ address: ListenAddress, _ directory: String) -> String {
        // As it was called: it need not be on the path.
        let program = CommandLine.arguments.first ?? "costgauge"
        return """

            The company is live. Open in a browser:
              http://\(address)/             spend, budgets, anomalies, alerts
              http://\(address)/metrics      what Prometheus scrapes

            Ask the same data on the command line:
              \(program) report --storage.path=\(directory)
              \(program) events --storage.path=\(directory) --tenant=acme --limit=3
              sqlite3 \(directory)/costgauge.db 'select * from cost_records limit 3'

            Budgets, and who was told of what:
              curl http://\(address)/v1/budgets
              curl http://\(address)/v1/alerts

            What was abnormal, and why:
              curl http://\(address)/v1/anomalies

            Send an event of your own:
              curl -H 'Content-Type: application/json' http://\(address)/v1/events \\
                -d '{"tenant":"me","provider":"openai","model":"gpt-4o-mini","input_tokens":1200,"output_tokens":80}'

            Notifications arrive at a receiver of this terminal, each on a line with a "!". Ctrl-C stops.


            """
    }
}

/// Sends the company's calls, first all of the past, then live.
private struct DemoPlayer {
    var company: SimulatedCompany
    let sidecar: Sidecar
    let time: SimulatedTime
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var calls = 0

    init(company: SimulatedCompany, sidecar: Sidecar, time: SimulatedTime) {
        self.company = company
        self.sidecar = sidecar
        self.time = time
    }

    mutating func backfill(from origin: Int64, to end: Int64, until stop: StopRequest) {
        guard end > origin else { return }
        let days = (end - origin) / 86_400
        for day in 0..<days {
            if stop.isRequested { return }
            for step in 0..<86_400 / SimulatedCompany.stepSeconds {
                let start = origin + day * 86_400 + step * SimulatedCompany.stepSeconds
                time.set(unixNanos: (start + SimulatedCompany.stepSeconds) * 1_000_000_000)
                send(at: start)
            }
            show(
                "history: day \(day + 1) of \(days), \(calls) calls, \(spend)",
                isLast: day + 1 == days)
        }
    }

    mutating func play(
        from start: Int64, speed: Int64, until stop: StopRequest, deadline: UInt64?
    ) {
        time.set(unixNanos: start * 1_000_000_000)
        time.run(speed: speed)
        var next = start
        while !stop.isRequested {
            if let deadline, time.monotonicNanos >= deadline { return }
            // A step is sent when it is over: nobody reports calls before they are made.
            if time.unixNanos / 1_000_000_000 >= next + SimulatedCompany.stepSeconds {
                send(at: next)
                next += SimulatedCompany.stepSeconds
                let isWholeHour = next % (6 * 3600) == 0
                if isTerminal || isWholeHour {
                    show(
                        "\(Self.clock(next))  \(calls) calls, \(spend) so far", isLast: !isTerminal)
                }
            } else {
                stop.wait(nanos: 20_000_000)
            }
        }
    }

    private var spend: String { "$" + sidecar.totalCost.rounded(toDecimals: 2) }

    private mutating func send(at start: Int64) {
        let step = company.step(at: start)
        guard step.calls > 0 else { return }
        let (accepted, rejections) = sidecar.ingest(step.body)
        calls += accepted
        if let first = rejections.first { printError("demo: \(first)\n") }
    }

    private func show(_ text: String, isLast: Bool) {
        if isTerminal {
            printOutput("\r\u{1b}[K" + text + (isLast ? "\n" : ""))
        } else if isLast {
            printOutput(text + "\n")
        }
    }

    private static func clock(_ seconds: Int64) -> String {
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let text = RFC3339.text(unixNanos: seconds * 1_000_000_000)
        return weekdays[Int(seconds / 86_400 % 7)] + " "
            + text.prefix(16).map { $0 == "T" ? " " : String($0) }.joined()
    }
}

/// Set once by whoever ends the demo.
private final class StopRequest: Sendable {
    private let flag = Atomic(false)
    private let wake = WakeSignal()

    var isRequested: Bool { flag.load(ordering: .relaxed) }

    func request() {
        flag.store(true, ordering: .relaxed)
        wake.notify()
    }

    func wait(nanos: UInt64) { wake.wait(nanos: nanos) }
}

/// A directory that goes with the process that made it.
private struct TemporaryDirectory {
    let path: String

    init() throws(UsageError) {
        let parent = environmentVariables()["TMPDIR"] ?? "/tmp"
        let toFill = String(repeating: "X", count: 6)
        var template = Array("\(parent)/costgauge-demo-\(toFill)".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            let cause = unsafe String(cString: strerror(errno))
            throw UsageError(description: "cannot make a directory in \(parent): \(cause)")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() {
        guard let directory = unsafe opendir(path) else { return }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != "." && name != ".." { unsafe unlink(path + "/" + name) }
        }
        unsafe closedir(directory)
        unsafe rmdir(path)
    }
}
