internal import Configuration
internal import Glibc
internal import HTTPServer
internal import Logging
internal import Sidecar
internal import Usage

enum ServeCommand: Command {
    static let name = "serve"
    static let summary = "runs the sidecar; SIGHUP reads the configuration again, SIGTERM stops"
    static let flags = ConfigurationSource.flags

    static func run(_ arguments: Arguments) throws -> Int32 {
        let source = try ConfigurationSource(arguments)
        let configuration = try source.read()
        let log = Logger(
            level: configuration.logLevel, format: configuration.logFormat, time: SystemTime())
        for warning in configuration.warnings { log.warn(warning) }
        let signals = Signals([SIGTERM, SIGINT, SIGHUP])
        raiseFileLimit()
        let sidecar: Sidecar
        do {
            sidecar = try Sidecar(
                configuration: configuration, time: SystemTime(),
                random: { UInt64.random(in: .min ... .max) }, log: log
            ) { () throws(ConfigurationFaults) in try source.read() }
        } catch {
            guard error.mayPass else { throw error }
            printError("costgauge serve: \(error)\n")
            return 1
        }
        log.info(
            "listening", ("address", sidecar.address.description),
            ("metrics_address", sidecar.metricsAddress?.description ?? ""),
            ("otlp_address", sidecar.otlpAddress?.description ?? ""),
            ("version", Version.number))
        while true {
            if signals.next() == SIGHUP {
                sidecar.reload()
            } else {
                log.info("stopping")
                sidecar.stop()
                return 0
            }
        }
    }
}

/// Signals arrive one by one on the thread that asks; every other thread has them blocked.
struct Signals {
    private var set = sigset_t()

    /// Call before any thread is started: threads inherit the mask.
    init(_ numbers: [Int32]) {
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        // A peer that hangs up is an error of write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // So is a file size limit (ulimit -f): the store refuses the commit, as with a full disk.
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Waits for one of them.
    func next() -> Int32 {
        var set = set
        var number: Int32 = 0
        while unsafe sigwait(&set, &number) != 0 {}
        return number
    }
}

/// Every connection takes a descriptor; the soft limit of 1024 is for programs that use select.
func raiseFileLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(resource, &limit)
}
