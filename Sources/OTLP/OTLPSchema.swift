/// How the fields of OTLP's messages are called in JSON, and what they are on the wire. Only what
/// is read; the rest is skipped. https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
struct OTLPSchema: Sendable {
    enum Kind: Sendable {
        case message(OTLPSchema)
        /// `AnyValue` nests in itself.
        case anyValue
        case text
        /// Ids are hexadecimal, unlike other bytes.
        case hexadecimal
        case base64
        /// int64, enums and booleans.
        case varint
        case fixed64
        case double
        /// Lists of bare numbers.
        case packedFixed64, packedDouble
    }

    struct Field: Sendable {
        let name: [UInt8]
        let number: Int
        let kind: Kind

        init(_ name: String, _ number: Int, _ kind: Kind) {
            self.name = Array(name.utf8)
            self.number = number
            self.kind = kind
        }
    }

    let fields: [Field]

    init(_ fields: Field...) { self.fields = fields }

    static let keyValue = OTLPSchema(Field("key", 1, .text), Field("value", 2, .anyValue))
    private static let resource = OTLPSchema(Field("attributes", 1, .message(keyValue)))
    private static let scope = OTLPSchema(
        Field("name", 1, .text), Field("version", 2, .text),
        Field("attributes", 3, .message(keyValue)))
    private static let status = OTLPSchema(Field("message", 2, .text), Field("code", 3, .varint))

    private static let span = OTLPSchema(
        Field("traceId", 1, .hexadecimal), Field("spanId", 2, .hexadecimal),
        Field("parentSpanId", 4, .hexadecimal), Field("name", 5, .text), Field("kind", 6, .varint),
        Field("startTimeUnixNano", 7, .fixed64), Field("endTimeUnixNano", 8, .fixed64),
        Field("attributes", 9, .message(keyValue)), Field("status", 15, .message(status)))

    private static let logRecord = OTLPSchema(
        Field("timeUnixNano", 1, .fixed64), Field("severityNumber", 2, .varint),
        Field("body", 5, .anyValue), Field("attributes", 6, .message(keyValue)),
        Field("traceId", 9, .hexadecimal), Field("spanId", 10, .hexadecimal),
        Field("observedTimeUnixNano", 11, .fixed64), Field("eventName", 12, .text))

    private static let numberPoint = OTLPSchema(
        Field("startTimeUnixNano", 2, .fixed64), Field("timeUnixNano", 3, .fixed64),
        Field("asDouble", 4, .double), Field("asInt", 6, .fixed64),
        Field("attributes", 7, .message(keyValue)), Field("flags", 8, .varint))

    private static let histogramPoint = OTLPSchema(
        Field("startTimeUnixNano", 2, .fixed64), Field("timeUnixNano", 3, .fixed64),
        Field("count", 4, .fixed64), Field("sum", 5, .double),
        Field("bucketCounts", 6, .packedFixed64), Field("explicitBounds", 7, .packedDouble),
        Field("attributes", 9, .message(keyValue)), Field("flags", 10, .varint))

    private static let exponentialPoint = OTLPSchema(
        Field("attributes", 1, .message(keyValue)), Field("startTimeUnixNano", 2, .fixed64),
        Field("timeUnixNano", 3, .fixed64), Field("count", 4, .fixed64), Field("sum", 5, .double),
        Field("flags", 10, .varint))

    private static func data(_ point: OTLPSchema) -> OTLPSchema {
        OTLPSchema(
            Field("dataPoints", 1, .message(point)), Field("aggregationTemporality", 2, .varint),
            Field("isMonotonic", 3, .varint))
    }

    private static let metric = OTLPSchema(
        Field("name", 1, .text), Field("unit", 3, .text),
        Field("gauge", 5, .message(data(numberPoint))),
        Field("sum", 7, .message(data(numberPoint))),
        Field("histogram", 9, .message(data(histogramPoint))),
        Field("exponentialHistogram", 10, .message(data(exponentialPoint))))

    private static func request(
        _ signal: String, _ scopes: String, _ items: String, _ item: OTLPSchema
    )
        -> OTLPSchema
    {
        let scoped = OTLPSchema(
            Field("scope", 1, .message(scope)), Field(items, 2, .message(item)))
        let owned = OTLPSchema(
            Field("resource", 1, .message(resource)), Field(scopes, 2, .message(scoped)))
        return OTLPSchema(Field(signal, 1, .message(owned)))
    }

    static let traces = request("resourceSpans", "scopeSpans", "spans", span)
    static let metrics = request("resourceMetrics", "scopeMetrics", "metrics", metric)
    static let logs = request("resourceLogs", "scopeLogs", "logRecords", logRecord)
}
