internal import HTTPServer

/// Keeps web pages from driving a server on loopback that asks for no token. Where tokens are asked
/// for, or the network was let in on purpose, the server may be called by any name.
///
/// A page in a browser can send requests here. Two headers that it cannot forge give it away:
/// `Origin` names another site, and `Host` names the attacker's own domain when DNS was rebound to
/// 127.0.0.1.
struct RequestGuard: Sendable {
    /// Host names by which this server may be called, without port, lower case.
    private let hosts: Set<String>
    /// As most call it, with the port and without.
    private let usual: (full: String, host: String)

    private let isLoopback: Bool

    init(address: ListenAddress) {
        isLoopback = address.isLoopback
        hosts = ["localhost", "127.0.0.1", "::1", address.host]
        usual = (full: "\(address)", host: address.host)
    }

    func check(_ exchange: HTTPExchange, hasTokens: Bool) throws(APIError) {
        guard let host = exchange.header("Host") else {
            throw APIError(
                status: 400, code: "host_missing", message: "the Host header is required")
        }
        guard
            hasTokens || !isLoopback || host == usual.full || host == usual.host
                || hosts.contains(Self.name(of: host))
        else {
            throw APIError(
                status: 403, code: "host_refused",
                message: "Host \"\(host.prefix(100))\" is not this server; call it by "
                    + hosts.sorted().joined(separator: ", "))
        }
        guard exchange.has(header: "Origin"), let origin = exchange.header("Origin") else { return }
        guard origin == "http://\(host)" || origin == "https://\(host)" else {
            throw APIError(
                status: 403, code: "origin_refused",
                message: "requests from the web page \"\(origin.prefix(100))\" are refused")
        }
    }

    /// The host without its port: `[::1]:80` -> `::1`, `localhost:80` -> `localhost`.
    private static func name(of host: String) -> String {
        // Called by its address, as most are.
        if host.utf8.first.map({ (0x30...0x39).contains($0) }) ?? false {
            return String(host.utf8.prefix { $0 != UInt8(ascii: ":") }) ?? ""
        }
        let host = host.lowercased()
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return String(host[host.index(after: host.startIndex)..<end])
        }
        guard let colon = host.firstIndex(of: ":") else { return host }
        return String(host[..<colon])
    }
}
