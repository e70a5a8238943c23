internal import Glibc

public enum HTTPMethod: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
    case options = "OPTIONS"
    case other = "other"

    init(_ text: UnsafePointer<CChar>) {
        if unsafe strcmp(text, "POST") == 0 {
            self = .post
        } else if unsafe strcmp(text, "GET") == 0 {
            self = .get
        } else {
            self = HTTPMethod(rawValue: unsafe String(cString: text)) ?? .other
        }
    }
}

public struct HTTPResponse: Sendable {
    public var status: Int
    public var contentType: String
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]

    public init(
        status: Int, contentType: String, headers: [(name: String, value: String)] = [],
        body: [UInt8]
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
    }
}

/// What a handler decides when only the head of a request is known.
public enum HTTPAdmission: Sendable {
    /// The body is received, up to this many bytes; more makes the exchange's `bodyOutcome`
    /// tooLarge.
    case receive(bytesMax: Int)
    case refuse(HTTPResponse)
}

public enum HTTPBodyOutcome: Sendable {
    case complete
    /// Over the limit of its path; the bytes were read and dropped.
    case tooLarge
    /// All bodies in memory together passed the server's bound; the bytes were read and dropped.
    case overloaded
}

/// Called on the server's threads, so neither call may block.
public protocol HTTPHandler: Sendable {
    func admit(_ exchange: HTTPExchange) -> HTTPAdmission

    /// Either responds before it returns, or parks the exchange and lets another thread respond.
    func handle(_ exchange: HTTPExchange)

    /// Around the requests that are read one right after the other, all on the server's thread:
    /// what they have in common can wait for the end of the round.
    func roundBegins()
    func roundEnded()
}

extension HTTPHandler {
    public func roundBegins() {}
    public func roundEnded() {}
}
