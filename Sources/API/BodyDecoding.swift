internal import Gzip
internal import HTTPServer

/// Compressed bodies, for every path that takes any.
enum BodyDecoding {
    static let encodings = ["gzip", "x-gzip", "deflate", "identity"]

    static func check(_ exchange: HTTPExchange) throws(APIError) {
        guard let encoding = exchange.header("Content-Encoding")?.lowercased(),
            !encodings.contains(encoding)
        else { return }
        throw APIError(
            status: 415, code: "unsupported_content_encoding",
            message: "Content-Encoding \"\(encoding.prefix(100))\" is not read here; send gzip, "
                + "deflate or none")
    }

    enum Outcome {
        case body([UInt8])
        case tooLarge
        case malformed(String)
    }

    /// The body as it was before compression, if that is no larger than `bytesMax`.
    static func read(_ body: consuming [UInt8], _ encoding: String?, bytesMax: Int) -> Outcome {
        guard let encoding = encoding?.lowercased(), encoding != "identity" else {
            return .body(body)
        }
        var inflated: [UInt8] = []
        do throws(GzipError) {
            try Inflater.inflate(body.span, into: &inflated, limit: bytesMax)
        } catch .tooLarge {
            return .tooLarge
        } catch {
            return .malformed(error.description)
        }
        return .body(inflated)
    }
}
