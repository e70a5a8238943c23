internal import Protobuf
internal import Usage
internal import Wire

/// An attribute's value as it stands in the body.
struct FactValue: BitwiseCopyable {
    enum Kind: UInt8 {
        case absent, text, boolean, integer, double
    }

    var kind = Kind.absent
    var rank: UInt8 = .max
    /// A number's bits, or where the text lies.
    var bits: UInt64 = 0

    var range: Range<Int> {
        let start = Int(bits >> 32)
        return start..<start + Int(bits & 0xffff_ffff)
    }
}

/// What the attributes of one span, point, record or resource tell, by `Fact`.
struct Facts {
    private var values = InlineArray<40, FactValue>(repeating: FactValue())
    /// Of the attributes that were looked at.
    private(set) var isEmpty = true

    subscript(fact: Fact) -> FactValue { values[Int(fact.rawValue)] }

    mutating func clear() {
        if isEmpty { return }
        for index in values.indices { values[index] = FactValue() }
        isEmpty = true
    }

    /// Reads one `KeyValue` and keeps its value if anybody wants it.
    mutating func read(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ table: borrowing AttributeTable
    ) throws(ProtobufFault) {
        var fields = ProtobufReader(range)
        var key = 0..<0
        var value = 0..<0
        while let field = try fields.next(bytes) {
            switch field.number {
            case 1: key = try field.message()
            case 2: value = try field.message()
            default: break
            }
        }
        let targets = table.find(bytes.extracting(key))
        guard !targets.isEmpty, var found = try Self.value(bytes, value) else { return }
        isEmpty = false
        for index in targets {
            let target = table.target(index)
            let slot = Int(target.fact.rawValue)
            guard target.rank < values[slot].rank else { continue }
            found.rank = target.rank
            values[slot] = found
        }
    }

    /// A single `AnyValue`; nil for lists, bytes, nothing and empty text, which some producers send
    /// for a missing value.
    static func value(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(ProtobufFault) -> FactValue? {
        var fields = ProtobufReader(range)
        var result: FactValue?
        while let field = try fields.next(bytes) {
            switch field.number {
            case 1:
                let text = try field.message()
                let bits = UInt64(text.lowerBound) << 32 | UInt64(text.count)
                result = text.isEmpty ? nil : FactValue(kind: .text, rank: 0, bits: bits)
            case 2: result = FactValue(kind: .boolean, rank: 0, bits: try field.varint())
            case 3: result = FactValue(kind: .integer, rank: 0, bits: try field.varint())
            case 4: result = FactValue(kind: .double, rank: 0, bits: try field.fixed64())
            default: result = nil
            }
        }
        return result
    }
}

/// Why a number on a span cannot be a count or an amount.
struct FactFault: Error {
    let message: String
}

extension Facts {
    func has(_ fact: Fact) -> Bool { self[fact].kind != .absent }

    /// A value as text; numbers in base ten.
    func text(_ fact: Fact, _ bytes: Span<UInt8>) -> String? {
        let value = self[fact]
        switch value.kind {
        case .absent: return nil
        case .text: return String(copying: bytes.extracting(value.range))
        case .boolean: return value.bits == 0 ? "false" : "true"
        case .integer: return String(Int64(bitPattern: value.bits))
        case .double: return Double(bitPattern: value.bits).description
        }
    }

    func equals(_ fact: Fact, _ text: StaticString, _ bytes: Span<UInt8>) -> Bool {
        let value = self[fact]
        guard value.kind == .text else { return false }
        return bytes.extracting(value.range).equals(text)
    }

    /// Nil when absent. Producers send counts as integers, doubles or text.
    func count(_ fact: Fact, _ bytes: Span<UInt8>) throws(FactFault) -> UInt32? {
        let value = self[fact]
        let number: Double
        switch value.kind {
        case .absent, .boolean: return nil
        case .integer:
            let count = Int64(bitPattern: value.bits)
            guard let result = UInt32(exactly: count) else { throw Self.notACount("\(count)") }
            return result
        case .double: number = Double(bitPattern: value.bits)
        case .text:
            guard let read = Double(text(fact, bytes) ?? "") else {
                throw Self.notACount("\"\((text(fact, bytes) ?? "").prefix(40))\"")
            }
            number = read
        }
        guard number.isFinite, number >= 0, number <= Double(UInt32.max) else {
            throw Self.notACount("\(number)")
        }
        return UInt32(number.rounded())
    }

    private static func notACount(_ text: String) -> FactFault {
        FactFault(message: "must be a number from 0 to \(Limits.tokensMax); got \(text)")
    }

    /// An amount in dollars, or nil. A double is read from its shortest decimal, which is the text
    /// that its producer started from.
    func amount(_ fact: Fact, _ bytes: Span<UInt8>) throws(FactFault) -> NanoUSD? {
        guard let text = text(fact, bytes), self[fact].kind != .boolean else { return nil }
        return try Self.amount(text)
    }

    static func amount(_ text: String) throws(FactFault) -> NanoUSD {
        let text = text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        guard case .value(let nanos) = NanoUSD.read(Array(text.utf8).span), nanos >= 0,
            nanos <= Limits.costMax.nanos
        else {
            throw FactFault(
                message: "must be an amount from 0 to \(Limits.costMax.decimal); got "
                    + "\"\(text.prefix(40))\"")
        }
        return NanoUSD(nanos: nanos)
    }
}
