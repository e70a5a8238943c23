internal import Usage

/// The text of a scope in keys and in the store: `tenant=acme,user=u%201`, or `all`.
enum ScopeText {
    static func write(_ scope: [(dimension: Dimension, value: String)]) -> String {
        if scope.isEmpty { return "all" }
        return scope.map { "\($0.dimension)=\(escape($0.value))" }.joined(separator: ",")
    }

    /// The values in the order of `each`, or nil when the text is of another budget.
    static func read(_ text: String, each: [Dimension]) -> [String]? {
        if each.isEmpty { return text == "all" ? [] : nil }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == each.count else { return nil }
        var values: [String] = []
        for (part, dimension) in zip(parts, each) {
            let prefix = "\(dimension)="
            guard part.hasPrefix(prefix), let value = unescape(part.dropFirst(prefix.count)) else {
                return nil
            }
            values.append(value)
        }
        return values
    }

    /// Percent-encodes what RFC 3986 does not call unreserved.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                || (0x61...0x7a).contains(byte) || "-._~".utf8.contains(byte)
            if isPlain {
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                escaped += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return escaped
    }

    private static func unescape(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
