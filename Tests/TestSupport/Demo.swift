import Foundation

/// `costgauge demo` with a week of history behind it.
public final class Demo {
    private let child: ChildProcess
    public let port: UInt16

    public struct DidNotStart: Error {
        public let errors: String
    }

    /// `speed` in simulated seconds a second.
    public init(speed: Int = 1440, arguments: [String] = []) throws {
        let child = try ChildProcess(
            Costgauge.executable,
            ["demo", "--weeks=1", "--speed=\(speed)", "--web.listen-address=127.0.0.1:0"]
                + arguments)
        let isLive = eventually(seconds: 120) {
            child.standardOutput.contains("The company is live") || !child.process.isRunning
        }
        let port = child.standardOutput.firstMatch(of: /127\.0\.0\.1:(\d+)\/metrics/).flatMap {
            UInt16($0.1)
        }
        guard isLive, let port else { throw DidNotStart(errors: child.standardError) }
        self.child = child
        self.port = port
    }

    /// With its temporary directory.
    deinit {
        child.signal(SIGTERM)
        child.wait()
    }

    public var output: String { child.standardOutput }
}
