import Foundation
import Glibc
import Synchronization

/// An HTTP server for one test that records what comes and answers as a script says.
public final class RecordingReceiver: Sendable {
    public struct Received: Sendable {
        public let path: String
        public let headers: [String: String]
        public let body: [UInt8]

        public var text: String { String(decoding: body, as: UTF8.self) }
        public var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:]
        }
    }

    public enum Answer: Sendable {
        case status(Int, headers: [String: String] = [:], body: String = "")
        /// Reads the request and never answers.
        case hang
        /// Closes with a reset.
        case reset
        /// Announces more than it sends.
        case closeInBody
        /// Sends for ever.
        case flood
        /// Answers in no protocol at all.
        case garbage
    }

    public let port: UInt16
    private let listener: Int32
    private let script: @Sendable (Received, Int) -> Answer
    private let received = Mutex<[Received]>([])

    /// `script` answers each request, given with its number from 0.
    public init(
        port: UInt16 = 0,
        _ script: @escaping @Sendable (Received, Int) -> Answer = { _, _ in .status(200, body: "ok")
        }
    ) throws {
        self.script = script
        listener = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound, listen(listener, 128) == 0 else { throw TestHTTPClient.Closed() }
        self.port = UInt16(bigEndian: address.sin_port)
        Thread { [weak self] in
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 { return }
                guard let self else {
                    close(connection)
                    return
                }
                Thread { self.serve(connection) }.start()
            }
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    public var url: String { "http://127.0.0.1:\(port)" }
    public var all: [Received] { received.withLock { $0 } }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var buffer: [UInt8] = []
        while let request = read(connection, &buffer) {
            let number = received.withLock { received in
                received.append(request)
                return received.count - 1
            }
            switch script(request, number) {
            case .status(let status, let headers, let body):
                var head = "HTTP/1.1 \(status) x\r\nContent-Length: \(body.utf8.count)\r\n"
                for (name, value) in headers { head += "\(name): \(value)\r\n" }
                guard write(connection, head + "\r\n" + body) else { return }
            case .hang:
                var byte: UInt8 = 0
                while recv(connection, &byte, 1, 0) > 0 {}
                return
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    connection, SOL_SOCKET, SO_LINGER, &linger,
                    socklen_t(MemoryLayout.size(ofValue: linger)))
                return
            case .garbage:
                _ = write(connection, "garbage\r\n\r\n")
                return
            case .closeInBody:
                _ = write(connection, "HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\nok")
                return
            case .flood:
                guard write(connection, "HTTP/1.1 200 x\r\nContent-Length: 100000000\r\n\r\n")
                else { return }
                let part = String(repeating: "x", count: 65_536)
                for _ in 0..<1500 where !write(connection, part) { return }
                return
            }
        }
    }

    private func write(_ connection: Int32, _ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func read(_ connection: Int32, _ buffer: inout [UInt8]) -> Received? {
        func fill() -> Bool {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { return false }
            buffer.append(contentsOf: chunk.prefix(count))
            return true
        }
        var headEnd: Int?
        while headEnd == nil {
            if buffer.count >= 4 {
                headEnd = (0...buffer.count - 4).first {
                    buffer[$0] == 13 && buffer[$0 + 1] == 10 && buffer[$0 + 2] == 13
                        && buffer[$0 + 3] == 10
                }
            }
            if headEnd == nil, !fill() { return nil }
        }
        guard let end = headEnd else { return nil }
        let lines = String(decoding: buffer[..<end], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 {
                headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while buffer.count < end + 4 + length { if !fill() { return nil } }
        let body = Array(buffer[(end + 4)..<(end + 4 + length)])
        buffer.removeFirst(end + 4 + length)
        let path = lines[0].split(separator: " ").dropFirst().first.map(String.init) ?? ""
        return Received(path: path, headers: headers, body: body)
    }
}
