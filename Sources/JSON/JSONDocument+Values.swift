extension JSONDocument {
    /// An integer without sign, fraction or exponent, or nil. Leading zeros are not JSON.
    @inline(__always)
    public func unsignedInteger(_ token: Int) -> UInt64? {
        let range = literal(token)
        guard !range.isEmpty, range.count <= 20 else { return nil }
        var value: UInt64 = 0
        for index in range {
            let digit = byte(index) &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowed) = product.addingReportingOverflow(UInt64(digit))
            if overflow || overflowed { return nil }
            value = sum
        }
        return range.count > 1 && byte(range.lowerBound) == UInt8(ascii: "0") ? nil : value
    }

    public func boolean(_ token: Int) -> Bool? {
        switch kind(token) {
        case UInt8(ascii: "t"): matches(token, "true") ? true : nil
        case UInt8(ascii: "f"): matches(token, "false") ? false : nil
        default: nil
        }
    }

    public func isNull(_ token: Int) -> Bool {
        kind(token) == UInt8(ascii: "n") && matches(token, "null")
    }

    private func matches(_ token: Int, _ word: StaticString) -> Bool {
        let range = literal(token)
        guard range.count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { letters in
            for index in 0..<letters.count
            where unsafe letters[index] != byte(range.lowerBound + index) { return false }
            return true
        }
    }

    /// The token after the value at `token`, or the first fault in it. Escapes inside strings are
    /// not looked at: nobody reads them.
    public func skip(_ token: Int, depth: Int = 0) throws(JSONFault) -> Int {
        switch kind(token) {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard depth < JSONValue.depthMax else {
                throw fault(token, "nested deeper than \(JSONValue.depthMax)")
            }
            return try skipMembers(of: token, depth: depth)
        case UInt8(ascii: "\""): break
        case 0: throw fault(token, "the text ends where a value is expected")
        default:
            let isScalar =
                isNumber(token)
                ? withBytes(literal(token), isJSONNumber) : boolean(token) != nil || isNull(token)
            guard isScalar else { throw fault(token, "not a JSON value") }
        }
        return token + 1
    }

    private func skipMembers(of token: Int, depth: Int) throws(JSONFault) -> Int {
        let isObject = kind(token) == UInt8(ascii: "{")
        let closing = isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
        var token = token + 1
        if kind(token) == closing { return token + 1 }
        while true {
            if isObject {
                guard kind(token) == UInt8(ascii: "\""), kind(token + 1) == UInt8(ascii: ":") else {
                    throw fault(token, "a key and a colon are expected")
                }
                token += 2
            }
            token = try skip(token, depth: depth + 1)
            let separator = kind(token)
            token += 1
            if separator == closing { return token }
            guard separator == UInt8(ascii: ",") else {
                throw fault(token - 1, "a comma or a closing bracket is expected")
            }
        }
    }

    /// The token after the value at `token` by its brackets alone, or nil when they do not pair.
    /// Finds the way back after a value that is broken inside.
    public func stepOver(_ token: Int) -> Int? {
        var depth = 0
        var token = token
        repeat {
            switch kind(token) {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case 0: return nil
            default: break
            }
            if depth < 0 { return nil }
            token += 1
        } while depth > 0
        return token
    }

    /// Appends the text of a string with its escapes resolved; RFC 8259 section 7.
    public func unescape(_ text: Text, into output: inout [UInt8]) throws(JSONFault) {
        var at = text.offset
        let end = text.offset + text.length
        while at < end {
            let current = byte(at)
            at += 1
            guard current == UInt8(ascii: "\\") else {
                output.append(current)
                continue
            }
            guard at < end else { throw JSONFault(offset: at, message: "an unfinished escape") }
            let letter = byte(at)
            at += 1
            switch letter {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(letter)
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0c)
            case UInt8(ascii: "n"): output.append(0x0a)
            case UInt8(ascii: "r"): output.append(0x0d)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "u"):
                let scalar = try unicodeEscape(&at, end)
                output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            default: throw JSONFault(offset: at - 2, message: "an unknown escape")
            }
        }
    }

    /// `at` stands behind `\u`. Two halves of a surrogate pair make one scalar; a lone half is a
    /// fault.
    private func unicodeEscape(_ at: inout Int, _ end: Int) throws(JSONFault) -> Unicode.Scalar {
        let start = at - 2
        let first = try hexQuad(&at, end)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xdc00, at + 6 <= end, byte(at) == UInt8(ascii: "\\"),
            byte(at + 1) == UInt8(ascii: "u")
        else { throw JSONFault(offset: start, message: "half of a surrogate pair") }
        at += 2
        let second = try hexQuad(&at, end)
        guard (0xdc00..<0xe000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
        else { throw JSONFault(offset: start, message: "half of a surrogate pair") }
        return scalar
    }

    private func hexQuad(_ at: inout Int, _ end: Int) throws(JSONFault) -> UInt32 {
        guard at + 4 <= end else { throw JSONFault(offset: at, message: "an unfinished escape") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = byte(at)
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw JSONFault(offset: at, message: "not a hexadecimal digit")
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }
}
