import Foundation
import Glibc

/// A plain HTTP/1.1 client over a socket that a test may misuse: any bytes go out as they are.
public final class TestHTTPClient {
    public struct Answer: Sendable {
        public let status: Int
        public let headers: [String: String]
        public let body: [UInt8]

        public var text: String { String(decoding: body, as: UTF8.self) }
        public func json() throws -> [String: Any] {
            try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] ?? [:]
        }
    }

    public struct Closed: Error {}

    private let socket: Int32
    private var isOpen = true
    private var received: [UInt8] = []

    public init(port: UInt16, timeoutSeconds: Int = 30) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        guard connected == 0 else { throw Closed() }
    }

    deinit { if isOpen { close(socket) } }

    /// Nothing more will be sent; answers are still read.
    public func endSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// The server sees the connection reset at once.
    public func hangUp() {
        var reset = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
        close(socket)
        isOpen = false
    }

    @discardableResult
    public func request(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil
    ) throws -> Answer {
        var head = "\(method) \(path) HTTP/1.1\r\n"
        var headers = headers
        if headers["Host"] == nil { headers["Host"] = "localhost" }
        if let body, headers["Content-Length"] == nil, headers["Transfer-Encoding"] == nil {
            headers["Content-Length"] = String(body.count)
        }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        try send(Array((head + "\r\n").utf8) + (body ?? []))
        return try answer(isHead: method == "HEAD")
    }

    public func post(_ json: String, to path: String = "/v1/events") throws -> Answer {
        try request(
            "POST", path, headers: ["Content-Type": "application/json"], body: Array(json.utf8))
    }

    public func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { throw Closed() }
            rest = rest.dropFirst(written)
        }
    }

    public func answer(isHead: Bool = false) throws -> Answer {
        let head = try read(until: Array("\r\n\r\n".utf8))
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw Closed() }
        if status == 100 { return try answer(isHead: isHead) }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() where line.contains(":") {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] =
                parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        var body: [UInt8] = []
        if !isHead, let length = headers["content-length"].flatMap({ Int($0) }) {
            while received.count < length { try fill() }
            body = Array(received.prefix(length))
            received.removeFirst(length)
        } else if !isHead, headers["transfer-encoding"] == "chunked" {
            while let length = Int(
                String(decoding: try read(until: [0x0d, 0x0a]), as: UTF8.self), radix: 16)
            {
                while received.count < length + 2 { try fill() }
                body += received.prefix(length)
                received.removeFirst(length + 2)
                if length == 0 { break }
            }
        }
        return Answer(status: status, headers: headers, body: body)
    }

    private func read(until end: [UInt8]) throws -> [UInt8] {
        while true {
            if received.count >= end.count {
                for start in 0...received.count - end.count
                where Array(received[start..<start + end.count]) == end {
                    defer { received.removeFirst(start + end.count) }
                    return Array(received.prefix(start))
                }
            }
            try fill()
        }
    }

    private func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &chunk, chunk.count, 0)
        guard count > 0 else { throw Closed() }
        received.append(contentsOf: chunk.prefix(count))
    }
}
