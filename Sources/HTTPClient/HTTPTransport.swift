/// A request to somebody else's server. Its URL and headers may hold secrets: they are never
/// logged.
public struct HTTPClientRequest: Sendable {
    public var url: String
    public var method: String
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    public var connectMillis: Int
    public var totalMillis: Int
    /// `http://host:port`; nil: none, whatever the environment says.
    public var proxy: String?
    /// A file of certificates in PEM that the server's is checked with; nil: those of the system.
    public var authorities: String?
    /// With it the request is a mail: `url` is `smtp://host:port` or `smtps://host:port`, `body`
    /// the mail with its headers, and the status of the response the SMTP server's code.
    public var mail: MailEnvelope?
    /// What is more of the answer is not read.
    public var responseBytesMax = HTTPClient.responseBytesMax

    public init(
        url: String, method: String = "POST", headers: [(name: String, value: String)] = [],
        body: [UInt8], connectMillis: Int = 5000, totalMillis: Int = 15_000, proxy: String? = nil
    ) {
        self.url = url
        self.method = method
        self.headers = headers
        self.body = body
        self.connectMillis = connectMillis
        self.totalMillis = totalMillis
        self.proxy = proxy
    }
}

/// Who sends a mail to whom, and how the server knows them.
public struct MailEnvelope: Equatable, Sendable {
    public var from: String
    public var to: [String]
    /// Empty: no login.
    public var user: String
    public var password: String
    /// Without STARTTLS or `smtps` nothing is sent.
    public var needsTLS: Bool

    public init(from: String, to: [String], user: String, password: String, needsTLS: Bool) {
        self.from = from
        self.to = to
        self.user = user
        self.password = password
        self.needsTLS = needsTLS
    }
}

public struct HTTPClientResponse: Equatable, Sendable {
    public var status: Int
    /// The value of Retry-After as sent.
    public var retryAfter: String?
    /// At most `responseBytesMax` of the request; the rest is not read.
    public var body: [UInt8]

    public init(status: Int, retryAfter: String? = nil, body: [UInt8] = []) {
        self.status = status
        self.retryAfter = retryAfter
        self.body = body
    }
}

/// Why there is no response.
public enum HTTPClientFailure: Error, Equatable, Sendable, CustomStringConvertible {
    case cannotResolve, cannotConnect, timedOut, brokenOff, tls, notHTTP
    /// Not an address that can be called.
    case badURL
    case stopped
    case other(String)

    public var description: String {
        switch self {
        case .cannotResolve: "its host name cannot be resolved"
        case .cannotConnect: "it cannot be connected to"
        case .timedOut: "it did not answer in time"
        case .brokenOff: "it broke the connection off"
        case .tls: "its certificate or TLS handshake was refused"
        case .notHTTP: "it did not answer in HTTP"
        case .badURL: "its URL cannot be called"
        case .stopped: "costgauge is stopping"
        case .other(let text): text
        }
    }
}

public typealias HTTPClientOutcome = Result<HTTPClientResponse, HTTPClientFailure>

/// How requests leave the process; tests script their own.
public protocol HTTPTransport: Sendable {
    /// `completion` runs once, on any thread.
    func send(
        _ request: HTTPClientRequest,
        completion: @escaping @Sendable (HTTPClientOutcome) -> Void)
}
