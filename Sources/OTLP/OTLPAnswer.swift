internal import Protobuf
internal import Wire

/// What the sender gets back, in the encoding that it used.
/// https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
public struct OTLPAnswer: Sendable {
    public let status: Int
    public let contentType: String
    public let body: [UInt8]
    /// Senders give up when it is longer than what is left of their own deadline, mostly 10 s.
    public let retryAfterSeconds: Int?

    /// `rejected` spans, points or records of a body that was otherwise taken.
    public static func taken(
        _ encoding: OTLPEncoding, _ signal: OTLPSignal, rejected: Int, message: String
    ) -> OTLPAnswer {
        var body: [UInt8] = []
        let isPartial = rejected > 0 || !message.isEmpty
        switch encoding {
        case .protobuf where isPartial:
            body.appendMessage(1) { partial in
                partial.appendField(1, varint: UInt64(rejected))
                if !message.isEmpty { partial.appendField(2, text: message) }
            }
        case .protobuf: break
        case .json where isPartial:
            body.append("{\"partialSuccess\":{\"\(signal.rejectedName)\":\"\(rejected)\"" as String)
            body.append(",\"errorMessage\":" as StaticString)
            body.appendJSONString(message)
            body.append("}}" as StaticString)
        case .json: body.append("{}" as StaticString)
        }
        return OTLPAnswer(
            status: 200, contentType: encoding.contentType, body: body, retryAfterSeconds: nil)
    }

    /// A `google.rpc.Status`.
    public static func refused(
        _ encoding: OTLPEncoding, status: Int, _ message: String, retryAfterSeconds: Int? = nil
    ) -> OTLPAnswer {
        // https://grpc.io/docs/guides/status-codes/
        let code: UInt64 =
            switch status {
            case 429, 413: 8
            case 503: 14
            default: 3
            }
        var body: [UInt8] = []
        switch encoding {
        case .protobuf:
            body.appendField(1, varint: code)
            body.appendField(2, text: message)
        case .json:
            body.append("{\"code\":\(code),\"message\":" as String)
            body.appendJSONString(message)
            body.append("}" as StaticString)
        }
        return OTLPAnswer(
            status: status, contentType: encoding.contentType, body: body,
            retryAfterSeconds: retryAfterSeconds)
    }
}

public enum OTLPEncoding: Sendable {
    case protobuf, json

    /// By the media type alone, without parameters.
    public init?(mediaType: String) {
        switch mediaType.lowercased() {
        case "application/x-protobuf", "application/protobuf": self = .protobuf
        case "application/json": self = .json
        default: return nil
        }
    }

    public var contentType: String {
        switch self {
        case .protobuf: "application/x-protobuf"
        case .json: "application/json"
        }
    }
}

public enum OTLPSignal: String, CaseIterable, Sendable {
    case traces, metrics, logs

    var rejectedName: String {
        switch self {
        case .traces: "rejectedSpans"
        case .metrics: "rejectedDataPoints"
        case .logs: "rejectedLogRecords"
        }
    }
}
