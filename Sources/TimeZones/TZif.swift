/// The file format of time zones, RFC 8536. Version 2 and later hold a second block with 64-bit
/// times and, behind it between newlines, the rule for later years.
///
///     header 44 | v1 block
///     header 44 | times 8*n | types n | type records 6*t | names | ... | \n rule \n
enum TZif {
    private struct Header {
        let version: UInt8
        let utIndicators, standardIndicators, leapSeconds, times, types, names: Int

        static let size = 44

        init?(_ bytes: [UInt8], at start: Int) {
            guard start >= 0, start + Self.size <= bytes.count,
                bytes[start..<start + 4].elementsEqual("TZif".utf8)
            else { return nil }
            version = bytes[start + 4]
            func count(_ index: Int) -> Int {
                Int(truncatingIfNeeded: bigEndian(bytes, at: start + 20 + index * 4, bytes: 4))
            }
            utIndicators = count(0)
            standardIndicators = count(1)
            leapSeconds = count(2)
            times = count(3)
            types = count(4)
            names = count(5)
        }

        func blockSize(timeBytes: Int) -> Int {
            times * timeBytes + times + types * 6 + names + leapSeconds * (timeBytes + 4)
                + standardIndicators + utIndicators
        }
    }

    static func read(_ bytes: [UInt8], name: String) -> Zone? {
        guard let first = Header(bytes, at: 0), first.version >= UInt8(ascii: "2") else {
            return nil
        }
        let second = Header.size + first.blockSize(timeBytes: 4)
        guard let header = Header(bytes, at: second) else { return nil }
        let start = second + Header.size
        let end = start + header.blockSize(timeBytes: 8)
        guard end <= bytes.count, header.types > 0 else { return nil }
        let typesAt = start + header.times * 8
        let recordsAt = typesAt + header.times
        var offsets: [Int32] = []
        for type in 0..<header.types {
            offsets.append(
                Int32(truncatingIfNeeded: bigEndian(bytes, at: recordsAt + type * 6, bytes: 4)))
        }
        var transitions: [Int64] = []
        var transitionOffsets: [Int32] = []
        for index in 0..<header.times {
            let type = Int(bytes[typesAt + index])
            guard type < offsets.count else { return nil }
            transitions.append(Int64(bitPattern: bigEndian(bytes, at: start + index * 8, bytes: 8)))
            transitionOffsets.append(offsets[type])
        }
        let footer = bytes[end...].dropFirst().prefix { $0 != UInt8(ascii: "\n") }
        let text = String(decoding: footer, as: UTF8.self)
        let rule = text.isEmpty ? nil : ZoneRule(text)
        if !text.isEmpty, rule == nil { return nil }
        return Zone(
            name: name, transitions: transitions, offsets: transitionOffsets,
            firstOffset: offsets[0], rule: rule)
    }

    private static func bigEndian(_ bytes: [UInt8], at start: Int, bytes count: Int) -> UInt64 {
        bytes[start..<start + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
