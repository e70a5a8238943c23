import Foundation

/// A real program run by a test; killed with it.
public final class ChildProcess: @unchecked Sendable {
    // Process and pipes are used by the test's thread; output is collected in files.
    public let process = Process()
    private let output: String
    private let errors: String
    private let directory = TemporaryDirectory()

    public init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        currentDirectory: String? = nil, input: FileHandle? = nil
    ) throws {
        output = directory.path + "/stdout"
        errors = directory.path + "/stderr"
        _ = FileManager.default.createFile(atPath: output, contents: nil)
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let currentDirectory {
            process.currentDirectoryURL = URL(fileURLWithPath: currentDirectory)
        }
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: errors)
        process.standardInput = input ?? FileHandle.nullDevice
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    public var standardOutput: String {
        (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
    }
    public var standardError: String {
        (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
    }

    public func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    @discardableResult
    public func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// The first program of that name on the path.
    public static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs a program to its end.
    public static func run(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        input: String? = nil
    ) throws -> (status: Int32, output: String, errors: String) {
        var handle: FileHandle?
        let directory = TemporaryDirectory()
        if let input { handle = FileHandle(forReadingAtPath: try directory.file("stdin", input)) }
        let child = try ChildProcess(
            executable, arguments, environment: environment, input: handle)
        let status = child.wait()
        return (status, child.standardOutput, child.standardError)
    }
}

/// Asks again until the answer is yes. The bound is generous: it ends a test that hangs, and no
/// test passes or fails by how long it took.
public func eventually(seconds: Double = 60, _ isTrue: () throws -> Bool) rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while Date() < deadline {
        if try isTrue() { return true }
        usleep(20_000)
    }
    return try isTrue()
}
