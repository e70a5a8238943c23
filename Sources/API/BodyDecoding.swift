internal import Gzip
internal import HTTPServer
internal import Intake

/// Why a body is not read.
enum BodyRefusal: Error {
    /// Over the limit of its path, as sent or, compressed, as it comes out.
    case tooLarge
    /// The queue of the ledger is full, or all bodies in memory together have reached their bound.
    case noRoom
    case stopping
    case malformed(String)

    /// As most paths say it. `advice` follows what is wrong with a body that is too large.
    func error(bytesMax: Int, advice: String = "", noRoomStatus: Int = 429) -> APIError {
        switch self {
        case .tooLarge:
            APIError(
                status: 413, code: "body_too_large",
                message: "the body has more than \(bytesMax) bytes, after decompression too"
                    + advice)
        case .noRoom:
            APIError(
                status: noRoomStatus, code: "queue_full",
                message: "too many events wait for their commit; try again in a second",
                headers: [("Retry-After", "1")])
        case .stopping: .stopping
        case .malformed(let message):
            APIError(status: 400, code: "malformed_gzip", message: message)
        }
    }
}

extension APIError {
    static let stopping = APIError(
        status: 503, code: "stopping", message: "costgauge is stopping; send the events again",
        headers: [("Retry-After", "5")])
}

/// Compressed bodies, for every path that takes any.
enum BodyDecoding {
    private static let encodings = ["gzip", "x-gzip", "deflate", "identity"]

    /// False: the body comes as it is, and there is nothing to inflate.
    @discardableResult
    static func check(_ exchange: HTTPExchange) throws(APIError) -> Bool {
        guard let encoding = exchange.header("Content-Encoding")?.lowercased() else { return false }
        if encodings.contains(encoding) { return true }
        throw APIError(
            status: 415, code: "unsupported_content_encoding",
            message: "Content-Encoding \"\(encoding.prefix(100))\" is not read here; send gzip, "
                + "deflate or none")
    }

    /// Makes of `body` what it was before compression, if that is no larger than `bytesMax`.
    static func inflate(
        _ body: inout [UInt8], of exchange: HTTPExchange, bytesMax: Int
    ) throws(BodyRefusal) {
        guard let encoding = exchange.header("Content-Encoding")?.lowercased(),
            encoding != "identity"
        else { return }
        var inflated: [UInt8] = []
        do throws(GzipError) {
            try Inflater.inflate(body.span, into: &inflated, limit: bytesMax)
        } catch .tooLarge {
            throw .tooLarge
        } catch {
            throw .malformed(error.description)
        }
        body = inflated
    }
}

extension HTTPExchange {
    /// The body as it was sent, whole.
    func takeWhole() throws(BodyRefusal) -> [UInt8] {
        let body = takeBody()
        switch bodyOutcome {
        case .complete: return body
        case .tooLarge: throw .tooLarge
        case .overloaded: throw .noRoom
        }
    }
}

/// The bodies that hold events: taken while the ledger has room for them.
struct EventBodies: Sendable {
    let intake: EventIntake
    /// Of the body as sent and, compressed, of what comes out.
    let bytesMax: Int

    /// What can be known before the body comes.
    func checkRoom() throws(BodyRefusal) {
        if intake.isClosed { throw .stopping }
        guard intake.hasRoom else { throw .noRoom }
    }

    func take(_ exchange: HTTPExchange) throws(BodyRefusal) -> [UInt8] {
        var body = try exchange.takeWhole()
        // Again: many may have begun to send while there was room.
        try checkRoom()
        try BodyDecoding.inflate(&body, of: exchange, bytesMax: bytesMax)
        return body
    }
}
