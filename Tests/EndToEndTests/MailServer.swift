import Foundation
import TestSupport
import Testing

struct Mail: Decodable {
    let answer: String
    let from: String
    let to: [String]
    let subject: String
    let id: String
    let reply: String?
    let key: String
    let plain: String
    let html: String
    let defects: Int
    let tls: Bool
    let login: Bool
}

/// The mail server of Python/smtp_server.py.
final class MailServer {
    let child: ChildProcess
    let port: UInt16

    init(_ arguments: [String] = []) throws {
        port = Peers.freePort()
        child = try ChildProcess(
            Peers.python ?? "",
            [Costgauge.repository + "/Tests/EndToEndTests/Python/smtp_server.py", "\(port)"]
                + arguments)
        let child = child
        let isUp = eventually {
            child.standardOutput.contains("ready") || !child.process.isRunning
        }
        #expect(isUp && child.process.isRunning, "\(child.standardError)")
    }

    deinit {
        child.signal(SIGKILL)
        child.wait()
    }

    var mails: [Mail] {
        child.standardOutput.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Mail.self, from: Data($0.utf8))
        }
    }
}
