internal import Access
internal import Configuration
internal import Glibc
internal import HTTPServer
internal import Logging

/// Where a configuration comes from: a file, the environment, and flags over both.
struct ConfigurationSource: Sendable {
    static let flags = [
        Flag("config.file", "FILE", "configuration in YAML (default: built-in defaults)"),
        Flag(
            "web.listen-address", "ADDRESS",
            "address to listen on (default 127.0.0.1:10838)"),
        Flag(
            "web.config.file", "FILE",
            "TLS, basic auth and headers, in the format of Prometheus' exporters"),
        Flag("storage.path", "DIR", "data directory (default ./costgauge-data)"),
        Flag("log.level", "LEVEL", "debug, info, warn or error (default info)"),
        Flag("log.format", "FORMAT", "logfmt or json (default logfmt)"),
    ]

    let file: String?
    private let webFile: String?
    private let listen: ListenAddress?
    private let storagePath: String?
    private let level: LogLevel?
    private let format: LogFormat?

    init(_ arguments: Arguments) throws(UsageError) {
        file = arguments["config.file"]
        webFile = arguments["web.config.file"]
        listen = try Self.parse(
            arguments, "web.listen-address", "an address such as 127.0.0.1:10838 or [::1]:10838"
        ) { ListenAddress($0) }
        storagePath = arguments["storage.path"]
        if storagePath == "" { throw UsageError(description: "--storage.path must not be empty") }
        level = try Self.parse(arguments, "log.level", "one of debug, info, warn, error") {
            LogLevel(rawValue: $0)
        }
        format = try Self.parse(arguments, "log.format", "one of logfmt, json") {
            LogFormat(rawValue: $0)
        }
    }

    private static func parse<Value>(
        _ arguments: Arguments, _ name: String, _ expected: String, _ read: (String) -> Value?
    ) throws(UsageError) -> Value? {
        guard let text = arguments[name] else { return nil }
        guard let value = read(text) else {
            throw UsageError(description: "--\(name): \"\(text)\" is not \(expected)")
        }
        return value
    }

    func read() throws(ConfigurationFaults) -> Configuration {
        var text: [UInt8] = []
        if let file { text = try Self.contents(of: file) }
        var configuration = try Configuration.read(
            text, file: file ?? "defaults", environment: environmentVariables(),
            secretFiles: .system)
        if let webFile { try Self.add(webFile, to: &configuration) }
        if let listen {
            if let refusal = Configuration.refusal(of: listen, configuration.access) {
                throw ConfigurationFaults(faults: [
                    ConfigurationFault(
                        source: "--web.listen-address", mark: nil, key: "", message: refusal)
                ])
            }
            configuration.web.listen = listen
        }
        if let storagePath { configuration.storage.path = storagePath }
        if let level { configuration.logLevel = level }
        if let format { configuration.logFormat = format }
        return configuration
    }

    /// Puts what the file of `--web.config.file` says into the configuration.
    static func add(
        _ webFile: String, to configuration: inout Configuration
    ) throws(ConfigurationFaults) {
        let web = try WebConfiguration.read(
            try contents(of: webFile, flag: "web.config.file"), file: webFile)
        configuration.web.tls = web.tls
        configuration.web.headers = web.headers
        configuration.access.users = web.users
        if !web.users.isEmpty, configuration.access.tokens.isEmpty {
            configuration.warnings.append(
                "the users of \(webFile) can look and nothing else; without auth.tokens nobody can "
                    + "send events")
        }
    }

    /// An unreadable file is a fault like any other.
    static func contents(
        of path: String, flag: String = "config.file"
    ) throws(ConfigurationFaults) -> [UInt8] {
        do throws(FileError) {
            return try readFile(path, bytesMax: 8 << 20)
        } catch {
            throw ConfigurationFaults(faults: [
                ConfigurationFault(
                    source: path, mark: nil, key: "",
                    message:
                        "cannot read it: \(error.cause); name a readable file with --\(flag)")
            ])
        }
    }
}

extension SecretFiles {
    /// Files as the process sees them.
    static let system = SecretFiles { path in
        do throws(FileError) {
            return .text(try readFile(path, bytesMax: 64 * 1024))
        } catch {
            return .unreadable(cause: error.cause)
        }
    }
}

struct FileError: Error {
    let cause: String
}

func readFile(_ path: String, bytesMax: Int) throws(FileError) -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw FileError(cause: unsafe String(cString: strerror(errno))) }
    defer { close(file) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while content.count <= bytesMax {
        let count = unsafe Glibc.read(file, &chunk, chunk.count)
        if count < 0 { throw FileError(cause: unsafe String(cString: strerror(errno))) }
        if count == 0 { return content }
        content.append(contentsOf: chunk.prefix(count))
    }
    throw FileError(cause: "it has more than \(bytesMax) bytes")
}

func environmentVariables() -> [String: String] {
    var variables: [String: String] = [:]
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
        let pair = unsafe String(cString: text).split(
            separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
        unsafe entry += 1
    }
    return variables
}
