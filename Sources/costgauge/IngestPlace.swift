internal import Glibc
internal import Synchronization
internal import Threading

/// Where a load stands, told when it is interrupted.
final class IngestPlace: Sendable {
    private let place: Mutex<(file: String, line: Int)>

    init(file: String) { place = Mutex((file, 1)) }

    /// What is before this line is loaded.
    func set(_ file: String, _ line: Int) { place.withLock { $0 = (file, line) } }

    var text: String {
        let (file, line) = place.withLock { $0 }
        return
            "\(file): the lines before line \(line) are loaded, of those that follow perhaps some"
    }

    /// Ctrl-C and SIGTERM say where the load stands and end the process, whatever it waits for. The
    /// store loses nothing by that. Call before any thread is started.
    func tellWhenInterrupted() {
        let signals = Signals([SIGINT, SIGTERM])
        _ = NamedThread("signals") { [self] in
            let number = signals.next()
            printError("\ncostgauge ingest: interrupted\n\(text)\n")
            // Without the work at exit of a process whose other threads still run.
            _exit(128 + number)
        }
    }
}
