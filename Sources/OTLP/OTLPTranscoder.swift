internal import JSON
internal import Protobuf
internal import Wire

/// Rewrites OTLP's JSON as protobuf, so that one reader serves both. Unknown members are skipped,
/// as the specification asks.
enum OTLPTranscoder {
    static func protobuf(
        from json: [UInt8], _ signal: OTLPSignal
    ) throws(JSONFault) -> [UInt8] {
        let schema: OTLPSchema =
            switch signal {
            case .traces: .traces
            case .metrics: .metrics
            case .logs: .logs
            }
        return try JSONDocument.read(json) { (document, token) throws(JSONFault) in
            var output: [UInt8] = []
            output.reserveCapacity(json.count / 2)
            try message(document, &token, schema, depth: 0, to: &output)
            return output
        }
    }

    /// Deep enough for any value that people nest by hand.
    private static let depthMax = 40

    private static func message(
        _ document: borrowing JSONDocument, _ token: inout Int, _ schema: OTLPSchema, depth: Int,
        to output: inout [UInt8]
    ) throws(JSONFault) {
        guard depth < depthMax else { throw document.fault(token, "nested too deeply") }
        try document.members(&token) { (document, token, key) throws(JSONFault) in
            guard let field = find(document, key, schema) else { return false }
            if document.isNull(token) { return false }
            guard document.kind(token) == UInt8(ascii: "["), !isPacked(field.kind) else {
                try value(document, &token, field, depth: depth, to: &output)
                return true
            }
            try document.elements(&token) { (document, token) throws(JSONFault) in
                try value(document, &token, field, depth: depth, to: &output)
            }
            return true
        }
    }

    private static func isPacked(_ kind: OTLPSchema.Kind) -> Bool {
        switch kind {
        case .packedFixed64, .packedDouble: true
        default: false
        }
    }

    private static func find(
        _ document: borrowing JSONDocument, _ key: JSONDocument.Text, _ schema: OTLPSchema
    ) -> OTLPSchema.Field? {
        document.withBytes(key.offset..<key.offset + key.length) { bytes in
            schema.fields.first { field in
                guard field.name.count == bytes.count else { return false }
                for index in bytes.indices where bytes[index] != field.name[index] { return false }
                return true
            }
        }
    }

    private static func value(
        _ document: borrowing JSONDocument, _ token: inout Int, _ field: OTLPSchema.Field,
        depth: Int, to output: inout [UInt8]
    ) throws(JSONFault) {
        switch field.kind {
        case .message(let schema):
            try output.appendMessage(field.number) { output throws(JSONFault) in
                try message(document, &token, schema, depth: depth + 1, to: &output)
            }
        case .anyValue:
            try output.appendMessage(field.number) { output throws(JSONFault) in
                try anyValue(document, &token, depth: depth + 1, to: &output)
            }
        case .packedFixed64, .packedDouble:
            try output.appendMessage(field.number) { output throws(JSONFault) in
                try document.elements(&token) { (document, token) throws(JSONFault) in
                    let bits = try number(document, token, isDouble: field.kind.isDouble)
                    for shift in 0..<8 {
                        output.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift * 8)))
                    }
                    token += 1
                }
            }
        default: try scalar(document, &token, field, to: &output)
        }
    }

    private static func scalar(
        _ document: borrowing JSONDocument, _ token: inout Int, _ field: OTLPSchema.Field,
        to output: inout [UInt8]
    ) throws(JSONFault) {
        switch field.kind {
        case .varint:
            let bits: UInt64 =
                if let value = document.boolean(token) { value ? 1 : 0 } else {
                    try enumeration(document, token, field)
                }
            output.appendTag(field.number, .varint)
            output.appendVarint(bits)
        case .fixed64:
            output.appendField(field.number, fixed64: try number(document, token, isDouble: false))
        case .double:
            output.appendField(field.number, fixed64: try number(document, token, isDouble: true))
        case .hexadecimal:
            guard let bytes = hexadecimal(Array(try document.text(token).utf8)) else {
                throw document.fault(token, "an id is written in hexadecimal")
            }
            output.appendField(field.number, bytes: bytes)
        case .base64:
            guard let bytes = Base64.decode(try document.text(token)) else {
                throw document.fault(token, "bytes are written in Base64")
            }
            output.appendField(field.number, bytes: bytes)
        default: output.appendField(field.number, bytes: Array(try document.text(token).utf8))
        }
        token += 1
    }

    /// Enums are numbers; some senders write their names.
    private static func enumeration(
        _ document: borrowing JSONDocument, _ token: Int, _ field: OTLPSchema.Field
    ) throws(JSONFault) -> UInt64 {
        guard document.kind(token) == UInt8(ascii: "\""),
            let word = try? document.text(token), Int(word) == nil
        else { return try number(document, token, isDouble: false) }
        if word.hasSuffix("_DELTA") { return 1 }
        if word.hasSuffix("_CUMULATIVE") { return 2 }
        if word.hasSuffix("_OK") { return 1 }
        if word.hasSuffix("_ERROR") { return 2 }
        return 0
    }

    /// `{"stringValue": "x"}`, `{"intValue": "1"}`, and so on.
    private static func anyValue(
        _ document: borrowing JSONDocument, _ token: inout Int, depth: Int, to output: inout [UInt8]
    ) throws(JSONFault) {
        guard depth < depthMax else { throw document.fault(token, "nested too deeply") }
        try document.members(&token) { (document, token, key) throws(JSONFault) in
            if document.isNull(token) { return false }
            switch try? document.text(key) {
            case "stringValue": output.appendField(1, bytes: Array(try document.text(token).utf8))
            case "boolValue":
                guard let value = document.boolean(token) else {
                    throw document.fault(token, "true or false is expected")
                }
                output.appendTag(2, .varint)
                output.append(value ? 1 : 0)
            case "intValue":
                output.appendTag(3, .varint)
                output.appendVarint(try number(document, token, isDouble: false))
            case "doubleValue":
                output.appendField(4, fixed64: try number(document, token, isDouble: true))
            default:
                // Lists and bytes tell nothing that is read here.
                return false
            }
            token += 1
            return true
        }
    }
}

extension OTLPSchema.Kind {
    fileprivate var isDouble: Bool {
        if case .packedDouble = self { true } else { false }
    }
}

extension OTLPTranscoder {
    /// The bits of a number, which 64-bit integers and special doubles write as text.
    fileprivate static func number(
        _ document: borrowing JSONDocument, _ token: Int, isDouble: Bool
    ) throws(JSONFault) -> UInt64 {
        let text: String
        if document.kind(token) == UInt8(ascii: "\"") {
            text = try document.text(token)
        } else if document.isNumber(token) {
            text = document.withBytes(document.literal(token)) { String(copying: $0) }
        } else {
            throw document.fault(token, "a number is expected")
        }
        if isDouble {
            if text == "Infinity" { return Double.infinity.bitPattern }
            if text == "-Infinity" { return (-Double.infinity).bitPattern }
            guard let value = Double(text) else {
                throw document.fault(token, "\"\(text.prefix(40))\" is not a number")
            }
            return value.bitPattern
        }
        if let value = Int64(text) { return UInt64(bitPattern: value) }
        if let value = UInt64(text) { return value }
        // `1.0` and `1e3` are integers too.
        if let value = Double(text), let whole = Int64(exactly: value) {
            return UInt64(bitPattern: whole)
        }
        throw document.fault(token, "\"\(text.prefix(40))\" is not a 64-bit integer")
    }

    fileprivate static func hexadecimal(_ digits: [UInt8]) -> [UInt8]? {
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digits {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
